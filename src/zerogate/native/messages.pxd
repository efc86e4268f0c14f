# cython: language_level=3
"""What a ZMTP connection keeps count of, for who reads and writes its messages."""


cdef class TrafficState:
    cdef public object _cipher, _state, error
    cdef public long long _left, _max_frame_bytes, _need
    cdef public bint _is_between_frames, is_ready


cdef bytes take_message(TrafficState traffic, bytes data)
cdef list take_pieces(TrafficState traffic, bytes data)
cdef list gather_message(TrafficState traffic, list pieces, Py_ssize_t* size)
cdef bytes frame_message(TrafficState traffic, list pieces, Py_ssize_t most)

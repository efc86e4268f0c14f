# cython: language_level=3
"""What a ZMTP connection keeps count of, for who reads and writes its messages."""


cdef class TrafficState:
    cdef public object _cipher, _state, error
    cdef public long long _left, _max_frame_bytes, _need
    cdef public bint _is_between_frames, is_ready


# Messages that have come at once, of which some have begun before or go on: what is left of the one at `at`.
cdef struct Bodies:
    Py_ssize_t at
    long long left


cdef bytes take_message(TrafficState traffic, bytes data)
cdef bint try_bodies(TrafficState traffic, bytes data, Bodies* bodies) except -1
cdef bint next_body(Bodies* bodies, bytes data, Py_ssize_t* at, Py_ssize_t* stop) noexcept
cdef list gather_message(TrafficState traffic, list pieces, Py_ssize_t* size)
cdef bytes frame_message(TrafficState traffic, list pieces, Py_ssize_t most)

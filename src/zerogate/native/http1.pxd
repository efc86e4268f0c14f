# cython: language_level=3
"""What a client's connection keeps count of, and the usual ways over it."""

from zerogate.native.heads cimport ReplyHead, RequestHead


cdef class ReaderState:
    cdef public object state


cdef class ConnectionState:
    cdef public ReaderState _reader
    cdef public object _framing, _read_natively, _unread, request, writing
    cdef public Py_ssize_t _at
    cdef public bint _is_held, is_half_closed, must_close


cdef RequestHead take_head(ConnectionState connection, data)
cdef bytes frame_whole(ConnectionState connection, ReplyHead head, bytes body, bytes date)
cdef bytes frame_head(ConnectionState connection, ReplyHead head, bytes date)
cdef bint try_finish(ConnectionState connection) except -1
cdef bint is_body_bare(ConnectionState connection) except -1
cdef bint is_idle(ConnectionState connection) except -1

# cython: language_level=3
"""What a link keeps count of, and its usual way out."""

from zerogate.native.books cimport StreamState
from zerogate.native.messages cimport TrafficState
from zerogate.native.reads cimport Room


cdef class LivenessState:
    cdef public double heard


cdef class LinkState:
    cdef public object session, _loop, _owner, _transport
    cdef public TrafficState _zmtp
    cdef public LivenessState liveness
    cdef Room _room
    cdef public long long bytes_in, bytes_out
    cdef public int _descriptor, _n_batched
    cdef public bint _has_opened, _is_flush_due, _is_paused, is_closed, is_ready, is_suspect


cdef StreamState open_stream(LinkState link, bytes block, handler)
cdef int consumed(LinkState link, StreamState stream, long long size) except -1
cdef bint send_whole_reply(LinkState link, StreamState stream, bytes block, bytes data, bint is_bare) except -1

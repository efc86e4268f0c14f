# cython: language_level=3
"""What a link keeps count of, and its usual way out."""

from zerogate.native.session cimport StreamState


cdef class LinkState:
    cdef public object session
    cdef public int _n_batched
    cdef public bint _is_flush_due


cdef StreamState open_stream(LinkState link, bytes block, handler)

# cython: language_level=3
"""What a request at the worker knows, for those who act on it: see calls.pyx."""

# worker/call.py: the stages of a reply.
cdef enum:
    NEW = 0
    HEAD = 1
    BODY = 2
    TRAILERS = 3
    COMPLETE = 4
    MAX_PENDING_BYTES = 64 * 1024


cdef class CallState:
    cdef public object fields, link, work
    cdef public object _body, _head, _owner, _stream, _timer, _waiters
    cdef public int stage
    cdef public bint has_body_ended, is_gone
    cdef public bint _has_trailers, _is_body_told, _is_end_told, _wants_continue


cdef class FastCall(CallState):
    cdef bint take_start(self, bytes block) except -1
    cdef int _reply_whole(self, bytes data) except -1
    cdef bint take_piece(self, data, bint more) except -1
    cdef bint has_much_pending(self) except -1

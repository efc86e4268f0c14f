# cython: language_level=3
"""What a desk has for its clients, and counts of them."""


cdef class CountersState:
    cdef public long long requests
    cdef public list replies


cdef class DeadlinesState:
    cdef public double now


cdef class DateState:
    cdef public bytes value


cdef class ForwardingState:
    cdef public bytes own_pairs
    cdef public int n_own_pairs
    cdef public bint is_trusted


cdef class DeskState:
    cdef public object _access_log, _answer
    cdef public CountersState counters
    cdef public DateState date
    cdef public DeadlinesState deadlines
    cdef public double keepalive_timeout
    cdef public bytes _id_prefix
    cdef public long long _n_ids
    cdef public bint is_stopping


cdef object make_exchange(DeskState desk, client, head, ForwardingState forwarding)
cdef int note(desk, entry, client, int status) except -1

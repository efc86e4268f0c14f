# cython: language_level=3
"""What a desk has for its clients, and counts of them."""


cdef class DeskState:
    cdef public object _access_log, _answer, counters, date, deadlines, settings
    cdef public bytes _id_prefix
    cdef public long long _n_ids
    cdef public bint is_stopping


cdef object make_exchange(desk, client, head, forwarding)
cdef int note(desk, entry, client, int status) except -1

# cython: language_level=3
"""What is known of routes, for who looks one up."""


cdef class PrefixesState:
    cdef public dict targets
    cdef public Py_ssize_t depth


cdef class TableState:
    cdef public object only
    cdef public dict _hosts
    cdef public PrefixesState _any_host
    cdef public long long _n_wildcards


cdef class FastTable(TableState):
    cdef object find(self, bytes host, bytes path)

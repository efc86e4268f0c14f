# cython: language_level=3
"""What is counted of workers and pools, for the way of most exchanges."""


cdef class WorkerState:
    cdef public object link
    cdef public dict contested
    cdef public long long capacity, failures, ids_left, in_flight, served
    cdef public double load, share, timeout_s
    cdef public bint has_room, strips_prefix


cdef class PoolState:
    cdef public object route
    cdef public WorkerState _only
    cdef public bint _had_turn

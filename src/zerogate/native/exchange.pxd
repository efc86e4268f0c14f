# cython: language_level=3
"""What is counted of workers and pools, for the way of most exchanges."""


cdef class WorkerState:
    cdef public object link
    cdef public dict contested
    cdef public long long capacity, failures, ids_left, in_flight, served
    cdef public double load, stride, timeout_s
    cdef public bint has_room, strips_prefix


cdef class TurnsState:
    cdef public WorkerState _only
    cdef public bint _had_turn

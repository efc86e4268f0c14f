# cython: language_level=3
"""What is counted of workers and their turns, for who picks one."""

from zerogate.native.routes cimport FastTable


cdef class WorkerState:
    cdef public object link, rank
    cdef public dict contested
    cdef public long long capacity, failures, ids_left, in_flight, serial, served
    cdef public double load, stride, timeout_s
    cdef public bint has_room, strips_prefix


cdef class TurnsState:
    cdef public WorkerState _only
    cdef public dict _noted, _turns
    cdef public list _busy, _idle
    cdef public double _clock
    cdef public Py_ssize_t _max_entries
    cdef public bint _had_turn, has_rules


cdef class DispatcherState:
    cdef public FastTable routes
    cdef public dict waiting


cdef WorkerState pick(TurnsState turns)
cdef int offer(TurnsState turns, WorkerState worker) except -1
cdef int free_slot(WorkerState worker) except -1

# cython: language_level=3, boundscheck=False, wraparound=False
"""Whose turn it is (router/turns.py), where a request has been to nobody before.

Taken: a pick that avoids nobody, and an offer. Declined: a pick that avoids somebody.
"""

from zerogate.native cimport heaps


cdef class WorkerState:
    """Below router/workers.py, Worker."""


cdef class TurnsState:
    """Below router/turns.py, CarefulTurns."""


cdef class DispatcherState:
    """Below router/dispatcher.py, Dispatcher."""


cdef class FastTurns(TurnsState):
    """Before router/turns.py, CarefulTurns."""

    def pick(self, avoid=(), never=()):
        """router/turns.py, CarefulTurns.pick."""
        return super().pick(avoid, never) if avoid or never else pick(self)

    def offer(self, WorkerState worker not None):
        """router/turns.py, CarefulTurns.offer."""
        offer(self, worker)


cdef WorkerState pick(TurnsState turns):
    """router/turns.py, CarefulTurns.pick."""
    cdef WorkerState worker = turns._only
    cdef bint was_busy
    if worker is not None:
        if not worker.has_room:
            return None
        _take_slot(worker)
        turns._had_turn = True
        if worker.contested:
            _offer_everywhere(worker)
        return worker
    worker = _next(turns)
    if worker is None:
        return None
    was_busy = worker.load != 0
    _move_turn_on(turns, worker)
    if len(worker.contested) > 1:
        _offer_everywhere(worker)
    elif not was_busy:
        heaps.pop(turns._idle)
        if worker.has_room:
            turns._noted[worker] = None
    elif worker.has_room:
        heaps.replace(turns._busy, (worker.load, turns._turns[worker.serial], worker.rank, worker))
    return worker


cdef int offer(TurnsState turns, WorkerState worker) except -1:
    """router/turns.py, CarefulTurns.offer."""
    if not worker.load:
        heaps.push(turns._idle, (turns._turns[worker.serial], worker.rank, worker))
        if len(turns._idle) > turns._max_entries:
            turns._sweep()
    elif turns._idle:
        turns._noted[worker] = None
    else:
        turns._push(worker)
    return 0


cdef WorkerState _next(TurnsState turns):
    """router/turns.py, CarefulTurns._next; those that are only noted are its matter."""
    cdef WorkerState worker
    cdef tuple entry
    while turns._idle:
        entry = turns._idle[0]
        worker = entry[2]
        if not worker.load and worker.has_room and entry[0] == turns._turns.get(worker.serial):
            return worker
        heaps.pop(turns._idle)
    if turns._noted:
        return turns._next()
    while turns._busy:
        entry = turns._busy[0]
        worker = entry[3]
        if entry[0] == worker.load and worker.has_room and entry[1] == turns._turns.get(worker.serial):
            return worker
        heaps.pop(turns._busy)
    return None


cdef int _move_turn_on(TurnsState turns, WorkerState worker) except -1:
    """router/turns.py, CarefulTurns._move_turn_on."""
    cdef double turn = turns._turns[worker.serial]
    if turn > turns._clock:
        turns._clock = turn
    turns._turns[worker.serial] = turns._clock + worker.stride
    _take_slot(worker)
    return 0


cdef int _take_slot(WorkerState worker) except -1:
    """router/workers.py, Worker.take_slot."""
    worker.in_flight += 1
    worker.ids_left -= 1
    worker.load = worker.in_flight * worker.stride
    if worker.in_flight >= worker.capacity:
        worker.has_room = False
    return 0


cdef int _offer_everywhere(WorkerState worker) except -1:
    """router/workers.py, Worker.offer."""
    if worker.has_room:
        for turns in worker.contested:
            offer(turns, worker)
    return 0


cdef int free_slot(WorkerState worker) except -1:
    """router/workers.py, Worker.free_slot, and Worker.offer, of one that has room already."""
    worker.in_flight -= 1
    worker.load = worker.in_flight * worker.stride
    if worker.contested:
        _offer_everywhere(worker)
    return 0

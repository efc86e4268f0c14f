# cython: language_level=3
"""Heaps of workers as router/turns.py has them, kept as Python's heapq keeps them: each can go on where the other was.

An entry is a tuple: one number or two, the worker's rank, the worker. Ranks are a name and a number, all different.
"""

from cpython.object cimport PyObject
from cpython.tuple cimport PyTuple_GET_SIZE
from cpython.unicode cimport PyUnicode_Compare

cdef extern from *:
    """
    #define zg_items(heap) (((PyListObject *)(heap))->ob_item)
    """
    PyObject** items_of "zg_items"(list heap)


cdef inline bint precedes(tuple first, tuple second) except -1:
    """Whether `first` comes before `second`."""
    cdef double one, other
    cdef Py_ssize_t n_numbers = PyTuple_GET_SIZE(first) - 2
    cdef Py_ssize_t n
    cdef tuple rank, other_rank
    cdef int order
    for n in range(n_numbers):
        one = first[n]
        other = second[n]
        if one != other:
            return one < other
    rank = first[n_numbers]
    other_rank = second[n_numbers]
    order = PyUnicode_Compare(rank[0], other_rank[0])
    return order < 0 if order else <long long>rank[1] < <long long>other_rank[1]


cdef inline int push(list heap, tuple entry) except -1:
    heap.append(entry)
    return _rise(heap, len(heap) - 1, 0)


cdef inline int pop(list heap) except -1:
    """Drop the first."""
    cdef tuple last = heap.pop()
    if heap:
        heap[0] = last
        _sink(heap)
    return 0


cdef inline int replace(list heap, tuple entry) except -1:
    """Drop the first, and have this one instead."""
    heap[0] = entry
    return _sink(heap)


cdef inline int _rise(list heap, Py_ssize_t at, Py_ssize_t top) except -1:
    """Move an entry up to where it belongs, at most to `top`."""
    cdef PyObject** items = items_of(heap)
    cdef PyObject* entry = items[at]
    cdef Py_ssize_t above
    while at > top:
        above = (at - 1) >> 1
        if not precedes(<tuple>entry, <tuple>items[above]):
            break
        items[at] = items[above]
        at = above
        items[at] = entry
    return 0


cdef inline int _sink(list heap) except -1:
    """Move the first entry down to where it belongs: to a leaf first, since it was one, and up again from there."""
    cdef PyObject** items = items_of(heap)
    cdef PyObject* entry = items[0]
    cdef Py_ssize_t size = len(heap)
    cdef Py_ssize_t at = 0, below = 1
    while below < size:
        if below + 1 < size and not precedes(<tuple>items[below], <tuple>items[below + 1]):
            below += 1
        items[at] = items[below]
        at = below
        items[at] = entry
        below = 2 * at + 1
    return _rise(heap, at, 0)

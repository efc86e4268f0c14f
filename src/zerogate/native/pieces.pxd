# cython: language_level=3
"""Parts of what was read, as wire/pieces.py has them."""

from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.memoryview cimport PyMemoryView_FromObject

from zerogate.native.octets cimport octets

cdef enum:
    VIEW_BYTES = 16 * 1024
    MAX_KEPT_RATIO = 4


cdef inline object piece_of(data, octets start, Py_ssize_t at, Py_ssize_t stop):
    """wire/pieces.py, piece_of: a view of a large part of `data`, whose octets are at `start`."""
    cdef Py_ssize_t n = stop - at
    if n < VIEW_BYTES or n * MAX_KEPT_RATIO < len(data.obj if type(data) is memoryview else data):
        return PyBytes_FromStringAndSize(<const char*>start + at, n)
    if n == len(data):
        return data
    return data[at:stop] if type(data) is memoryview else PyMemoryView_FromObject(data)[at:stop]


cdef inline list join_small(list pieces):
    """wire/pieces.py, join_small."""
    cdef list joined = [], small = []
    for piece in pieces:
        if len(piece) < VIEW_BYTES:
            small.append(piece)
            continue
        if small:
            joined.append(b"".join(small))
            small = []
        joined.append(piece)
    if small:
        joined.append(b"".join(small))
    return joined

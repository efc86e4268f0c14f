# cython: language_level=3
"""How a session reads."""

from zerogate.native.books cimport SessionState
from zerogate.native.frames cimport octets


cdef int receive(SessionState session, data, octets start, Py_ssize_t at, Py_ssize_t size, list events) except -1

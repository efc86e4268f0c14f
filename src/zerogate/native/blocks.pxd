# cython: language_level=3
"""The fields of a request, for those who read them where they lie."""

from zerogate.native.octets cimport octets


cdef class RequestFields:
    cdef readonly bytes block
    cdef dict _fields
    cdef dict _all(self)
    cdef octets find(self, octets name, Py_ssize_t name_size, Py_ssize_t* size) noexcept

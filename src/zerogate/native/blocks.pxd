# cython: language_level=3
"""The fields of a request, for those who read them where they lie."""

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t

from zerogate.native.heads cimport RequestHead
from zerogate.native.octets cimport octets

cdef bytes write_request(
    RequestHead head,
    bytes forwarded_host,
    bytes pairs,
    int n_own_pairs,
    bytes request_id,
    bint is_believed,
    bint keeps_underscores,
)

cdef struct Pair:
    PyObject* name  # bytes, owned by the fields
    uint32_t value_at
    uint32_t value_size


cdef class RequestFields:
    cdef readonly bytes block
    cdef Pair* pairs
    cdef int n_pairs
    cdef dict _fields
    cdef dict _all(self)
    cdef Pair* find(self, bytes name) noexcept
    cdef bytes value_of(self, Pair* pair)


cpdef bytes reply_block(status, headers)

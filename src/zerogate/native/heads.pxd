# cython: language_level=3
"""What a head is made of, for those who read its fields where they lie."""

from libc.stdint cimport uint32_t

cdef struct Line:
    uint32_t name_at
    uint32_t name_size
    uint32_t value_at
    uint32_t value_size
    uint32_t marks


cdef class RequestHead:
    cdef public object method, target, path, host, content_length, upgrade, note
    cdef public int minor_version
    cdef public Py_ssize_t size_bytes
    cdef public bint keep_alive, is_chunked, has_body, expects_continue
    # The octets, and which of them are fields: only of a head that was read here, until somebody sets `fields`.
    cdef bytes octets
    cdef Line* lines
    cdef int n_lines
    cdef uint32_t marks
    cdef object _fields
    cdef list _make_fields(self)


cdef class ReplyHead:
    cdef public object reason, length, body_length, note
    cdef public int status
    cdef public bint is_bodiless, has_date
    cdef bytes block
    cdef object _fields
    cdef list _make_fields(self)

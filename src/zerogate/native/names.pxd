# cython: language_level=3
"""The table of names: see names.pyx."""

from cpython.object cimport PyObject
from libc.stdint cimport uint32_t, uint64_t

from zerogate.native.octets cimport octets

cdef enum:
    MAX_NAME_BYTES = 64

# What may be said of a name: in Python by the words of names.pyx, MARKS.
cdef enum:
    HOP = 1
    CLAIM = 2
    OWN = 4
    SPECIAL = 8
    UNDERSCORE = 16

cdef struct Name:
    PyObject* text  # bytes, owned by the table; NULL in an empty place
    octets at
    uint32_t size
    uint32_t hash
    uint32_t marks
    uint64_t seen  # the message in which it was met last

cdef uint32_t HASH_BEGIN
cdef uint64_t begin_message() noexcept
cdef Name* find_name(octets at, Py_ssize_t size, uint32_t hash) except? NULL
cdef Name* find_lower(octets at, Py_ssize_t size) except? NULL
cdef Name* find_field(octets at, Py_ssize_t size, unsigned char* lower) except? NULL


cdef inline uint32_t hash_octet(uint32_t hash, unsigned char octet) noexcept:
    """FNV-1a."""
    return (hash ^ octet) * <uint32_t>16777619

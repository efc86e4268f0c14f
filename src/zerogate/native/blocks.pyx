# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Name/value blocks (SPDY/3.1, 2.6.10): read and written without a step through Python for each pair.

Taken: blocks whose count and lengths add up to the last octet, of names that are lower-case tokens, none of them twice,
and of values that are text, or such with a NUL between each two. Declined: all others, which are somebody's fault.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE


ctypedef const unsigned char* octets

# By octet: whether it may stand in a lower-case token; in a value.
cdef unsigned char IN_TOKEN[256]
cdef unsigned char IN_VALUE[256]


cdef void _fill_tables() noexcept:
    cdef int octet
    for octet in range(256):
        IN_VALUE[octet] = octet == 9 or (octet >= 0x20 and octet != 0x7F)
        IN_TOKEN[octet] = 0
    for octet in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":
        IN_TOKEN[octet] = 1


_fill_tables()


cdef inline Py_ssize_t _word(octets at) noexcept:
    return (<Py_ssize_t>at[0] << 24) | (<Py_ssize_t>at[1] << 16) | (<Py_ssize_t>at[2] << 8) | at[3]


cdef bint _is_name(octets at, Py_ssize_t size) noexcept:
    cdef Py_ssize_t n = 1 if size and at[0] == c":" else 0
    if n == size:
        return False
    while n < size:
        if not IN_TOKEN[at[n]]:
            return False
        n += 1
    return True


cdef bint _is_value(octets at, Py_ssize_t size) noexcept:
    """One value, or several with a NUL between each two, none of which is empty then."""
    cdef Py_ssize_t n
    cdef bint is_begin = True
    for n in range(size):
        if IN_VALUE[at[n]]:
            is_begin = False
        elif at[n] or is_begin:
            return False
        else:
            is_begin = True
    return not size or not is_begin


def decode_block(bytes raw not None):
    """wire/spdy/headers.py, decode_block: the fields by name; None for what that refuses."""
    cdef octets at = <octets>PyBytes_AS_STRING(raw)
    cdef Py_ssize_t left = PyBytes_GET_SIZE(raw) - 4
    cdef Py_ssize_t count, size
    cdef dict fields = {}
    cdef bytes name, value
    if left < 0:
        return None
    count = _word(at)
    at += 4
    if count > left // 8:
        return None
    for _ in range(count):
        if left < 4:
            return None
        size = _word(at)
        at += 4
        left -= 4
        if size > left or not _is_name(at, size):
            return None
        name = PyBytes_FromStringAndSize(<const char*>at, size)
        at += size
        left -= size
        if left < 4:
            return None
        size = _word(at)
        at += 4
        left -= 4
        if size > left or not _is_value(at, size):
            return None
        value = PyBytes_FromStringAndSize(<const char*>at, size)
        at += size
        left -= size
        fields[name] = value
    if left or len(fields) != count:
        return None
    return fields

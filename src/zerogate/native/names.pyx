# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The names of fields that were met before: each once, as bytes, with what is known of it.

It saves what every codec would do for every field: look whether the name is a lower-case token, make a bytes object of
it, and look up what it means. What a name means (`mark`) is said by the Python that has the rule.

Memory: PLACES names of at most MAX_NAME_BYTES, whatever strangers send. Where a name belongs follows from its octets; of
the WAYS places there the one goes that has not been met for longest.

Within one message a name that has been met stays, so that it is known when it comes again (`Name.seen`). So between
`begin_message` and the last use of a Name nothing may be made that the garbage collector knows: it may run then, and
finalizers are anybody's code, which may begin a message of its own.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from cpython.ref cimport Py_INCREF, Py_XDECREF
from libc.string cimport memcmp

cdef enum:
    PLACES = 1024
    WAYS = 8

cdef uint32_t HASH_BEGIN = <uint32_t>2166136261
cdef Name[PLACES] table
cdef uint64_t n_messages = 0

# By octet: whether a token may have it, and its lower case (RFC 9110, 5.6.2). 0 for those that stand in no token.
cdef unsigned char[256] LOWER
cdef int _octet
for _octet in range(256):
    LOWER[_octet] = 0
for _octet in b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz":
    LOWER[_octet] = _octet
for _octet in b"ABCDEFGHIJKLMNOPQRSTUVWXYZ":
    LOWER[_octet] = _octet | 0x20

MARKS = {"hop": HOP, "claim": CLAIM, "own": OWN, "special": SPECIAL}

cdef dict marks = {}
cdef list prefix_marks = []


def mark(str what, names, prefixes=()):
    """Say of names, and of all that begin so, that they are `hop` (between two peers), `special` (no plain field of a
    request), `claim` (who the client is) or `own` (the router's word, whoever sends it). The table begins anew."""
    cdef int place
    for name in names:
        marks[name] = marks.get(name, 0) | <int>MARKS[what]
    for prefix in prefixes:
        prefix_marks.append((prefix, MARKS[what]))
    for place in range(PLACES):
        Py_XDECREF(table[place].text)
        table[place].text = NULL
        table[place].seen = 0


cdef uint32_t _marks_of(bytes name):
    cdef uint32_t bits = marks.get(name, 0)
    cdef bytes prefix
    for prefix, more in prefix_marks:
        if name.startswith(prefix):
            bits |= <int>more
    return bits | UNDERSCORE if b"_" in name else bits


cdef uint64_t begin_message() noexcept:
    """A number for the message whose names come next."""
    global n_messages
    n_messages += 1
    return n_messages


cdef Name* find_name(octets at, Py_ssize_t size, uint32_t hash) except? NULL:
    """The place of a name whose octets, all lower-case, have this hash. NULL if there is none: too long, no token."""
    cdef Name* name
    cdef Name* oldest = NULL
    cdef int way
    for way in range(WAYS):
        name = &table[(hash + way) % PLACES]
        if name.text != NULL:
            if name.hash == hash and name.size == size and memcmp(name.at, at, size) == 0:
                return name
        if oldest == NULL or name.seen < oldest.seen:
            oldest = name
    if oldest.seen == n_messages and n_messages:
        return NULL  # All of them are of this message.
    return _learn(oldest, at, size, hash)


cdef Name* _learn(Name* place, octets at, Py_ssize_t size, uint32_t hash) except? NULL:
    cdef Py_ssize_t n = 1 if size and at[0] == c":" else 0
    if n == size or size > MAX_NAME_BYTES:
        return NULL
    for n in range(n, size):
        if LOWER[at[n]] != at[n] or not at[n]:
            return NULL
    cdef bytes text = PyBytes_FromStringAndSize(<const char*>at, size)
    cdef uint32_t bits = _marks_of(text)
    Py_XDECREF(place.text)
    Py_INCREF(text)
    place.text = <PyObject*>text
    place.at = <octets>PyBytes_AS_STRING(text)
    place.size = size
    place.hash = hash
    place.marks = bits
    place.seen = 0
    return place


cdef Name* find_lower(octets at, Py_ssize_t size) except? NULL:
    """The place of a name as blocks have it: a lower-case token, maybe behind a colon."""
    cdef uint32_t hash = HASH_BEGIN
    cdef Py_ssize_t n
    if size > MAX_NAME_BYTES:
        return NULL
    for n in range(size):
        hash = hash_octet(hash, at[n])
    return find_name(at, size, hash)


cdef Name* find_field(octets at, Py_ssize_t size, unsigned char* lower) except? NULL:
    """The place of a name as people write it, a token. `lower` has room for MAX_NAME_BYTES, and then its lower case."""
    cdef uint32_t hash = HASH_BEGIN
    cdef Py_ssize_t n
    cdef unsigned char octet
    if size > MAX_NAME_BYTES:
        return NULL
    for n in range(size):
        octet = LOWER[at[n]]
        if not octet:
            return NULL
        lower[n] = octet
        hash = hash_octet(hash, octet)
    return find_name(lower, size, hash)

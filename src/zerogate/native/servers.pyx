# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""HTTP/1.1 with an attached server: the head of a request written, the head of its reply read.

Taken: requests by the common methods whose fields were read natively (blocks.pyx), and no upgrade. Replies of HTTP/1.1
by a status of 200 to 599, whose lines are a token, a colon and text, and of what is between two peers only `Connection:
close` or `keep-alive`, Keep-Alive, and `Transfer-Encoding: chunked` without a Content-Length. Declined: all else.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.string cimport memchr, memcmp, memcpy

from zerogate.native.blocks cimport Pair, RequestFields
from zerogate.native.names cimport HOP, MAX_NAME_BYTES, Name, begin_message, find_field, find_lower
from zerogate.native.octets cimport CR, LF, SPACE, TAB, is_like, is_text, octets, read_number

cdef frozenset METHODS = frozenset((b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS"))
cdef frozenset WITH_BODIES = frozenset((b"POST", b"PUT", b"PATCH"))  # worker/attach/request_head.py

cdef bytes VERSION = b" HTTP/1.1\r\nhost: "
cdef bytes CLOSE = b"connection: close\r\n"
cdef bytes CHUNKED = b"transfer-encoding: chunked\r\n"
cdef bytes EMPTY = b"content-length: 0\r\n"


cdef inline char* _put(char* to, bytes text) noexcept:
    memcpy(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return to + PyBytes_GET_SIZE(text)


cdef inline char* _put_octets(char* to, const void* at, Py_ssize_t size) noexcept:
    memcpy(to, at, size)
    return to + size


cdef bint _is_dropped(bytes name) except -1:
    """worker/attach/request_head.py, _DROPPED; and what is no field."""
    cdef octets at = <octets>PyBytes_AS_STRING(name)
    cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
    if at[0] == c":" or (size == 4 and memcmp(at, b"host", 4) == 0):
        return True
    cdef Name* known = find_lower(at, size)
    return known == NULL or known.marks & HOP != 0


cdef int _count_values(octets at, Py_ssize_t size) noexcept:
    """A NUL stands between each two."""
    cdef octets end = at + size
    cdef int n = 1
    while at < end:
        at = <octets>memchr(at, 0, end - at)
        if at == NULL:
            break
        at += 1
        n += 1
    return n


def request_head(fields, bytes authority not None, bint has_body, bint keeps):
    """worker/attach/request_head.py, request_head."""
    if not isinstance(fields, RequestFields):
        return None
    cdef RequestFields read = <RequestFields>fields
    cdef octets block = <octets>PyBytes_AS_STRING(read.block)
    cdef Pair* pair
    cdef Pair* target = read.find(b":path")
    cdef Pair* named = read.find(b":host")
    cdef bytes method = fields.get(b":method")
    cdef bytes name, head
    cdef octets value, stop, end, host
    cdef Py_ssize_t size, host_size, room
    cdef bint has_length = read.find(b"content-length") != NULL
    cdef int n
    cdef char* to
    if method not in METHODS or target == NULL or not target.value_size or read.find(b"upgrade") != NULL:
        return None
    value = block + target.value_at
    if memchr(value, SPACE, target.value_size) != NULL or memchr(value, 0, target.value_size) != NULL:
        return None
    if named != NULL and named.value_size:
        host = block + named.value_at
        host_size = named.value_size
        if memchr(host, 0, host_size) != NULL:
            return None
    else:
        host = <octets>PyBytes_AS_STRING(authority)
        host_size = PyBytes_GET_SIZE(authority)
        if not is_text(host, host_size):
            return None
    begin_message()
    room = PyBytes_GET_SIZE(method) + 1 + target.value_size + PyBytes_GET_SIZE(VERSION) + host_size + 2
    room += PyBytes_GET_SIZE(CLOSE) + PyBytes_GET_SIZE(CHUNKED) + 2
    for n in range(read.n_pairs):
        pair = &read.pairs[n]
        name = <bytes>pair.name
        # Each of several values has a line of its own.
        room += _count_values(block + pair.value_at, pair.value_size) * (PyBytes_GET_SIZE(name) + 4) + pair.value_size
    head = PyBytes_FromStringAndSize(NULL, room)
    to = _put(PyBytes_AS_STRING(head), method)
    to[0] = SPACE
    to = _put_octets(to + 1, value, target.value_size)
    to = _put_octets(_put(to, VERSION), host, host_size)
    to = _put_octets(to, b"\r\n", 2)
    for n in range(read.n_pairs):
        pair = &read.pairs[n]
        name = <bytes>pair.name
        if _is_dropped(name):
            continue
        value = block + pair.value_at
        end = value + pair.value_size
        while True:
            stop = <octets>memchr(value, 0, end - value) if value < end else NULL
            size = (end if stop == NULL else stop) - value
            to = _put_octets(_put(to, name), b": ", 2)
            to = _put_octets(_put_octets(to, value, size), b"\r\n", 2)
            if stop == NULL:
                break
            value = stop + 1
    if not keeps:
        to = _put(to, CLOSE)
    if not has_length:
        if has_body:
            to = _put(to, CHUNKED)
        elif method in WITH_BODIES:
            to = _put(to, EMPTY)
    to = _put_octets(to, b"\r\n", 2)
    return head[: to - PyBytes_AS_STRING(head)]


def reply_head(bytes block not None, Py_ssize_t max_fields):
    """wire/http1/reply_reader.py, _read_in_python: of octets that are one head, from the first to the last."""
    cdef octets at = <octets>PyBytes_AS_STRING(block)
    cdef octets end = at + PyBytes_GET_SIZE(block) - 2  # the empty line
    cdef octets stop, begin
    cdef unsigned char[MAX_NAME_BYTES] lower
    cdef Name* name
    cdef list crossing = []
    cdef dict special = {}
    cdef long long status
    cdef Py_ssize_t size, n_fields = 0
    # "HTTP/1.1 200", CR LF, and the empty line.
    if PyBytes_GET_SIZE(block) < 16 or memcmp(end - 2, b"\r\n\r\n", 4) != 0 or memcmp(at, b"HTTP/1.1 ", 9) != 0:
        return None
    begin_message()
    status = read_number(at + 9, 3)
    if status < 200 or status > 599:
        return None
    at += 12
    stop = <octets>memchr(at, CR, end - at)
    if stop == NULL or stop[1] != LF or (stop != at and at[0] != SPACE) or not is_text(at, stop - at):
        return None
    at = stop + 2
    while at < end:
        n_fields += 1
        if n_fields > max_fields:
            return None
        begin = at
        at = <octets>memchr(at, c":", end - at)
        if at == NULL:
            return None
        name = find_field(begin, at - begin, lower)
        if name == NULL or name.at[0] == c":":
            return None
        at += 1
        while at[0] == SPACE or at[0] == TAB:
            at += 1
        begin = at
        at = <octets>memchr(begin, CR, end - begin) if begin < end else NULL
        if at == NULL or at[1] != LF:
            return None
        stop = at
        at += 2
        while stop > begin and ((stop - 1)[0] == SPACE or (stop - 1)[0] == TAB):
            stop -= 1
        size = stop - begin
        if not is_text(begin, size):
            return None
        text = <bytes>name.text
        value = PyBytes_FromStringAndSize(<const char*>begin, size)
        if name.marks & HOP:
            if not _is_plain_hop(name, begin, size) or text in special:
                return None
            special[text] = value
            continue
        if _is(name, b"content-length", 14) or _is(name, b"trailer", 7):
            if text in special or (name.size == 14 and read_number(begin, size) < 0):
                return None
            special[text] = value
        crossing.append((text, value))
    if b"transfer-encoding" in special and b"content-length" in special:
        return None
    return 1, status, crossing, special


cdef bint _is_plain_hop(Name* name, octets value, Py_ssize_t size) noexcept:
    """Whether this field between two peers nominates no others and frames as most do."""
    if _is(name, b"connection", 10):
        return is_like(value, size, b"close", 5) or is_like(value, size, b"keep-alive", 10)
    if _is(name, b"transfer-encoding", 17):
        return is_like(value, size, b"chunked", 7)
    return _is(name, b"keep-alive", 10)


cdef inline bint _is(Name* name, const char* text, Py_ssize_t size) noexcept:
    return name.size == size and memcmp(name.at, text, size) == 0

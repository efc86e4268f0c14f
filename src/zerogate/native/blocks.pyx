# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Name/value blocks (SPDY/3.1, 2.6.10): of requests and replies, written and read without a step through Python for
each pair.

Taken: blocks whose count and lengths add up to the last octet, of names that are lower-case tokens, none of them twice,
and of values that are text, or such with a NUL between each two. Declined: all others, which are somebody's fault; and
names of more than MAX_NAME_BYTES, and blocks of more than MAX_PAIRS, which are nobody's.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE, PyBytes_CheckExact
from cpython.dict cimport PyDict_Copy
from cpython.long cimport PyLong_AsLong
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cpython.ref cimport PyObject, Py_XDECREF, Py_XINCREF
from cpython.unicode cimport PyUnicode_DecodeLatin1, PyUnicode_DecodeUTF8
from libc.stdint cimport uint32_t
from libc.string cimport memchr, memcmp, memcpy

from zerogate.native.heads cimport Line, RequestHead
from zerogate.native.names cimport (
    CLAIM,
    MAX_NAME_BYTES,
    OWN,
    UNDERSCORE,
    Name,
    begin_message,
    find_field,
    find_lower,
)
from zerogate.native.octets cimport SPACE, TAB, is_text, octets, read_number, read_string, read_word, write_string, write_word

cdef enum:
    MAX_PAIRS = 64
    MAX_BLOCK_BYTES = 64 * 1024  # wire/spdy/headers.py
    MAX_PORT_DIGITS = 5  # worker/scope.py


cdef bint _is_value(octets at, Py_ssize_t size) noexcept:
    """One value, or several with a NUL between each two, none of which is empty then."""
    cdef octets end = at + size
    cdef octets nul
    cdef bint is_first = True
    while True:
        nul = <octets>memchr(at, 0, end - at) if at < end else NULL
        if nul == NULL:
            return (is_first or at < end) and is_text(at, end - at)
        if nul == at or not is_text(at, nul - at):
            return False
        at = nul + 1
        is_first = False


def decode_block(bytes raw not None):
    """wire/spdy/headers.py, decode_block: the fields by name."""
    cdef octets at = <octets>PyBytes_AS_STRING(raw)
    cdef octets text, value
    cdef Py_ssize_t left = PyBytes_GET_SIZE(raw) - 4
    cdef Py_ssize_t count, size
    cdef dict fields = {}
    cdef Name* name
    if left < 0:
        return None
    count = read_word(at)
    at += 4
    if count > left // 8:
        return None
    begin_message()
    for _ in range(count):
        text = read_string(&at, &left, &size)
        name = find_lower(text, size) if text != NULL else NULL
        if name == NULL:
            return None
        value = read_string(&at, &left, &size)
        if value == NULL or not _is_value(value, size):
            return None
        fields[<bytes>name.text] = PyBytes_FromStringAndSize(<const char*>value, size)
    if left or len(fields) != count:
        return None
    return fields


# Requests, at the router

cdef bytes BEFORE_METHOD = b"\0\0\0\x07:method"
cdef bytes BEFORE_PATH = b"\0\0\0\x05:path"
cdef bytes VERSION = b"\0\0\0\x08:version\0\0\0\x08HTTP/1.1"
cdef bytes BEFORE_HOST = b"\0\0\0\x05:host"
cdef bytes BEFORE_FORWARDED_HOST = b"\0\0\0\x10x-forwarded-host"
cdef bytes BEFORE_ID = b"\0\0\0\x0cx-request-id"


cdef inline char* _put(char* to, bytes text) noexcept:
    memcpy(to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))
    return to + PyBytes_GET_SIZE(text)


cdef inline char* _put_string(char* to, bytes text) noexcept:
    return <char*>write_string(<unsigned char*>to, PyBytes_AS_STRING(text), PyBytes_GET_SIZE(text))


def has_claims(RequestHead head not None):
    """router/request_block.py, begin_of: whether the client says who it is, or speaks for."""
    return None if head.lines == NULL else head.marks & CLAIM != 0


def request_block(
    RequestHead head not None,
    bytes forwarded_host not None,
    bytes pairs not None,
    int n_own_pairs,
    bytes request_id not None,
    bint is_believed,
    bint keeps_underscores,
):
    """router/request_block.py, request_block: of a head that was read natively. `pairs` are the connection's own.

    is_believed: the client is, and claims cross, but for those that the router makes itself
    """
    return write_request(head, forwarded_host, pairs, n_own_pairs, request_id, is_believed, keeps_underscores)


cdef bytes write_request(
    RequestHead head,
    bytes forwarded_host,
    bytes pairs,
    int n_own_pairs,
    bytes request_id,
    bint is_believed,
    bint keeps_underscores,
):
    cdef Py_ssize_t size
    cdef uint32_t dropped = OWN | UNDERSCORE | (0 if is_believed else CLAIM)
    cdef const char* octets_
    cdef Line* line
    cdef char* to
    cdef char* name
    cdef int n, n_pairs = n_own_pairs
    cdef Py_ssize_t m
    if head.lines == NULL or (keeps_underscores and head.marks & UNDERSCORE):
        return None
    cdef bytes method = head.method, target = head.target, host = head.host
    size = (
        4
        + PyBytes_GET_SIZE(BEFORE_METHOD) + PyBytes_GET_SIZE(BEFORE_PATH) + PyBytes_GET_SIZE(VERSION)
        + PyBytes_GET_SIZE(BEFORE_HOST) + PyBytes_GET_SIZE(BEFORE_FORWARDED_HOST) + PyBytes_GET_SIZE(BEFORE_ID)
        + 5 * 4
        + PyBytes_GET_SIZE(method) + PyBytes_GET_SIZE(target) + PyBytes_GET_SIZE(host)
        + PyBytes_GET_SIZE(forwarded_host) + PyBytes_GET_SIZE(pairs) + PyBytes_GET_SIZE(request_id)
    )
    for n in range(head.n_lines):
        line = &head.lines[n]
        if not line.marks & dropped:
            n_pairs += 1
            size += 8 + line.name_size + line.value_size
    cdef bytes block = PyBytes_FromStringAndSize(NULL, size)
    octets_ = PyBytes_AS_STRING(head.octets)
    to = <char*>write_word(<unsigned char*>PyBytes_AS_STRING(block), n_pairs)
    to = _put_string(_put(to, BEFORE_METHOD), method)
    to = _put_string(_put(to, BEFORE_PATH), target)
    to = _put(to, VERSION)
    to = _put_string(_put(to, BEFORE_HOST), host)
    to = _put_string(_put(to, BEFORE_FORWARDED_HOST), forwarded_host)
    for n in range(head.n_lines):
        line = &head.lines[n]
        if not line.marks & dropped:
            name = to + 4
            to = <char*>write_string(<unsigned char*>to, octets_ + line.name_at, line.name_size)
            for m in range(line.name_size):
                if c"A" <= name[m] <= c"Z":
                    name[m] |= 0x20
            to = <char*>write_string(<unsigned char*>to, octets_ + line.value_at, line.value_size)
    to = _put(to, pairs)
    to = _put_string(_put(to, BEFORE_ID), request_id)
    return block


# Requests, at the worker

cdef class RequestFields:
    """The fields of a request by name, as wire/spdy/headers.py, decode_block, has them; each is made when it is asked for.

    `block` is one of those that are taken.
    """

    def __dealloc__(self):
        cdef int n
        for n in range(self.n_pairs):
            Py_XDECREF(self.pairs[n].name)
        PyMem_Free(self.pairs)

    cdef Pair* find(self, bytes name) noexcept:
        cdef Py_ssize_t size = PyBytes_GET_SIZE(name)
        cdef PyObject* other
        cdef int n
        for n in range(self.n_pairs):
            other = self.pairs[n].name
            if PyBytes_GET_SIZE(<object>other) == size and (
                memcmp(PyBytes_AS_STRING(<object>other), PyBytes_AS_STRING(name), size) == 0
            ):
                return &self.pairs[n]
        return NULL

    cdef bytes value_of(self, Pair* pair):
        return PyBytes_FromStringAndSize(PyBytes_AS_STRING(self.block) + pair.value_at, pair.value_size)

    def get(self, bytes name not None, default=None):
        cdef Pair* pair = self.find(name)
        return default if pair == NULL else self.value_of(pair)

    def __getitem__(self, bytes name not None):
        cdef Pair* pair = self.find(name)
        if pair == NULL:
            raise KeyError(name)
        return self.value_of(pair)

    def __contains__(self, name):
        return PyBytes_CheckExact(name) and self.find(name) != NULL

    def __len__(self):
        return self.n_pairs

    def __iter__(self):
        return iter(self._all())

    def keys(self):
        return self._all().keys()

    def values(self):
        return self._all().values()

    def items(self):
        return self._all().items()

    def __eq__(self, other):
        return self._all() == (<RequestFields>other)._all() if isinstance(other, RequestFields) else self._all() == other

    def __repr__(self):
        return f"RequestFields({self._all()!r})"

    cdef dict _all(self):
        cdef int n
        if self._fields is None:
            self._fields = {<bytes>self.pairs[n].name: self.value_of(&self.pairs[n]) for n in range(self.n_pairs)}
        return self._fields


def set_block_decoder(decode_block):
    """wire/spdy/headers.py, decode_block: for what is declined. What is compiled imports nothing."""
    global _decode_block
    _decode_block = decode_block


def read_request_block(bytes block not None):
    """worker/request_block.py, read_request_block."""
    fields = _read_request(block)
    return _decode_block(block) if fields is None else fields


def read_request(bytes block not None):
    """`read_request_block`, or None."""
    return _read_request(block)


cdef RequestFields _read_request(bytes block):
    """wire/spdy/headers.py, decode_block: the fields where they lie."""
    cdef octets begin = <octets>PyBytes_AS_STRING(block)
    cdef octets at = begin
    cdef octets text, value
    cdef Py_ssize_t left = PyBytes_GET_SIZE(block) - 4
    cdef Py_ssize_t count, size, n
    cdef unsigned long long message
    cdef Pair[MAX_PAIRS] pairs
    cdef Name* name
    cdef RequestFields fields
    if left < 0 or left > MAX_BLOCK_BYTES:
        return None
    count = read_word(at)
    at += 4
    if count < 0 or count > MAX_PAIRS:
        return None
    fields = RequestFields.__new__(RequestFields)  # before there are names (names.pyx)
    message = begin_message()
    for n in range(count):
        text = read_string(&at, &left, &size)
        name = find_lower(text, size) if text != NULL else NULL
        if name == NULL or name.seen == message:
            return None
        name.seen = message
        pairs[n].name = name.text  # stays there until the next message begins
        value = read_string(&at, &left, &size)
        if value == NULL or not _is_value(value, size):
            return None
        pairs[n].value_at = value - begin
        pairs[n].value_size = size
    if left:
        return None
    fields.pairs = <Pair*>PyMem_Malloc(count * sizeof(Pair))
    if fields.pairs == NULL:
        raise MemoryError
    memcpy(fields.pairs, pairs, count * sizeof(Pair))
    for n in range(count):
        Py_XINCREF(pairs[n].name)
    fields.n_pairs = count
    fields.block = block
    return fields


cdef dict METHODS = {name: name.decode() for name in (b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")}
cdef dict SCHEMES = {name: name.decode() for name in (b"http", b"https")}
# In ASGI's order. Copied and filled, as a dict that grows costs more.
cdef dict SCOPE = dict.fromkeys(
    (
        "type", "asgi", "http_version", "method", "scheme", "path", "raw_path", "query_string", "root_path", "headers",
        "client", "server", "extensions", "state",
    )
)
SCOPE["type"] = "http"
SCOPE["http_version"] = "1.1"


def http_scope(fields, str root_path not None, asgi, dict extensions not None, dict state not None):
    """worker/scope.py, http_scope: of fields that were read natively, for a target that is a path."""
    if not isinstance(fields, RequestFields):
        return None
    cdef RequestFields read = <RequestFields>fields
    cdef octets begin = <octets>PyBytes_AS_STRING(read.block)
    cdef octets value, stop
    cdef octets target = NULL, host = NULL
    cdef Py_ssize_t target_size = 0, host_size = 0, size, path_size
    cdef Pair* pair
    cdef list headers = []
    cdef dict scope = PyDict_Copy(SCOPE)
    cdef bytes method = None, scheme = None, raw_path, client = None, text, name
    cdef long long port = 0
    cdef int n
    for n in range(read.n_pairs):
        pair = &read.pairs[n]
        name = <bytes>pair.name
        value = begin + pair.value_at
        size = pair.value_size
        if PyBytes_AS_STRING(name)[0] == c":":
            if _is(name, b":method", 7):
                method = PyBytes_FromStringAndSize(<const char*>value, size)
            elif _is(name, b":path", 5):
                target = value
                target_size = size
            elif _is(name, b":host", 5):
                host = value
                host_size = size
            elif _is(name, b":version", 8) and size == 8 and memcmp(value, b"HTTP/1.0", 8) == 0:
                scope["http_version"] = "1.0"
            continue
        text = PyBytes_FromStringAndSize(<const char*>value, size)
        if memchr(value, 0, size) == NULL:
            headers.append((name, text))
        else:
            for part in text.split(b"\0"):
                headers.append((name, part))
        if PyBytes_AS_STRING(name)[0] == c"x":
            if _is(name, b"x-forwarded-proto", 17):
                scheme = text
            elif _is(name, b"x-real-ip", 9):
                client = text
            elif _is(name, b"x-real-port", 11):
                port = read_number(value, size)
                if port < 0 or size > MAX_PORT_DIGITS:
                    return None
    if method is None or target == NULL:
        return None
    if host_size:
        headers.insert(0, (b"host", PyBytes_FromStringAndSize(<const char*>host, host_size)))
    stop = <octets>memchr(target, c"?", target_size)
    path_size = target_size if stop == NULL else stop - target
    raw_path = PyBytes_FromStringAndSize(<const char*>target, path_size)
    path = _decode_path(target, path_size)
    if root_path:
        path = root_path + path
        raw_path = root_path.encode() + raw_path
    scope["asgi"] = asgi
    scope["method"] = METHODS.get(method) or method.decode("latin-1")
    scope["scheme"] = "http" if scheme is None else SCHEMES.get(scheme) or scheme.decode("latin-1")
    scope["path"] = path
    scope["raw_path"] = raw_path
    scope["query_string"] = b"" if stop == NULL else PyBytes_FromStringAndSize(<const char*>stop + 1, target_size - path_size - 1)
    scope["root_path"] = root_path
    scope["headers"] = headers
    if client:
        scope["client"] = (client.decode("latin-1"), port)
    server = _server(host, host_size, 443 if scheme == b"https" else 80)
    if server is None:
        return None
    scope["server"] = server
    scope["extensions"] = PyDict_Copy(extensions)
    scope["state"] = PyDict_Copy(state)
    return scope


cdef inline bint _is(bytes name, const char* text, Py_ssize_t size) noexcept:
    return PyBytes_GET_SIZE(name) == size and memcmp(PyBytes_AS_STRING(name), text, size) == 0


cdef str _decode_path(octets at, Py_ssize_t size):
    """urllib.parse, unquote_to_bytes, and what UTF-8 makes of it."""
    cdef octets end = at + size
    cdef octets percent = <octets>memchr(at, c"%", size)
    cdef unsigned char* plain
    cdef unsigned char* to
    cdef int high, low
    if percent == NULL:
        return PyUnicode_DecodeUTF8(<const char*>at, size, "replace")
    plain = <unsigned char*>PyMem_Malloc(size)  # no octet makes more than one
    if plain == NULL:
        raise MemoryError
    to = plain
    while at < end:
        if at[0] == c"%" and end - at > 2:
            high = _digit(at[1])
            low = _digit(at[2])
            if high >= 0 and low >= 0:
                to[0] = high << 4 | low
                to += 1
                at += 3
                continue
        to[0] = at[0]
        to += 1
        at += 1
    try:
        return PyUnicode_DecodeUTF8(<const char*>plain, to - plain, "replace")
    finally:
        PyMem_Free(plain)


cdef inline int _digit(unsigned char octet) noexcept:
    if c"0" <= octet <= c"9":
        return octet - c"0"
    if c"a" <= (octet | 0x20) <= c"f":
        return (octet | 0x20) - c"a" + 10
    return -1


cdef tuple _server(octets host, Py_ssize_t size, int default_port):
    """worker/scope.py, _server: of a host with a colon at most."""
    cdef octets colon = <octets>memchr(host, c":", size) if size else NULL
    cdef Py_ssize_t n = size if colon == NULL else colon - host
    cdef long long port = default_port
    if colon != NULL and n + 1 < size:
        port = read_number(colon + 1, size - n - 1)
        if port < 0 or size - n - 1 > MAX_PORT_DIGITS:
            return None
    if colon != NULL and not n:
        return None
    return PyUnicode_DecodeLatin1(<const char*>host, n, NULL) if n else "", port


# Replies, at the worker

cdef struct Field:
    Name* name
    octets value
    Py_ssize_t size
    int next  # of the same name, or 0
    int last  # of the same name, if this is the first

cdef dict STATUS_PAIRS = {
    status: b"\0\0\0\x07:status\0\0\0\x03%d\0\0\0\x08:version\0\0\0\x08HTTP/1.1" % status for status in range(200, 600)
}


cpdef bytes reply_block(status, headers):
    """worker/reply_block.py, reply_block: of headers as most applications send them, in lists and tuples of bytes."""
    cdef Field[MAX_PAIRS] fields
    cdef Field* field
    cdef Field* first
    cdef unsigned char[MAX_NAME_BYTES] lower
    cdef unsigned long long message
    cdef Py_ssize_t n_headers, size, value_size
    cdef octets at
    cdef int n, m, n_pairs
    cdef object header, name, value
    cdef bytes begin = STATUS_PAIRS.get(status) if type(status) is int else None
    if begin is None:
        return None
    if type(headers) is list:
        # Nothing but this function can see the copy: what is in it stays.
        headers = tuple(headers)
    elif type(headers) is not tuple:
        return None
    n_headers = len(headers)
    if n_headers > MAX_PAIRS:
        return None
    message = begin_message()
    size = 4 + PyBytes_GET_SIZE(begin)
    n_pairs = 2
    for n in range(n_headers):
        header = headers[n]
        if type(header) is not tuple:
            if type(header) is not list:
                return None
        if len(header) != 2:
            return None
        name = header[0]
        value = header[1]
        if not PyBytes_CheckExact(name) or not PyBytes_CheckExact(value):
            return None
        at = <octets>PyBytes_AS_STRING(value)
        value_size = PyBytes_GET_SIZE(value)
        while value_size and (at[0] == SPACE or at[0] == TAB):
            at += 1
            value_size -= 1
        while value_size and (at[value_size - 1] == SPACE or at[value_size - 1] == TAB):
            value_size -= 1
        if not is_text(at, value_size):
            return None
        field = &fields[n]
        field.name = find_field(<octets>PyBytes_AS_STRING(name), PyBytes_GET_SIZE(name), lower)
        if field.name == NULL:
            return None
        field.value = at
        field.size = value_size
        field.next = 0
        field.last = n
        if field.name.seen != message:
            field.name.seen = message
            n_pairs += 1
            size += 8 + field.name.size + value_size
            continue
        # As set-cookie mostly: behind the first of its name.
        m = 0
        while fields[m].name != field.name:
            m += 1
        first = &fields[m]
        fields[first.last].next = n
        first.last = n
        field.last = -1
        size += 1 + value_size
    if size > MAX_BLOCK_BYTES:
        return None
    return _write_reply(begin, fields, n_headers, n_pairs, size)


cdef bytes _write_reply(bytes begin, Field* fields, Py_ssize_t n_headers, int n_pairs, Py_ssize_t room):
    """`room` is what is needed at most: empty values are left out beside others (wire/spdy/headers.py, merge_fields)."""
    cdef bytes block = PyBytes_FromStringAndSize(NULL, room)
    cdef char* start = PyBytes_AS_STRING(block)
    cdef char* to = <char*>write_word(<unsigned char*>start, n_pairs)
    cdef char* length
    cdef Field* field
    cdef Py_ssize_t n
    to = _put(to, begin)
    for n in range(n_headers):
        field = &fields[n]
        if field.last < 0:
            continue
        to = <char*>write_string(<unsigned char*>to, field.name.at, field.name.size)
        length = to
        to += 4
        while True:
            if field.size:
                if to != length + 4:
                    to[0] = 0
                    to += 1
                memcpy(to, field.value, field.size)
                to += field.size
            if not field.next:
                break
            field = &fields[field.next]
        write_word(<unsigned char*>length, to - length - 4)
    return block if to - start == room else block[: to - start]

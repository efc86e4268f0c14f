# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The heads of HTTP/1.1: a client's request read, a worker's reply written. And what both are, as objects.

Taken: requests by the seven common methods for a target in origin-form, with one plain Host, fields of different names
that are tokens and values that are text, `Connection: close` or `keep-alive`, and a Content-Length that is a number.
Declined: Transfer-Encoding, Expect, Upgrade and all else that is between two peers; names that come twice; a line that
is folded, or ends in anything but CR LF; HTTP/1.0; whatever is over a limit.

Taken: replies whose `:status` comes first and `:version` second, with one Content-Length at most, and fields that cross.
Declined: 101, fields that are between two peers, a length where there must be none.
"""

from http import HTTPStatus

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.string cimport memchr, memcmp, memcpy

from zerogate.native.names cimport (
    HOP,
    SPECIAL,
    MAX_NAME_BYTES,
    Name,
    begin_message,
    find_field,
    find_lower,
    find_name,
    hash_octet,
    HASH_BEGIN,
)
from zerogate.native.octets cimport (
    CR,
    LF,
    SPACE,
    TAB,
    is_like,
    is_text,
    octets,
    read_number,
    read_string,
    read_word,
)

cdef object _decode_block

cdef enum:
    # Of a head with more of them the Python makes no secret.
    MAX_LINES = 64
    MAX_HOST_BYTES = 260  # wire/http/hosts.py
    MAX_PORT = 65535
    # "GET / HTTP/1.1", CR LF, "Host:x", CR LF and the empty line, about.
    MIN_HEAD_BYTES = 20
    MAX_HEAD_BYTES = 0x7FFFFFFF  # what an offset can say
    STATUS_DIGITS = 3
    BEFORE_STATUS_BYTES = 9

cdef struct Method:
    const char* text  # with the space behind it
    Py_ssize_t size

cdef Method[7] METHODS = [
    Method(b"GET ", 4),
    Method(b"POST ", 5),
    Method(b"HEAD ", 5),
    Method(b"PUT ", 4),
    Method(b"PATCH ", 6),
    Method(b"DELETE ", 7),
    Method(b"OPTIONS ", 8),
]
cdef tuple METHOD_NAMES = (b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS")

cdef dict REASONS = {status.value: status.phrase.encode("ascii") for status in HTTPStatus}


cdef class RequestHead:
    """wire/http/request.py, RequestHead: the same, but that `fields` is made when somebody asks for it."""

    def __cinit__(self):
        self.lines = NULL
        self.n_lines = 0

    def __dealloc__(self):
        PyMem_Free(self.lines)

    def __init__(
        self,
        method=b"",
        target=b"",
        path=b"",
        host=b"",
        int minor_version=1,
        fields=None,
        Py_ssize_t size_bytes=0,
        bint keep_alive=False,
        content_length=None,
        bint is_chunked=False,
        bint expects_continue=False,
        upgrade=b"",
    ):
        self.method = method
        self.target = target
        self.path = path
        self.host = host
        self.minor_version = minor_version
        self._fields = [] if fields is None else fields
        self.size_bytes = size_bytes
        self.keep_alive = keep_alive
        self.content_length = content_length
        self.is_chunked = is_chunked
        self.has_body = is_chunked or bool(content_length)
        self.expects_continue = expects_continue
        self.upgrade = upgrade
        self.note = None

    def __repr__(self):
        return f"<RequestHead {self.method!r} {self.target!r} host={self.host!r} HTTP/1.{self.minor_version}>"

    @property
    def fields(self):
        if self._fields is None:
            self._fields = self._make_fields()
        return self._fields

    @fields.setter
    def fields(self, fields):
        self._fields = fields
        PyMem_Free(self.lines)
        self.lines = NULL

    cdef list _make_fields(self):
        cdef const char* begin = PyBytes_AS_STRING(self.octets)
        cdef Line* line
        cdef Name* name
        cdef unsigned char[MAX_NAME_BYTES] lower
        cdef list fields = []
        cdef int n
        for n in range(self.n_lines):
            line = &self.lines[n]
            name = find_field(<octets>begin + line.name_at, line.name_size, lower)
            if name != NULL:
                text = <bytes>name.text
            else:
                text = PyBytes_FromStringAndSize(<const char*>lower, line.name_size)
            fields.append((text, PyBytes_FromStringAndSize(begin + line.value_at, line.value_size)))
        return fields


cdef class HeadReader:
    """Reads heads within these limits; `max_body_bytes` may be None."""

    cdef Py_ssize_t _max_head_bytes, _max_fields, _max_target_bytes
    cdef long long _max_body_bytes

    def __init__(self, Py_ssize_t max_head_bytes, Py_ssize_t max_fields, Py_ssize_t max_target_bytes, max_body_bytes):
        self._max_head_bytes = min(max_head_bytes, MAX_HEAD_BYTES)
        self._max_fields = min(max_fields, MAX_LINES)
        self._max_target_bytes = max_target_bytes
        # None and what no Content-Length could exceed are the same.
        self._max_body_bytes = min(10**18 if max_body_bytes is None else max_body_bytes, 10**18)

    def read(self, bytes block not None):
        """wire/http1/heads.py, HeadParser.parse_head: of octets that are one head, from the first to the last."""
        cdef octets begin = <octets>PyBytes_AS_STRING(block)
        cdef octets at = begin
        cdef octets end, stop, target, query = NULL
        cdef Py_ssize_t size = PyBytes_GET_SIZE(block), target_size
        cdef Line[MAX_LINES] lines
        cdef Line* line
        cdef Name* name
        cdef unsigned char[MAX_NAME_BYTES] lower
        cdef unsigned long long message
        cdef int n_lines = 0, n_fields = 0, method
        cdef unsigned int marks = 0
        cdef unsigned char octet
        cdef Py_ssize_t name_size
        cdef unsigned int hash
        cdef long long length = -1
        cdef bint keeps_alive = True
        cdef bytes host = None, path = None
        cdef RequestHead head

        if size < MIN_HEAD_BYTES or size > self._max_head_bytes:
            return None
        end = begin + size - 2  # the empty line
        if memcmp(end - 2, b"\r\n\r\n", 4) != 0:
            return None

        for method in range(7):
            if memcmp(at, METHODS[method].text, METHODS[method].size) == 0:
                break
        else:
            return None
        at += METHODS[method].size
        target = at
        if at[0] != c"/":
            return None
        # The CR of the empty line ends it at the latest.
        while at[0] > SPACE and at[0] < 0x7F and at[0] != c"#":
            if at[0] == c"?" and query == NULL:
                query = at
            at += 1
        target_size = at - target
        stop = at if query == NULL else query
        if _has_dots(target, stop):
            return None
        if memchr(target, c"%", stop - target) != NULL:
            path = _decode_path(target, stop)
            if path is None:
                return None
        if target_size > self._max_target_bytes or end - at < 11 or memcmp(at, b" HTTP/1.1\r\n", 11) != 0:
            return None
        at += 11

        message = begin_message()
        while at < end:
            if n_fields >= self._max_fields:
                return None
            n_fields += 1
            # The name. It ends before `end`, since a CR is in no name.
            line = &lines[n_lines]
            line.name_at = at - begin
            hash = HASH_BEGIN
            name_size = 0
            while at[0] != c":":
                octet = at[0]
                if octet <= SPACE or name_size == MAX_NAME_BYTES:
                    return None
                if c"A" <= octet <= c"Z":
                    octet |= 0x20
                lower[name_size] = octet
                hash = hash_octet(hash, octet)
                name_size += 1
                at += 1
            if not name_size:
                return None
            name = find_name(lower, name_size, hash)
            if name == NULL or name.seen == message or name.marks & SPECIAL:
                return None
            if name.marks & HOP and not _is_connection(name):
                return None
            name.seen = message
            # The value, without the whitespace around it.
            at += 1
            while at[0] == SPACE or at[0] == TAB:
                at += 1
            stop = <octets>memchr(at, CR, end - at) if at < end else NULL
            if stop == NULL or stop[1] != LF:
                return None
            line.name_size = name_size
            line.value_at = at - begin
            line.marks = name.marks
            at = stop + 2
            while stop > begin + line.value_at and ((stop - 1)[0] == SPACE or (stop - 1)[0] == TAB):
                stop -= 1
            line.value_size = (stop - begin) - line.value_at
            if not is_text(begin + line.value_at, line.value_size):
                return None
            # Those that mean something here.
            if name_size == 4 and memcmp(lower, b"host", 4) == 0:
                if not _is_plain_host(begin + line.value_at, line.value_size):
                    return None
                host = PyBytes_FromStringAndSize(<const char*>begin + line.value_at, line.value_size)
                continue
            if name.marks & HOP:
                if is_like(begin + line.value_at, line.value_size, b"close", 5):
                    keeps_alive = False
                elif not is_like(begin + line.value_at, line.value_size, b"keep-alive", 10):
                    return None
                continue
            if name_size == 14 and memcmp(lower, b"content-length", 14) == 0:
                length = read_number(begin + line.value_at, line.value_size)
                if length < 0 or length > self._max_body_bytes:
                    return None
                if begin[line.value_at] == c"0" and line.value_size > 1:
                    return None
            marks |= name.marks
            n_lines += 1
        if host is None or at != end:
            return None

        head = RequestHead.__new__(RequestHead)
        head.lines = <Line*>PyMem_Malloc(n_lines * sizeof(Line))
        if head.lines == NULL:
            raise MemoryError
        memcpy(head.lines, lines, n_lines * sizeof(Line))
        head.n_lines = n_lines
        head.marks = marks
        head.octets = block
        head.method = METHOD_NAMES[method]
        head.target = PyBytes_FromStringAndSize(<const char*>target, target_size)
        if path is not None:
            head.path = path
        elif query == NULL:
            head.path = head.target
        else:
            head.path = PyBytes_FromStringAndSize(<const char*>target, query - target)
        head.host = host
        head.minor_version = 1
        head.size_bytes = size
        head.keep_alive = keeps_alive
        if length >= 0:
            head.content_length = length
            head.has_body = length > 0
        head.upgrade = b""
        return head


cdef bint _has_dots(octets at, octets end) noexcept:
    """Whether a segment begins with a dot: mostly `.well-known`, and else what is refused."""
    cdef octets dot
    at += 1  # a slash
    while at < end:
        dot = <octets>memchr(at, c".", end - at)
        if dot == NULL:
            return False
        if (dot - 1)[0] == c"/" or (dot - 1)[0] == 0x5C:
            return True
        at = dot + 1
    return False


cdef int _hex(unsigned char octet) noexcept:
    """The digit's value, or -1."""
    if c"0" <= octet <= c"9":
        return octet - c"0"
    octet |= 0x20
    return octet - c"a" + 10 if c"a" <= octet <= c"f" else -1


cdef bytes _decode_path(octets at, octets end):
    """wire/http/paths.py, normal_path: of what encodes no slash, no dot and no NUL."""
    cdef bytes path = PyBytes_FromStringAndSize(NULL, end - at)
    cdef char* begin = PyBytes_AS_STRING(path)
    cdef char* to = begin
    cdef int high, low, octet
    while at < end:
        octet = at[0]
        at += 1
        if octet == c"%":
            if end - at < 2:
                return None
            high = _hex(at[0])
            low = _hex(at[1])
            if high < 0 or low < 0:
                return None
            octet = high << 4 | low
            if octet == 0 or octet == c"." or octet == c"/" or octet == 0x5C:
                return None
            at += 2
        to[0] = <char>octet
        to += 1
    return path[: to - begin]


cdef inline bint _is_connection(Name* name) noexcept:
    return name.size == 10 and memcmp(name.at, b"connection", 10) == 0


cdef bint _is_plain_host(octets at, Py_ssize_t size) noexcept:
    """wire/http/hosts.py, is_valid_host: of a name or an IPv4 address, with a port or none."""
    cdef Py_ssize_t n = 0
    cdef long port = 0
    if size > MAX_HOST_BYTES:
        return False
    while n < size and (
        c"a" <= at[n] <= c"z" or c"0" <= at[n] <= c"9" or c"A" <= at[n] <= c"Z" or at[n] in b".-_~"
    ):
        if at[n] == c"." and (not n or at[n - 1] == c"."):
            return False
        n += 1
    if not n or n == size:
        return n > 0
    if at[n] != c":" or size - n > 6:
        return False
    for n in range(n + 1, size):
        if at[n] < c"0" or at[n] > c"9":
            return False
        port = port * 10 + (at[n] - c"0")
    return port <= MAX_PORT


# Replies

cdef struct Pair:
    Name* name
    uint32_t value_at
    uint32_t value_size
    uint32_t n_values


cdef class ReplyHead:
    """wire/http/reply.py, ReplyHead: the same, but that `fields` is made when somebody asks for it."""

    def __init__(self, int status, reason, fields, length, bint has_date):
        self.status = status
        self.reason = reason
        self._fields = fields
        self.length = length
        self.is_bodiless = _is_bodiless(status)
        self.body_length = None if self.is_bodiless else length
        self.has_date = has_date
        self.note = None

    def __repr__(self):
        return f"<ReplyHead {self.status} length={self.length}>"

    @staticmethod
    def of(int status, list fields):
        """A reply of the router's own, whose fields are good."""
        named = dict(fields)
        length = named.get(b"content-length")
        return ReplyHead(
            status, REASONS.get(status, b""), fields, None if length is None else int(length), b"date" in named
        )

    @property
    def fields(self):
        if self._fields is None:
            self._fields = self._make_fields()
        return self._fields

    cdef list _make_fields(self):
        """Of a block that is in good order."""
        cdef octets at = <octets>PyBytes_AS_STRING(self.block)
        cdef octets end = at + PyBytes_GET_SIZE(self.block)
        cdef list fields = []
        cdef uint32_t size
        at += 4
        while at < end:
            size = read_word(at)
            name = PyBytes_FromStringAndSize(<const char*>at + 4, size)
            at += 4 + size
            size = read_word(at)
            value = PyBytes_FromStringAndSize(<const char*>at + 4, size)
            at += 4 + size
            for part in value.split(b"\0"):
                fields.append((name, part))
        return fields[2:]


cdef inline bint _is_bodiless(int status) noexcept:
    return status == 304 or status == 204 or status == 101


def set_block_decoder(decode_block):
    """wire/spdy/headers.py, decode_block: for what is declined. What is compiled imports nothing."""
    global _decode_block
    _decode_block = decode_block


def read_reply_block(bytes block not None):
    """router/reply_block.py, read_reply_block."""
    head = _read_reply(block)
    return _decode_block(block) if head is None else head


def read_reply(bytes block not None):
    """`read_reply_block`, or None."""
    return _read_reply(block)


cdef ReplyHead _read_reply(bytes block):
    """wire/http/reply.py, reply_head, of wire/spdy/headers.py, decode_block; wire/http1/writer.py, head_text.

    The ReplyHead of a block, with its text in the note: status line and fields, without the last CR LF.
    """
    cdef octets begin = <octets>PyBytes_AS_STRING(block)
    cdef octets at = begin
    cdef Py_ssize_t left = PyBytes_GET_SIZE(block) - 4, count, size, text_size
    cdef Pair[MAX_LINES] pairs
    cdef Pair* pair
    cdef unsigned long long message = begin_message()
    cdef long long length = -1
    cdef int status = 0, n, n_nuls
    cdef bint has_date = False
    cdef octets name, value, digits = NULL
    cdef char* to
    cdef bytes reason = b"", text
    cdef ReplyHead head

    if left < 0:
        return None
    count = read_word(at)
    at += 4
    if count < 2 or count > MAX_LINES:
        return None
    text_size = 0
    for n in range(count):
        pair = &pairs[n]
        name = read_string(&at, &left, &size)
        pair.name = find_lower(name, size) if name != NULL else NULL
        if pair.name == NULL or pair.name.seen == message or pair.name.marks & HOP:
            return None
        pair.name.seen = message
        value = read_string(&at, &left, &size)
        if value == NULL:
            return None
        if n == 0:
            # A status and maybe its reason.
            if not _is_name(pair.name, b":status", 7) or size < 3:
                return None
            status = read_number(value, STATUS_DIGITS)
            if status < 200 or status > 599 or not is_text(value, size):
                return None
            digits = value
            if size > 3:
                if value[3] != SPACE:
                    return None
                reason = PyBytes_FromStringAndSize(<const char*>value + 4, size - 4)
            continue
        n_nuls = _count_nuls(value, size)
        if n_nuls < 0:
            return None
        if n == 1:
            if n_nuls or not _is_name(pair.name, b":version", 8):
                return None
            continue
        if pair.name.at[0] == c":":
            return None
        pair.value_at = value - begin
        pair.value_size = size
        pair.n_values = n_nuls + 1
        text_size += (n_nuls + 1) * (4 + pair.name.size) + size - n_nuls
        if _is_name(pair.name, b"content-length", 14):
            length = read_number(value, size)
            if length < 0 or status == 204:
                return None
        elif _is_name(pair.name, b"date", 4):
            has_date = True
    if left:
        return None

    reason = reason or REASONS.get(status, b"")
    size = PyBytes_GET_SIZE(reason)
    text = PyBytes_FromStringAndSize(NULL, BEFORE_STATUS_BYTES + STATUS_DIGITS + 1 + size + text_size)
    to = PyBytes_AS_STRING(text)
    memcpy(to, b"HTTP/1.1 ", BEFORE_STATUS_BYTES)
    to += BEFORE_STATUS_BYTES
    memcpy(to, digits, STATUS_DIGITS)
    to[STATUS_DIGITS] = SPACE
    to += STATUS_DIGITS + 1
    memcpy(to, PyBytes_AS_STRING(reason), size)
    to += size
    for n in range(2, count):
        to = _write_lines(to, &pairs[n], begin)

    head = ReplyHead.__new__(ReplyHead)
    head.status = status
    head.reason = reason
    head.block = block
    head.is_bodiless = _is_bodiless(status)
    if length >= 0:
        head.length = length
        if not head.is_bodiless:
            head.body_length = head.length
    head.has_date = has_date
    head.note = text
    return head


cdef inline bint _is_name(Name* name, const char* text, uint32_t size) noexcept:
    return name.size == size and memcmp(name.at, text, size) == 0


cdef int _count_nuls(octets at, Py_ssize_t size) noexcept:
    """How many NULs stand between the values; -1 if one of several values is empty, or any is no text."""
    cdef octets end = at + size
    cdef octets nul
    cdef int n = 0
    while True:
        nul = <octets>memchr(at, 0, end - at) if at < end else NULL
        if nul == NULL:
            break
        if nul == at or not is_text(at, nul - at):
            return -1
        at = nul + 1
        n += 1
    if (n and at == end) or not is_text(at, end - at):
        return -1
    return n


cdef char* _write_lines(char* to, Pair* pair, octets block) noexcept:
    """The lines of one name, each behind a CR LF. Returns where they end."""
    cdef octets at = block + pair.value_at
    cdef octets end = at + pair.value_size
    cdef octets stop
    cdef uint32_t n
    for n in range(pair.n_values):
        stop = <octets>memchr(at, 0, end - at) if n + 1 < pair.n_values else end
        memcpy(to, b"\r\n", 2)
        memcpy(to + 2, pair.name.at, pair.name.size)
        to += 2 + pair.name.size
        memcpy(to, b": ", 2)
        memcpy(to + 2, at, stop - at)
        to += 2 + (stop - at)
        at = stop + 1
    return to

"""Heads: request line, fields, hosts, and what Connection does to them."""

import itertools

import pytest
from httptools import HttpParserCallbackError
from tests.http1_events import GET, head_of, octets, read, refusal, with_fields
from tests.support.each import each

from zerogate.native import compiled
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http1 import HttpLimits, heads
from zerogate.wire.http1.heads import HeadParser, native_reader

# --- heads


def test_names_that_are_remembered_stay_bounded() -> None:
    """A full table starts anew, so that nobody can fill it for good; and long ones are not kept."""
    parser = HeadParser(HttpLimits())
    for number in range(2 * heads._MAX_NAMES):
        assert parser.parse_head(with_fields(b"X-%d: 1\r\n" % number)).fields == [(b"x-%d" % number, b"1")]
        assert len(heads._plain_names) <= heads._MAX_NAMES
    long = b"n" * (heads._MAX_NAME_BYTES + 1)
    assert parser.parse_head(with_fields(long + b": 1\r\n")).fields == [(long, b"1")]
    assert long not in heads._plain_names


def test_where_nothing_is_compiled_nothing_is_read_natively(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "IS_ON", False)
    assert native_reader.__wrapped__(HttpLimits())(GET) is None


def test_a_small_request() -> None:
    raw = b"GET /a/b?c=d HTTP/1.1\r\nHost: Example.org:80\r\nACCEPT:\t */* \t\r\nX-Empty:\r\nx-b: \xe9\r\n\r\n"
    head = head_of(raw)
    assert (head.method, head.target, head.path) == (b"GET", b"/a/b?c=d", b"/a/b")
    assert (head.host, head.minor_version) == (b"Example.org:80", 1)
    assert head.fields == [(b"accept", b"*/*"), (b"x-empty", b""), (b"x-b", b"\xe9")]
    assert (head.content_length, head.is_chunked, head.has_body) == (None, False, False)
    assert (head.keep_alive, head.expects_continue, head.upgrade) == (True, False, b"")
    assert head.size_bytes == len(raw)
    assert "GET" in repr(head)


@each(
    "target",
    [
        b"//a//b",
        b"/.well-known/x",
        b"/?/../%",
        b"/\\",
        b"/?a?b#"[:-1],
        b'/|"<>^`{}',
        b"/@:80",
        b"/?",
    ],
)
def test_the_target_is_left_as_it_is(target: bytes) -> None:
    head = head_of(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (head.target, head.path) == (target, target.partition(b"?")[0])


@each("form", [b"%b", b"%b?/x", b"http://b%b"])
@each(
    ("target", "path"),
    [(b"/%61%C3%BC", b"/a\xc3\xbc"), (b"/a%2Fb", b"/a/b"), (b"/%2561", b"/%61"), (b"/%5ca%2eb", b"/\\a.b")],
)
def test_the_path_is_what_applications_make_of_it(form: bytes, target: bytes, path: bytes) -> None:
    head = head_of(b"GET " + form % target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (head.target.partition(b"?")[0], head.path) == (target, path)


@each("form", [b"%b", b"%b?x", b"http://b%b"])
@each(
    "target",
    [b"/a/../b", b"/./c", b"/%2e%2e/", b"/a%2F..", b"/.;/", b"/%5c..", b"/\\..", b"/%00", b"/%", b"/%2", b"/%xy"],
)
def test_a_path_that_is_not_the_same_to_everybody(form: bytes, target: bytes) -> None:
    assert refusal(b"GET " + form % target + b" HTTP/1.1\r\nHost: a\r\n\r\n") == (400, "bad_request")


@each(
    ("line", "target", "host"),
    [
        (b"GET http://b:80/x?y", b"/x?y", b"b:80"),
        (b"GET HTTPS://[::1]/", b"/", b"[::1]"),
        (b"GET http://b", b"/", b"b"),
        (b"GET http://b?x", b"/?x", b"b"),
        (b"GET http://b//x", b"//x", b"b"),
        (b"OPTIONS http://b", b"*", b"b"),
        (b"OPTIONS http://b/", b"/", b"b"),
        (b"OPTIONS *", b"*", b"a"),
    ],
)
def test_absolute_and_asterisk_form(line: bytes, target: bytes, host: bytes) -> None:
    head = head_of(line + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (head.target, head.host) == (target, host)


@each(
    "target",
    [
        *(b"*", b"a", b"a:80", b"\\a", b"?x", b"#", b"/#", b"/a#b", b"/\xc3\xa9", b"/\x7f", b"/\t"),
        *(b"http:///x", b"http://", b"http://u@a/", b"http://u:p@a/", b"http://a b/", b"http://a:x/", b"http:/a"),
        *(b"http://a#b", b"http://a\\b/", b"ftp://a/", b"ws://a/", b"http:a", b"//a#"),
    ],
)
def test_malformed_targets(target: bytes) -> None:
    assert refusal(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n") == (400, "bad_request")
    assert refusal(b"FROB " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n") == (400, "bad_request")


@each("method", [b"GET", b"M-SEARCH", b"FROBNICATE", b"A", b"SOURCE", b"DESCRIBE", b"PRI", b"X_1"])
def test_every_upper_case_method_is_left_to_the_application(method: bytes) -> None:
    assert head_of(with_fields(b"", method)).method == method


@each(
    ("method", "status"),
    [
        (b"CONNECT", 501),
        (b"TRACE", 405),
        (b"get", 501),
        (b"Get", 501),
        (b"G'T", 501),
        (b"1GET", 501),
        (b"G(T", 400),
        (b"", 400),
        (b"G\xc3T", 400),
        (b"G\x00T", 400),
        (b"TRA\x07CE", 400),
    ],
)
def test_refused_methods(method: bytes, status: int) -> None:
    assert refusal(with_fields(b"", method)) == (status, "bad_request")


@each("line", [b"GET  / HTTP/1.1", b" GET / HTTP/1.1", b"GET / HTTP/1.1 ", b"GET /", b"GET / a HTTP/1.1"])
def test_malformed_request_lines(line: bytes) -> None:
    assert refusal(line + b"\r\n" + b"Host: a\r\n\r\n") == (400, "bad_request")


@each(
    ("version", "status"),
    [
        *((b"HTTP/0.9", 505), (b"HTTP/1.2", 505), (b"HTTP/2.0", 505), (b"HTTP/1.10", 400), (b"HTTP/1", 400)),
        *((b"http/1.1", 400), (b"HTTP/1.1x", 400), (b"HTTP/1,1", 400), (b"RTSP/1.0", 400), (b"", 400)),
    ],
)
def test_versions(version: bytes, status: int) -> None:
    assert refusal(with_fields(b"", version=version)) == (status, "bad_request")


@each(
    "fields",
    [
        *(
            b"X : y\r\n",
            b"X\t: y\r\n",
            b": y\r\n",
            b"X\r\n",
            b"X y: z\r\n",
            b"X(: y\r\n",
            b"X\xe9: y\r\n",
            b'"X": y\r\n',
        ),
        *(
            b"X: y\r\n z\r\n",
            b"X: y\r\n\tz\r\n",
            b"X:\r\n y\r\n",
            b"X: y\n",
            b"X: y\nZ: z\r\n",
            b"X: y\r",
            b"X: y\rZ: z\r\n",
        ),
        *(
            b"X: \x00\r\n",
            b"X: \x01y\r\n",
            b"X: y\x7f\r\n",
            b"X\x00: y\r\n",
            b"X: y\r\r\n",
            b"\n",
            b"\r",
            b"X: y\r\n\rZ",
        ),
    ],
)
def test_malformed_fields(fields: bytes) -> None:
    assert refusal(with_fields(fields)) == (400, "bad_request")


def test_whitespace_before_the_first_field() -> None:
    assert refusal(b"GET / HTTP/1.1\r\n X: y\r\n" + b"Host: a\r\n\r\n") == (400, "bad_request")


TEMPLATE = b"POST /a?b HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nX-Y: z z\r\nContent-Length: 10\r\n\r\n"


@pytest.mark.slow
@each("high", range(0, 256, 16))
def test_no_octet_gets_by_anywhere_in_a_head(high: int) -> None:
    """Written over each place of a head, and squeezed in: either refused, or a head that says just what was sent."""
    for octet, index in itertools.product(range(high, high + 16), range(len(TEMPLATE))):
        for width in (0, 1):
            raw = TEMPLATE[:index] + bytes([octet]) + TEMPLATE[index + width :]
            reading = read([raw])
            # The cut that shows most: behind the octet, which is then judged without what follows.
            assert read([raw[: index + 1], raw[index + 1 :]]).outcome == reading.outcome
            if not reading.heads:
                continue
            head = reading.heads[0]
            sent = raw[: head.size_bytes].split(b"\r\n")
            assert all(0x20 <= value != 0x7F or value == 0x09 for line in sent for value in line)
            assert sent[0] == b"%b %b HTTP/1.%d" % (head.method, head.target, head.minor_version)
            named = dict(head.fields)
            for line in sent[1:-2]:
                name, _, value = line.partition(b":")
                name, value = name.lower(), value.strip(b" \t")
                if name == b"host":
                    assert head.host == value
                elif name == b"content-length":
                    assert int(value) == int(named[name]) == head.content_length
                elif name != b"connection":
                    assert named[name] == value


@each(
    "hosts",
    [
        *(b"", b"Host:\r\n", b"Host: a b\r\n", b"Host: a\r\nHost: a\r\n", b"Host: a\r\nhost: b\r\n", b"Host: a,b\r\n"),
        *(b"Host: a/b\r\n", b"Host: u@a\r\n", b"Host: a:65536\r\n", b"Host: [::1\r\n", b"Host: a\r\nX: y\r\nHost:\r\n"),
    ],
)
def test_one_valid_host(hosts: bytes) -> None:
    assert refusal(b"GET / HTTP/1.1\r\n" + hosts + b"\r\n") == (400, "bad_request")
    assert refusal(b"GET http://a/ HTTP/1.1\r\n" + hosts + b"\r\n") == (400, "bad_request")


def test_http_10_needs_no_host() -> None:
    assert head_of(b"GET / HTTP/1.0\r\n\r\n").host == b""
    assert head_of(b"GET http://b/ HTTP/1.0\r\n\r\n").host == b"b"


# --- Connection and the fields between neighbours


def test_hop_by_hop_fields_stay_here() -> None:
    head = head_of(
        with_fields(
            b"Connection: close, X-Secret\r\nKeep-Alive: 5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n"
            b"X-Secret: 1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"
            b"Proxy-Authorization: x\r\nx-secret: 2\r\nX-Left: 3\r\n"
        )
    )
    assert head.fields == [(b"x-left", b"3")]


def test_framing_and_host_cannot_be_named_away() -> None:
    head = head_of(
        with_fields(b"Connection: Host, Content-Length, Cookie\r\nContent-Length: 0\r\nCookie: a=b\r\n", b"POST")
    )
    assert (head.host, head.content_length, head.fields) == (b"a", 0, [(b"content-length", b"0")])
    reading = read(
        [with_fields(b"Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n") + b"0\r\n\r\n" + GET]
    )
    assert [head.is_chunked for head in reading.complete] == [True, False]


def test_fields_about_the_client_are_left_to_the_router() -> None:
    fields = [
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"forwarded", b"for=a"),
        (b"x-real-ip", b"::1"),
        (b"x-request-id", b"q"),
    ]
    assert head_of(with_fields(b"".join(b"%b: %b\r\n" % field for field in fields))).fields == fields


def test_repeated_fields_stay_apart_and_in_order() -> None:
    head = head_of(with_fields(b"Cookie: a=1\r\nX: y\r\nCOOKIE: b=2\r\n"))
    assert head.fields == [(b"cookie", b"a=1"), (b"x", b"y"), (b"cookie", b"b=2")]


@each("value", [b"a b", b"close;q=1", b"clos\xe9", b'"close"'])
def test_malformed_connection_field(value: bytes) -> None:
    assert refusal(with_fields(b"Connection: " + value + b"\r\n")) == (400, "bad_request")


@each(
    ("version", "fields", "keep_alive"),
    [
        (b"HTTP/1.1", b"", True),
        (b"HTTP/1.1", b"Connection: keep-alive\r\n", True),
        (b"HTTP/1.1", b"Connection:\r\n", True),
        (b"HTTP/1.1", b"Connection: Close\r\n", False),
        (b"HTTP/1.1", b"Connection: x\r\nConnection: , close\r\n", False),
        (b"HTTP/1.1", b"Connection: keep-alive, close\r\n", False),
        (b"HTTP/1.1", b"Connection: closed\r\n", True),
        (b"HTTP/1.1", b"Proxy-Connection: close\r\n", True),
        (b"HTTP/1.0", b"", False),
        (b"HTTP/1.0", b"Connection: Keep-Alive\r\n", True),
        (b"HTTP/1.0", b"Connection: x,KEEP-ALIVE\r\n", True),
        (b"HTTP/1.0", b"Connection: close, keep-alive\r\n", False),
        (b"HTTP/1.0", b"Proxy-Connection: keep-alive\r\n", False),
    ],
)
@each("body", [b"", b"abc"])
def test_nothing_is_read_after_the_last_request(version: bytes, fields: bytes, keep_alive: bool, body: bytes) -> None:
    raw = with_fields(b"Content-Length: %d\r\n" % len(body) + fields, b"POST", version) + body
    for parts in ([raw + GET], [raw, GET], octets(raw + GET)):
        reading = read(parts)
        assert reading.error is None
        assert reading.heads[0].keep_alive is keep_alive
        assert len(reading.complete) == (2 if keep_alive else 1)
        assert reading.is_idle is keep_alive


# --- what llhttp is not trusted with


def test_length_and_coding_are_refused_also_by_us() -> None:
    """llhttp refuses them before we see them. Should it ever not, two lengths would be a way to smuggle a request."""
    parser = HeadParser(HttpLimits())

    def lenient(data: object) -> None:
        for name, value in ((b"Host", b"a"), (b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")):
            parser._sink.on_header(name, value)

    parser._feed = lenient
    with pytest.raises(HttpError, match="both Content-Length and Transfer-Encoding"):
        parser.parse_head(GET)


def test_a_fault_of_ours_is_not_the_clients(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_sink: object, _name: bytes, _value: bytes) -> None:
        raise KeyError

    monkeypatch.setattr("zerogate.wire.http1.heads._FieldSink.on_header", broken)
    with pytest.raises(HttpParserCallbackError):
        HeadParser(HttpLimits()).parse_head(GET)

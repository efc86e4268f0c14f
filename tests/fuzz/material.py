"""What the fuzzer's inputs are made of: fields and lines, as they are met and as they are not."""

from random import Random

from zerogate.wire.spdy.headers import encode_pair

TEXTS = (
    b"",
    b"0",
    b"1",
    b"007",
    b"12",
    b"999999999999999999",
    b"9223372036854775807",
    b"9999999999999999999",
    b"\t a \t",
    b"a\0b",
    b"\0",
    b"a,b",
    b"close",
    b"Keep-Alive",
    b"keep-alive, Upgrade",
    b"100-continue",
    b"chunked",
    b"websocket",
    b"http",
    b"https",
    b"127.0.0.1",
    b"203.0.113.9, 127.0.0.1",
    b"example.org",
    b"example.org:8080",
    b"example.org:",
    b"example.org:00000",
    b"a:65536",
    b"[::1]:80",
    b"caf\xc3\xa9 \xff",
    b"Mon, 02 Jun 2025 10:00:00 GMT",
    b"x" * 300,
)
NAMES = (
    *(b"host", b"connection", b"content-length", b"transfer-encoding", b"expect", b"upgrade", b"te", b"keep-alive"),
    *(b"proxy-connection", b"proxy-authorization", b"proxy", b"http2-settings", b"trailer", b"date", b"set-cookie"),
    *(b"cookie", b"accept", b"user-agent", b"referer", b"etag", b"vary", b"x", b"a_b", b"x_real_ip", b"content_length"),
    *(
        b"x-forwarded-for",
        b"x-forwarded-proto",
        b"x-forwarded-host",
        b"x-forwarded-prefix",
        b"x-forwarded-",
        b"x-real-ip",
        b"x-client-cert-subject",
    ),
    *(b"x-real-port", b"x-request-id", b"forwarded", b"!#$%&'*+-.^_`|~0", b"n" * 64, b"n" * 65, b"x-" + b"y" * 62),
)
PLAIN_NAMES = (b"accept", b"cookie", b"user-agent", b"referer", b"etag", b"vary", b"x", b"date", b"x-forwarded-for")
PLAIN_TEXTS = tuple(text for text in TEXTS if b"\0" not in text)
METHODS = (b"GET", b"POST", b"HEAD", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"get", b"TRACE", b"CONNECT", b"BREW")
TARGETS = (
    *(
        b"/",
        b"/a/b?c=d",
        b"/caf%C3%A9/%zz%4",
        b"/a?b?c#d",
        b"//x",
        b"*",
        b"http://example.org/a",
        b'/"<>\\^`{|}',
        b"/\xff",
    ),
    *(b"/" + b"a" * 300, b"/?", b"/%00%ff%c3", b"/%"),
)
STATUSES = (b"200", b"200 OK", b"204", b"304", b"404 ", b"100", b"101", b"199", b"599", b"600", b"20", b"2000", b"+20")


def one(random: Random, things: tuple[bytes, ...]) -> bytes:
    """One of them."""
    return things[int(random.random() * len(things))]


def spelt(random: Random, name: bytes) -> bytes:
    """A name as clients and applications write it."""
    choice = random.random()
    return name.title() if choice < 0.5 else name if choice < 0.9 else name.upper()


def pairs(random: Random, most: int, *, is_usual: bool | None = None) -> list[tuple[bytes, bytes]]:
    """Fields, mostly of different names; every other time only such as cross, and no NUL."""
    if is_usual is None:
        is_usual = random.random() < 0.5
    names, texts = (PLAIN_NAMES, PLAIN_TEXTS) if is_usual else (NAMES, TEXTS)
    found = [(one(random, names), one(random, texts)) for _ in range(int(random.random() * (most + 1)))]
    return list(dict(found).items()) if random.random() < 0.8 else found


def head(random: Random) -> bytes:
    """A request's head, good or not."""
    usual = random.random() < 0.7
    method = METHODS[int(random.random() * 7)] if usual else one(random, METHODS)
    target = b"/a/%d?b" % int(random.random() * 99) if usual else one(random, TARGETS)
    lines = [b"%b %b HTTP/1.%d" % (method, target, usual or random.random() < 0.8)]
    lines += [
        b"%b: %b" % (spelt(random, name), value) for name, value in pairs(random, 8, is_usual=usual) if name != b"host"
    ]
    lines.insert(1 + int(random.random() * len(lines)), b"Host: " + (b"a.b:80" if usual else one(random, TEXTS)))
    if random.random() < 0.3:
        lines.append(b"Connection: keep-alive" if usual else b"Connection:" + one(random, TEXTS))
    return b"\r\n".join(lines) + b"\r\n\r\n"


def block(found: list[tuple[bytes, bytes]], count: int | None = None) -> bytes:
    """A name/value block."""
    octets = b"".join([encode_pair(name, value) for name, value in found])
    return (len(found) if count is None else count).to_bytes(4, "big") + octets


def request_block(random: Random) -> bytes:
    """A request's block, good or not."""
    found = [
        (b":method", one(random, METHODS)),
        (b":path", one(random, TARGETS)),
        (b":version", b"HTTP/1.%d" % (random.random() < 0.8)),
        (b":host", one(random, TEXTS) if random.random() < 0.3 else b"example.org"),
        (b":scheme", b"http"),
        *((name, value.replace(b"\0", b"") if random.random() < 0.9 else value) for name, value in pairs(random, 8)),
    ]
    if random.random() < 0.1:
        del found[int(random.random() * len(found))]
    return block(found)


def reply_block(random: Random) -> bytes:
    """A reply's block, good or not."""
    found = [(b":status", one(random, STATUSES)), (b":version", b"HTTP/1.1")]
    if random.random() < 0.05:
        found.reverse()
    return block(found + [pair for pair in pairs(random, 6) if pair[0] != b"host"])


def headers(random: Random) -> list[tuple[bytes, bytes]]:
    """What an application sends."""
    found = [(spelt(random, name), value) for name, value in pairs(random, 8)]
    return found + [(b"set-cookie", one(random, TEXTS)) for _ in range(int(random.random() * 3))]


def server_head(random: Random) -> bytes:
    """The head of a server's reply, good or not."""
    usual = random.random() < 0.7
    status = b"200 OK" if usual else one(random, STATUSES)
    lines = [b"HTTP/1.%d %b" % (usual or random.random() < 0.8, status)]
    lines += [b"%b: %b" % (spelt(random, name), value) for name, value in pairs(random, 8, is_usual=usual)]
    if random.random() < 0.5:
        lines.append(one(random, (b"Connection: keep-alive", b"connection: close", b"Keep-Alive: timeout=5")))
    if random.random() < 0.5:
        lines.append(one(random, (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"Trailer: x-sum")))
    return b"\r\n".join(lines) + b"\r\n\r\n"

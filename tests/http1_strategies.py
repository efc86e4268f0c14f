"""What clients may send over HTTP/1, as Hypothesis draws it."""

from typing import NamedTuple

from hypothesis import strategies as st

from zerogate.wire.http.fields import HOP_BY_HOP, is_forbidden_trailer
from zerogate.wire.http.paths import PathError, normal_path

TOKEN_CHARACTERS = b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
VALUE_CHARACTERS = bytes(octet for octet in range(256) if octet == 0x09 or (octet >= 0x20 and octet != 0x7F))
# A "%" must be followed by two digits in a path: what is written so has tests of its own (test_http_paths.py).
TARGET_CHARACTERS = bytes(octet for octet in range(0x21, 0x7F) if octet not in b"#%")
# Those have a meaning, and tests of their own.
MEANINGFUL = HOP_BY_HOP | {b"host", b"content-length", b"expect"}


def text(alphabet: bytes, min_size: int = 0, max_size: int = 20) -> st.SearchStrategy[bytes]:
    return st.lists(st.sampled_from(list(alphabet)), min_size=min_size, max_size=max_size).map(bytes)


names = text(TOKEN_CHARACTERS, min_size=1)
values = text(VALUE_CHARACTERS).map(lambda value: value.strip(b" \t"))
plain_fields = st.lists(st.tuples(names.filter(lambda name: name.lower() not in MEANINGFUL), values), max_size=8)
bodies = st.binary(max_size=60)
whitespace = st.sampled_from([b"", b" ", b"\t", b" \t "])


@st.composite
def cuts(draw: st.DrawFn, data: bytes) -> list[bytes]:
    places = sorted(draw(st.lists(st.integers(0, len(data)), max_size=10)))
    return [data[start:end] for start, end in zip([0, *places], [*places, len(data)], strict=True)]


@st.composite
def chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """`body` in chunks of any sizes, their sizes written in any way."""
    written = b""
    for piece in draw(cuts(body)):
        if piece:
            digits = draw(st.sampled_from([b"%x", b"%X", b"000%x"])) % len(piece)
            written += digits + draw(st.sampled_from([b"", b";a", b' ; a = "b;c"'])) + b"\r\n" + piece + b"\r\n"
    return written


class Sent(NamedTuple):
    raw: bytes
    method: bytes
    target: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes
    trailers: list[tuple[bytes, bytes]]
    has_body: bool


def _is_good(path: bytes) -> bool:
    try:
        normal_path(path)
    except PathError:
        return False
    return True


# Of those that are the same to everybody: others are refused, which is tested where paths are.
targets = text(TARGET_CHARACTERS).map(lambda end: b"/" + end).filter(lambda target: _is_good(target.partition(b"?")[0]))


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    method = draw(st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PURGE", b"QUERY", b"FROB_1"]))
    target = draw(targets)
    sent = draw(plain_fields)
    lines = [b"%b:%b%b%b\r\n" % (name, draw(whitespace), value, draw(whitespace)) for name, value in sent]
    expected = [(name.lower(), value) for name, value in sent]
    place = draw(st.integers(0, len(lines)))
    body, trailers, tail, has_body = b"", [], b"", False
    kind = draw(st.sampled_from(["none", "length", "chunked"]))
    if kind == "length":
        body = tail = draw(bodies)
        lines.insert(place, b"Content-Length: %d\r\n" % len(body))
        expected.insert(place, (b"content-length", b"%d" % len(body)))
        has_body = bool(body)
    elif kind == "chunked":
        body, trailers, has_body = draw(bodies), draw(plain_fields), True
        lines.insert(place, b"Transfer-Encoding: Chunked\r\n")
        section = b"".join(b"%b: %b\r\n" % field for field in trailers)
        tail = draw(chunked(body)) + b"0\r\n" + section + b"\r\n"
    lines.insert(draw(st.integers(0, len(lines))), b"hOST: a\r\n")
    lines.insert(draw(st.integers(0, len(lines))), draw(st.sampled_from([b"", b"", b"Connection: keep-alive\r\n"])))
    start = draw(st.sampled_from([b"", b"", b"\r\n"])) + b"%b %b HTTP/1.1\r\n" % (method, target)
    wanted = [(name.lower(), value) for name, value in trailers if not is_forbidden_trailer(name.lower())]
    return Sent(start + b"".join(lines) + b"\r\n" + tail, method, target, expected, body, wanted, has_body)

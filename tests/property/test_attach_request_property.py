"""Requests as attached servers get them: read again they are what came over the link, and never more than one."""

from hypothesis import given
from hypothesis import strategies as st
from tests.http1_events import read
from tests.http1_strategies import MEANINGFUL, bodies, cuts, names, targets, values

from zerogate.wire.spdy.headers import merge_fields
from zerogate.worker.attach.request_head import RequestBody, request_head
from zerogate.worker.errors import ApplicationError

METHODS = st.sampled_from([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"PURGE"])
FIELDS = st.lists(st.tuples(names.map(bytes.lower).filter(lambda name: name not in MEANINGFUL), values), max_size=8)


@given(METHODS, targets, FIELDS, st.none() | bodies, st.booleans(), st.data())
def test_what_was_asked_is_what_is_read(
    method: bytes,
    target: bytes,
    pairs: list[tuple[bytes, bytes]],
    body: bytes | None,
    has_length: bool,
    data: st.DataObject,
) -> None:
    fields = {b":method": method, b":path": target, b":host": b"a", **merge_fields(pairs)}
    if body is not None and has_length:
        fields[b"content-length"] = b"%d" % len(body)
    octets = request_head(fields, b"b", has_body=body is not None, keeps=True)
    if body is not None:
        pieces, framing = data.draw(cuts(body)), RequestBody(fields)
        octets += b"".join(framing.encode(piece, is_last=n == len(pieces)) for n, piece in enumerate(pieces, 1))
    found = read([octets])
    assert found.error is None
    (head,) = found.heads
    assert (head.method, head.target, head.host, found.body) == (method, target, b"a", body or b"")
    assert found.complete == [head]
    # Of one name the values stay in order; empty ones among several are lost on the link (SPDY/3.1, 2.6.10).
    for name in {name for name, _ in pairs}:
        sent = [value for known, value in pairs if known == name]
        seen = [value for known, value in head.fields if known == name]
        assert seen == ([value for value in sent if value] or [b""])


@given(
    st.dictionaries(
        st.sampled_from([b":method", b":path", b":host", b"x", b"upgrade", b"content-length", b"a b", b"X"]),
        st.binary(max_size=12) | st.sampled_from([b"/", b"GET", b"a\r\nb: c", b"a\r\n\r\nGET / HTTP/1.1\r\n\r\n"]),
    )
)
def test_garbage_is_refused_or_one_request(fields: dict[bytes, bytes]) -> None:
    try:
        octets = request_head(fields, b"b", has_body=False, keeps=True)
    except ApplicationError:
        return
    assert octets.count(b"\r\n\r\n") == 1
    assert octets.endswith(b"\r\n\r\n")
    # A bare CR or LF might be a line to somebody.
    assert octets.count(b"\n") == octets.count(b"\r") == octets.count(b"\r\n")

"""A key for one route gets no request of another, however host and path are spelt: by real octets, through what reads
them, the grants, the route table and the dispatcher.

What a request means is not asked of the router's own code, but of the most careless application there could be
(`readings`): whatever it would make of what it is sent must be within its worker's grant.
"""

from collections.abc import Iterable
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st
from tests.support.fakes import FakeTimers, FakeWaiting, make_worker

from zerogate.keys.grants import uncovered
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.settings import RouterSettings
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http.routes import RouteError, parse_route
from zerogate.wire.http1 import Connection, HttpLimits

HOSTS = ["a.example", "b.example", "aa.example", "x.a.example", "example", "a.example.b.example"]
SEGMENTS = ["x", "y", "xy", "X", "", ".", "..", "x;y", "..;z", ".x", "%", "%zz", "%00", "\\"]


def readings(host: bytes, target: bytes) -> Iterable[tuple[str, list[str]]]:
    """What careless applications may take a request for: host, and the segments of its path.

    They resolve dots before they decode, or after, or both; and cut parameters off segments, or not.
    """
    name = host.rpartition(b":")[0] or host
    name = name.lower().rstrip(b".")
    raw = target.partition(b"?")[0].partition(b"#")[0].decode("latin-1")
    for cuts_parameters in (False, True):
        for path in (raw, "/".join(resolved(raw, cuts_parameters))):
            decoded = unquote_to_bytes(path.encode("latin-1")).decode("latin-1")
            yield name.decode("latin-1"), resolved(decoded, cuts_parameters)


def resolved(path: str, cuts_parameters: bool) -> list[str]:
    """The segments that are left."""
    segments: list[str] = []
    for segment in path.replace("\\", "/").split("/"):
        each = segment.partition(";")[0] if cuts_parameters else segment
        if each == "..":
            segments = segments[:-1]
        elif each not in ("", "."):
            segments.append(each)
    return segments


def spelt(text: str, data: st.DataObject, escapes: bool) -> str:
    """The text with some letters in upper case, or with some octets percent-encoded."""
    if escapes:
        flags = data.draw(
            st.lists(st.sampled_from([0, 0, 0, 0, 0, 0, 0, 1, 1, 2]), min_size=len(text), max_size=len(text))
        )
        made = (
            [each, f"%{ord(each):02x}", f"%25{ord(each):02X}"][flag if each != "%" else 0]
            for each, flag in zip(text, flags, strict=True)
        )
        return "".join(made)
    return text.upper() if data.draw(st.booleans()) else text


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Raw octets of one request, mostly a valid one."""
    data = draw(st.data())
    host = spelt(draw(st.sampled_from(["a.example"] * 5 + HOSTS)), data, False) + draw(
        st.sampled_from(["", "", ".", "..", ":80", ".:80", ":"])
    )
    segments = draw(st.lists(st.sampled_from(SEGMENTS), max_size=3))
    path = "/" + "/".join(["x", *segments] if draw(st.booleans()) else segments)
    path = path[0] + spelt(path[1:], data, True)
    other = draw(st.sampled_from(HOSTS))
    prefix = draw(
        st.sampled_from(["", "", "", "", f"http://{other}", f"HTTP://{other.upper()}:80", f"http://u@{other}"])
    )
    query = draw(st.sampled_from(["", "", "?/x/../y", "?"]))
    version = draw(st.sampled_from(["1.1", "1.1", "1.0"]))
    lines = [
        *draw(
            st.sampled_from(
                [
                    *[[f"Host: {host}"]] * 10,
                    [f"hOST:\t{host}\t "],
                    [f"Host: {host}", f"Host: {other}"],
                    [f"Host: {host}", f"X-Forwarded-Host: {other}", f"Forwarded: host={other}"],
                    [f"Host: u:p@{host}"],
                    [f"Host: {host}, {other}"],
                    ["X: y", f" Host: {host}"],
                    [f"Host : {host}"],
                    [f"Host: {host}\r\n {other}"],
                    [f"Host: {other}\0{host}"],
                    [],
                ]
            )
        )
    ]
    method = draw(st.sampled_from(["GET", "GET", "OPTIONS", "PURGE"]))
    gap = draw(st.sampled_from([" "] * 10 + ["\t", "  "]))
    head = "\r\n".join([f"{method}{gap}{prefix}{path}{query} HTTP/{version}", *lines, "", ""])
    return head.encode("latin-1")


def heads(raw: bytes) -> list[RequestHead]:
    """What the real parser makes of it."""
    return [each for each in Connection(HttpLimits()).receive(raw) if isinstance(each, RequestHead)]


grant_texts = st.sampled_from(["a.example", "a.example/x", "*.a.example", "A.example./x/", "a.example/%78"])
route_texts = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["a.example", "A.EXAMPLE.", "*.a.example", "b.example", "*", "x.a.example", "*.example"]),
        st.sampled_from(
            ["", "/", "/x", "/%78", "/x/", "/X", "/xy", "/x/y", "/y", "/x/../y", "/x%2F", "/x/%2e%2e/y", "/;/x"]
        ),
    ),
)


@pytest.mark.slow
@settings(max_examples=400)
@given(grant_texts, st.lists(route_texts, max_size=3), st.booleans(), requests())
@example("a.example/x", ["a.example/x"], False, b"GET /x/%2e%2e/y HTTP/1.1\r\nHost: a.example\r\n\r\n")
@example("a.example/x", ["a.example/x"], False, b"GET /x/..%2fy HTTP/1.1\r\nHost: a.example\r\n\r\n")
@example("a.example/x", ["a.example/x"], False, b"GET /x/..;/y HTTP/1.1\r\nHost: a.example\r\n\r\n")
@example("a.example/x", ["a.example/x"], False, b"GET /x\\..\\y HTTP/1.1\r\nHost: a.example\r\n\r\n")
@example("a.example", ["a.example"], True, b"GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n")
@example("a.example", ["a.example"], True, b"GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n")
def test_a_key_gets_nothing_of_others(grant_text: str, texts: list[str], is_contested: bool, raw: bytes) -> None:
    grant = parse_route(grant_text)
    routes = []
    for text in [grant_text, *texts]:
        try:
            routes.append(parse_route(text))
        except RouteError:
            continue
    allowed = [route for route in routes if not uncovered([grant], [route])]
    if not allowed:
        return
    dispatcher = Dispatcher(RouterSettings(), Counters(), FakeTimers())
    granted = make_worker("granted")
    dispatcher.join(granted, allowed)
    if is_contested:
        dispatcher.join(make_worker("others"), [parse_route(text) for text in ("b.example", "*", "a.example/y")])
    for head in heads(raw):
        request = FakeWaiting()
        request.head = head
        dispatcher.submit(request)
        if request.worker is granted:
            event("granted")
            suffix, prefix = grant.host.removeprefix("*"), [each for each in grant.prefix.split("/") if each]
            for host, segments in readings(head.host, head.target):
                assert host == suffix or (grant.host.startswith("*.") and host.endswith(suffix))
                assert segments[: len(prefix)] == prefix


@given(st.sampled_from(HOSTS), st.lists(st.sampled_from(["x", "y", "xy", "X", ".x", "x;y"]), max_size=4), st.data())
def test_every_spelling_comes_to_the_same_route(host: str, segments: list[str], data: st.DataObject) -> None:
    """Case and dot and port of a host, and percent-encoding of a path: the router hears no difference."""
    path = "".join(f"/{segment}" for segment in segments) or "/"
    dispatcher = Dispatcher(RouterSettings(), Counters(), FakeTimers())
    for text in ["*", *HOSTS, *(f"{host}/{first}" for first in ("x", "y", "X", "x/y"))]:
        dispatcher.join(make_worker(text), [parse_route(text)])
    encoded = data.draw(st.lists(st.booleans(), min_size=len(path), max_size=len(path)))
    spelling = "".join(
        f"%{ord(each):02x}" if flag and number else each
        for number, (each, flag) in enumerate(zip(path, encoded, strict=True))
    )
    name = spelt(host, data, False) + data.draw(st.sampled_from(["", ".", ":8080", ".:80"]))

    def worker_of(target: str, host: str) -> str:
        (head,) = heads(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        request = FakeWaiting()
        request.head = head
        dispatcher.submit(request)
        assert request.worker is not None
        return request.worker.name

    assert worker_of(spelling, name) == worker_of(path, host)

"""What a worker says of itself."""

import sys
from typing import Any

import pytest

from zerogate.errors import UsageError, ZerogateError
from zerogate.settings import WorkerSettings
from zerogate.wire.http.join import parse_join
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import make_terms
from zerogate.wire.spdy.headers import decode_block
from zerogate.worker.joining import JoinHandler, check_join, join_block, join_of


def test_what_was_set_is_what_a_router_hears() -> None:
    settings = WorkerSettings(
        name="w",
        route=("b\u00fccher.example/a%62",),
        label=("version=2",),
        share=2.5,
        sticky="header:X-User",
        timeout=0.5,
    )
    heard = parse_join(decode_block(join_block(settings, "id-1")), sys.maxsize)
    assert heard == join_of(settings, "id-1")
    assert heard.routes == [parse_route("xn--bcher-kva.example/ab")]
    assert heard.terms == make_terms(["version=2"], 2.5, "header:x-user")
    assert heard.wants == ["timeout", "label", "share", "sticky"]
    assert join_of(WorkerSettings()).wants == []


def test_what_it_says_is_what_a_router_reads() -> None:
    settings = WorkerSettings(name="w", route=("a.example/b", "*"), weight=7, strip_prefix=True, timeout=2.0)
    found = parse_join(decode_block(join_block(settings, "id-1")), max_routes=8)
    assert (found.name, [str(route) for route in found.routes], found.weight) == ("w", ["a.example/b", "*"], 7)
    assert (found.id, found.strips_prefix, found.timeout_s) == ("id-1", True, 2.0)
    assert found == join_of(settings, "id-1")


def test_a_route_that_is_none() -> None:
    with pytest.raises(ZerogateError):
        join_block(WorkerSettings(route=("a b",)))


def test_what_no_router_would_take() -> None:
    check_join(WorkerSettings())
    for wrong in (WorkerSettings(name="a b"), WorkerSettings(route=("a b",))):
        with pytest.raises(UsageError, match="no router would take this worker"):
            check_join(wrong)


def test_its_answer() -> None:
    class Link:
        reason = ""

        def close(self, reason: str) -> None:
            self.reason = reason

    heard: list[Any] = []
    link: Any = Link()
    handler = JoinHandler(link, lambda *answer: heard.append(answer))
    handler.on_headers({}, False)
    handler.on_data(b"x", False)
    handler.on_writable()
    handler.on_lost("gone")
    assert not heard
    handler.on_reply({b":status": b"200"}, True)
    assert heard == [(link, {b":status": b"200"})]
    handler.on_reset(6)
    assert link.reason == "JOIN was reset with status 6"

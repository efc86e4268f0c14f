"""The reply's half: whole, in pieces, through a tunnel; and what is no reply."""

from typing import Any

import pytest

from tests.support.scene import BAD, CUT, DUE, END, HALF, OK, OPEN, SWITCH, TUNNEL, Scene
from zerogate.router.affinity import StickyCookie
from zerogate.router.forwarding import NOBODY, Trust, parse_trust


def test_a_finished_reply_to_a_finished_request_is_not_reset() -> None:
    for event, args, said in (
        ("on_whole_reply", ({**OK, b"content-length": b"2"}, b"ab"), "client.whole 200 ab"),
        ("on_reply", (OK, True), "client.head 200 fin"),
    ):
        scene = Scene(DUE, b"GET", has_body=False)
        scene.stream.remote = 3
        assert scene.happens(event, *args) == f"{said}, dispatcher.free_slot, {END}, > DONE"
        assert scene.stream.handler is None
        assert scene.worker.failures == 0


def test_a_reply_in_pieces() -> None:
    scene = Scene(OPEN)
    assert scene.happens("on_data", b"ab", False) == "client.body ab, link.consumed 2, client.expect 60"
    scene.client.is_writable = False
    assert scene.happens("on_data", b"cd", False) == "client.body cd, client.expect 30"
    assert scene.happens("on_data", b"e", False) == "client.body e, client.expect 30"
    scene.client.is_writable = True
    assert scene.happens("resume_reply") == "link.consumed 3, client.expect 30"
    assert scene.happens("resume_reply") == "client.expect 30"
    assert scene.happens("on_headers", {b"x-t": b"1"}, False) == ""
    assert scene.happens("on_data", b"", True) == f"client.fin, link.reset 5, dispatcher.free_slot, {END}, > DONE"


def test_a_tunnel_in_pieces() -> None:
    scene = Scene(TUNNEL)
    assert scene.happens("on_data", b"ab", False) == "client.body ab, link.consumed 2"
    assert scene.happens("resume_reply") == ""
    assert scene.happens("on_headers", {b"x-t": b"1"}, False) == ""
    assert scene.happens("receive_end", ()) == "link.data - fin, client.expect 60"
    assert scene.happens("on_data", b"cd", False) == "client.body cd, link.consumed 2, client.expect 60"
    scene.stream.remote = 3
    assert scene.happens("on_data", b"", True) == f"client.fin, dispatcher.free_slot, {END}, > DONE"


def test_a_tunnel_that_ends_as_it_begins() -> None:
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert (
        scene.happens("on_reply", SWITCH, True)
        == "dispatcher.set_apart, client.tunnel 101, client.fin, client.expect 60, > HALF"
    )
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert scene.happens("on_whole_reply", SWITCH, b"hi") == (
        "dispatcher.set_apart, client.tunnel 101, client.body hi, client.fin, client.expect 60, > HALF"
    )


def test_a_tunnel_that_is_closed_at_one_end_does_not_hold_its_slot_for_ever() -> None:
    # By the client: the worker must say something now and then, or the client take what it has said.
    scene = Scene(TUNNEL)
    assert scene.happens("expire") == ""
    scene.exchange.receive_end(())
    scene.client.unsent = 5
    scene.notes.clear()
    assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == CUT
    # By the worker: the client must, or the worker take what it has said.
    scene = Scene(HALF)
    scene.stream.pending_bytes = 5
    assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == CUT


@pytest.mark.parametrize("event", ["on_reply", "on_whole_reply"])
def test_a_tunnel_that_nobody_asked_for(event: str) -> None:
    scene = Scene(DUE)
    told = scene.happens(event, SWITCH, b"x" if event == "on_whole_reply" else False)
    assert told == (
        f"link.reset 1, dispatcher.blame, dispatcher.free_slot, client.error 502, {END}, "
        "+bad_replies, +worker_failed, > DONE"
    )


def test_no_body_crosses_where_none_may() -> None:
    scene = Scene(DUE, b"HEAD", has_body=False)
    assert scene.happens("on_reply", {**OK, b"content-length": b"7"}, False) == (
        f"client.head 200 fin, link.reset 5, dispatcher.free_slot, {END}, > DONE"
    )


@pytest.mark.parametrize("data", [b"a", b"abc"])
def test_a_reply_of_another_length(data: bytes) -> None:
    fields = {**OK, b"content-length": b"2"}
    bad = "+bad_replies, +worker_failed, > DONE"
    scene = Scene(DUE)
    assert scene.happens("on_whole_reply", fields, data).endswith(bad)
    assert Scene(DUE).happens("on_reply", fields, True).endswith(bad)
    scene = Scene(DUE)
    scene.exchange.on_reply(fields, False)
    scene.notes.clear()
    assert scene.happens("on_data", data, True) == BAD
    scene = Scene(DUE)
    scene.exchange.on_reply(fields, False)
    scene.notes.clear()
    assert scene.happens("on_headers", {b"x-t": b"1"}, True) == BAD


EVENTS = {**OK, b"content-type": b"Text/Event-Stream ; charset=utf-8"}


def counted(scene: Scene) -> tuple[int, int, int]:
    worker = scene.worker
    return worker.in_flight, worker.tunnels, worker.event_streams


def test_tunnels_and_streams_of_events_are_counted_for_themselves() -> None:
    """The slot that is freed in the end is that of a request: in flight it is again by then."""
    for scene, apart in ((Scene(TUNNEL), (-1, 1, 0)), (Scene(DUE, b"GET", has_body=False), (-1, 0, 1))):
        if not scene.worker.tunnels:
            assert scene.happens("on_reply", EVENTS, False) == (
                "client.head 200 more, dispatcher.set_apart, client.expect 60, > OPEN"
            )
        assert counted(scene) == apart  # The dispatcher, who would have counted it before, is a fake.
        assert scene.worker.capacity == 9
        scene.happens("abandon")
        assert counted(scene) == (0, 0, 0)
        assert scene.worker.capacity == 10


def test_each_way_to_the_end_gives_its_place_back() -> None:
    ends: tuple[tuple[str, tuple[Any, ...]], ...] = (
        ("on_data", (b"", True)),
        ("on_headers", ({b"x-t": b"1"}, True)),
        ("on_reset", (5,)),
        ("on_lost", ("gone",)),
        ("shut_down", ()),
        ("break_off", ()),
        ("on_reply", (OK, False)),
    )
    for event, args in ends:
        scene = Scene(DUE, b"GET", has_body=False)
        scene.exchange.on_reply(EVENTS, False)
        scene.happens(event, *args)
        assert counted(scene) == (0, 0, 0), event
        scene = Scene(TUNNEL)
        scene.exchange.receive_end(())
        scene.happens(event, *args)
        assert counted(scene) == (0, 0, 0), event
    scene = Scene(HALF)
    scene.exchange.receive_end(())
    assert counted(scene) == (0, 0, 0)


def test_other_replies_are_requests() -> None:
    for reply in (OK, {**OK, b"content-type": b"text/event-streams"}):
        scene = Scene(DUE, b"GET", has_body=False)
        assert "set_apart" not in scene.happens("on_reply", reply, False)
    scene = Scene(DUE, b"HEAD", has_body=False)
    assert "set_apart" not in scene.happens("on_reply", EVENTS, False)


def test_a_worker_that_cancels_has_not_failed() -> None:
    assert "blame" not in Scene(TUNNEL).happens("on_reset", 5)
    assert "blame" in Scene(TUNNEL).happens("on_reset", 6)


PROXY = [(b"x-forwarded-proto", b"https"), (b"x-forwarded-prefix", b"/outer/"), (b"x-forwarded-for", b"198.51.100.7")]


@pytest.mark.parametrize(
    ("trust", "told", "address"),
    [
        (NOBODY, b"a=b; Path=/x; HttpOnly; SameSite=Lax", "203.0.113.9"),
        (parse_trust(["*"]), b"a=b; Path=/outer/x; HttpOnly; SameSite=Lax; Secure", "198.51.100.7"),
    ],
)
def test_the_client_is_told_which_worker_is_its(trust: Trust, told: bytes, address: str) -> None:
    """By the scheme and the path that it sees itself."""
    scene = Scene(DUE, b"GET", has_body=False, fields=PROXY, trust=trust)
    scene.exchange.cookie = StickyCookie(b"a", b"b", b"/x")
    scene.exchange.on_reply({**OK, b"set-cookie": b"c=d"}, False)
    (head,) = scene.client.heads
    assert head.fields == [(b"set-cookie", b"c=d"), (b"set-cookie", told)]
    assert scene.exchange.client_address == address

"""The request's half: how it goes to a worker, with or without a body, and how fast."""

import math
from typing import Any

import pytest

from tests.support.scene import CUT, DUE, END, FREED, OK, OPEN, TUNNEL, WAITING, Scene
from zerogate.router.queue import Queue
from zerogate.wire.http.errors import HttpError


def test_what_has_come_goes_with_the_request() -> None:
    scene = Scene(WAITING)
    scene.exchange.receive_body(b"ab")
    scene.exchange.receive_body(b"c")
    assert scene.exchange.size_bytes == 3
    assert scene.happens("send", scene.worker) == (
        "link.open more, link.data abc more, client.credit 3, client.expect 60, > DUE"
    )


def test_a_request_whose_empty_body_has_ended_is_one_frame() -> None:
    scene = Scene(WAITING)
    scene.exchange.receive_end(())
    assert scene.happens("send", scene.worker) == "link.open fin, client.expect 60, > DUE"
    scene = Scene(WAITING)
    scene.exchange.receive_end([(b"x-t", b"1")])
    assert scene.happens("send", scene.worker) == "link.open more, link.headers x-t fin, client.expect 60, > DUE"


def test_a_request_without_a_body() -> None:
    scene = Scene(WAITING, b"GET", has_body=False)
    assert scene.happens("send", scene.worker) == "link.open fin, client.expect 60, > DUE"
    assert scene.happens("on_headers", {b":status": b"103"}, False) == "client.interim 103"
    assert scene.happens("on_whole_reply", {**OK, b"content-length": b"0"}, b"") == (
        f"client.whole 200 -, dispatcher.free_slot, {END}, > DONE"
    )


def test_what_is_kept_counts_where_it_waits() -> None:
    scene = Scene(WAITING)
    queue: Queue[Any] = Queue(10, 1000)
    queue.push(scene.exchange)
    scene.exchange.receive_body(b"12345")
    assert queue.n_bytes == 5


def test_credit_waits_until_all_has_gone() -> None:
    scene = Scene(DUE)
    scene.stream.pending_bytes = 2
    assert scene.happens("receive_body", b"abc") == "link.data abc more, client.expect 60"
    assert scene.happens("receive_body", b"de") == "link.data de more, client.expect 60"
    assert scene.happens("on_writable") == "client.expect 60"
    scene.stream.pending_bytes = 0
    assert scene.happens("on_writable") == "client.credit 5, client.expect 10"
    assert scene.happens("receive_end", ()) == "link.data - fin, client.expect 60"
    assert scene.happens("on_writable") == "client.expect 60"  # only now has the worker all of it: its time begins


def test_a_body_is_asked_for_once_while_it_is_held_back() -> None:
    scene = Scene(WAITING)
    scene.exchange.send(scene.worker)
    scene.notes.clear()
    scene.desk.loop.wind(0.9)
    assert not scene.notes
    scene.desk.loop.wind(0.2)
    assert scene.notes == ["client.interim 100", "client.expect 10"]
    scene.notes.clear()
    assert scene.happens("on_headers", {b":status": b"100"}, False) == ""
    changes = {"receive_body": (b"x",), "receive_end": ((),), "on_reply": (OK, False), "abandon": ()}
    for change, arguments in changes.items():
        scene = Scene(WAITING)
        scene.exchange.send(scene.worker)
        getattr(scene.exchange, change)(*arguments)
        scene.notes.clear()
        scene.desk.loop.wind(5.0)
        assert not scene.notes, change


def test_a_body_that_is_larger_than_the_worker_takes() -> None:
    scene = Scene(WAITING)
    scene.worker.max_body_bytes = 3
    scene.exchange.receive_body(b"abcd")
    with pytest.raises(HttpError) as caught:
        scene.exchange.send(scene.worker)
    assert caught.value.status == 413
    assert scene.exchange.state is WAITING
    scene = Scene(WAITING)
    scene.exchange.head.content_length = 4
    scene.worker.max_body_bytes = 3
    with pytest.raises(HttpError):
        scene.exchange.send(scene.worker)


def test_a_body_that_becomes_so_on_its_way() -> None:
    scene = Scene(DUE)
    scene.worker.max_body_bytes = 3
    assert scene.happens("receive_body", b"abc").startswith("link.data abc")
    assert scene.happens("receive_body", b"d") == (
        f"link.data d more, client.credit 1, {FREED}, client.error 413, {END}, +too_large, > DONE"
    )
    scene = Scene(OPEN)
    scene.worker.max_body_bytes = 3
    assert scene.happens("receive_body", b"abc") == "link.data abc more, client.credit 3"
    assert scene.happens("receive_body", b"d") == f"link.data d more, client.credit 1, {CUT}"


def test_the_octets_of_a_tunnel_are_no_body() -> None:
    scene = Scene(TUNNEL)
    scene.worker.max_body_bytes = 3
    assert scene.happens("receive_body", b"abcdef") == "link.data abcdef more, client.credit 6"
    # Nor is a request that asks for one too large for anybody.
    waiting = Scene(TUNNEL)
    waiting.worker.max_body_bytes = 0
    assert waiting.exchange._body is not None
    waiting.exchange._body.received_bytes = 5
    assert not waiting.exchange._is_too_large(0)


def test_what_is_left_of_a_tunnel_has_a_bound_even_where_replies_have_none() -> None:
    scene = Scene(TUNNEL, idle_timeout=math.inf)
    assert scene.happens("receive_end", ()) == "link.data - fin, client.expect 60"

"""The request's half: how it goes to a worker, with or without a body, and how fast."""

from typing import Any

from tests.support.scene import DUE, END, OK, WAITING, Scene
from zerogate.router.queue import Queue


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
    assert scene.happens("on_headers", {b":status": b"103"}, False) == ""
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

"""Corners of the exchange that no other test comes by."""

from typing import Any

import pytest

from tests.support.scene import Scene
from zerogate.router.exchange import State
from zerogate.router.exchange.pace import Pace
from zerogate.wire.http.errors import WORKER_LOST


def test_without_room_for_more_bodies_it_waits_for_a_worker_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(State.COLLECTING)
    dispatcher: Any = scene.exchange._dispatcher
    monkeypatch.setattr(dispatcher, "collect", lambda request: False, raising=False)
    happened = scene.happens("receive_pause")
    assert scene.exchange.state is State.WAITING
    assert "dispatcher.submit" in happened


def test_a_handler_that_failed_ends_the_exchange() -> None:
    scene = Scene(State.DUE)
    scene.exchange.on_failed()
    assert scene.exchange.state is State.DONE
    assert "client.end" in scene.notes


def test_a_silent_worker_is_shunned() -> None:
    scene = Scene(State.DUE, b"GET", has_body=False)
    scene.exchange._leave_worker()
    scene.exchange._try_again(WORKER_LOST, is_refusal=False, is_silence=True)
    assert scene.exchange.shunned == {scene.worker.process_id}


def test_a_bug_while_the_kept_body_is_sent_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    scene = Scene(State.WAITING)

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(scene.client, "expect", fail)
    scene.exchange.send(scene.worker)
    assert scene.exchange.state is State.DONE


def test_a_client_that_has_taken_all_there_was_is_watched_no_more() -> None:
    scene = Scene(State.OPEN, b"GET", has_body=False)
    exchange: Any = scene.exchange
    client: Any = scene.client
    client.unsent_bytes = lambda: 0
    client.bytes_out = 1000
    exchange._watched_unsent_bytes = 10
    exchange._watched_taken_bytes = 0
    exchange._look()
    assert exchange.state is State.OPEN
    assert exchange._watch_ends == 0.0


def test_the_body_is_asked_for_while_nobody_has_the_request_yet() -> None:
    scene = Scene(State.WAITING)
    exchange: Any = scene.exchange
    exchange._ask_for_body()
    assert scene.notes == ["client.interim 100"]


def test_a_pace_says_until_when() -> None:
    assert "late_at" in repr(Pace(500, 60.0, 0.0))

"""The ways out, and the ways back: time-outs, retries, and what an exchange says of itself."""

from tests.support.each import each
from tests.support.scene import CUT, DUE, END, HALF, LOST, OK, OPEN, TUNNEL, WAITING, Scene
from zerogate.router.exchange import State
from zerogate.wire.http.terms import make_terms
from zerogate.wire.spdy.frames import RstStatus

REFUSED = RstStatus.REFUSED_STREAM


def test_a_slow_application_is_waited_for_while_it_reads() -> None:
    scene = Scene(DUE)
    for left in (9, 5, 1):
        scene.stream.pending_bytes = left
        assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == (
        f"link.reset 5, dispatcher.blame, dispatcher.free_slot, client.error 504, {END}, +timeout, > DONE"
    )


def test_whose_fault_a_silence_is() -> None:
    scene = Scene(DUE)
    scene.exchange.receive_end(())
    scene.notes.clear()
    assert "dispatcher.blame, dispatcher.free_slot, client.error 504" in scene.happens("expire")
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert "dispatcher.blame, dispatcher.free_slot, client.error 504" in scene.happens("expire")
    scene = Scene(DUE, b"GET", has_body=False)
    assert "dispatcher.blame, dispatcher.free_slot, client.error 504" in scene.happens("expire")


def test_a_slow_client_is_waited_for_while_it_reads() -> None:
    scene = Scene(OPEN)
    for left in (9, 5, 1):
        scene.client.unsent = left
        assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == CUT


def test_lost_and_sent_again() -> None:
    scene = Scene(DUE, b"GET", has_body=False, retries=2)
    exchange = scene.exchange
    exchange.wait_until = 5.0
    for n_retries in (1, 2):
        assert scene.happens("on_lost", "gone") == "dispatcher.free_slot, dispatcher.submit, +retries, > WAITING"
        assert (exchange.retries, exchange.wait_until) == (n_retries, 0.0)
        assert exchange.tried == {scene.worker.process_id}
        exchange.send(scene.worker)
        scene.notes.clear()
    assert scene.happens("on_lost", "gone") == f"dispatcher.free_slot, client.error 502, {END}, +worker_lost, > DONE"


def test_refused_and_sent_again() -> None:
    """However often, whatever its method; but it does not wait longer for it."""
    scene = Scene(DUE, b"POST", retries=0)
    exchange = scene.exchange
    exchange.receive_body(b"kept")
    scene.notes.clear()
    exchange.wait_until = 5.0
    for _ in range(5):
        assert scene.happens("on_reset", REFUSED) == (
            "dispatcher.pause, dispatcher.free_slot, dispatcher.submit, +retries, > WAITING"
        )
        assert (exchange.retries, exchange.wait_until) == (0, 5.0)
        assert scene.happens("send", scene.worker) == (
            "link.open more, link.data kept more, client.expect 60, > DUE"  # its credit was given before
        )


def test_refused_when_more_has_been_sent_than_is_kept_for_retries() -> None:
    """It was not begun: nothing is lost of it as long as the worker has not taken any."""
    scene = Scene(DUE, b"POST", retry_bytes=4)
    scene.exchange.receive_body(b"12345")
    scene.notes.clear()
    assert scene.happens("on_reset", REFUSED) == (
        "dispatcher.pause, dispatcher.free_slot, dispatcher.submit, +retries, > WAITING"
    )


def test_refused_when_the_body_is_no_more() -> None:
    """Its room went to another router meanwhile: the application has not failed, and the client may come again."""
    scene = Scene(DUE, b"POST", retry_bytes=4)
    scene.exchange.receive_body(b"12345")
    scene.stream.send_window += 1
    scene.exchange.receive_body(b"6")
    scene.notes.clear()
    assert scene.happens("on_reset", REFUSED) == (
        f"dispatcher.pause, dispatcher.free_slot, client.error 503, {END}, +queue_full, > DONE"
    )


@each("state", [OPEN, TUNNEL, HALF])
def test_refused_amid_a_reply_is_nobody_s_fault(state: State) -> None:
    assert Scene(state).happens("on_reset", REFUSED) == LOST


def test_it_says_what_it_is() -> None:
    scene = Scene(WAITING)
    assert repr(scene.exchange) == "<Exchange id b'POST' b'/' <RequestBody OPEN, 0 bytes kept> WAITING nobody>"
    scene.exchange.send(scene.worker)
    scene.exchange.on_reply(OK, False)
    assert repr(scene.exchange) == "<Exchange id b'POST' b'/' <RequestBody OPEN, not kept> OPEN w>"
    scene.worker.terms = make_terms(["version=2"], None, "")
    assert (scene.exchange.worker_labels, scene.exchange.worker_title) == ("version=2", scene.worker.title)
    assert (Scene(WAITING).exchange.worker_labels, Scene(WAITING).exchange.worker_title) == ("", "")
    assert repr(Scene(DUE, b"GET", has_body=False).exchange) == "<Exchange id b'GET' b'/' DUE w>"

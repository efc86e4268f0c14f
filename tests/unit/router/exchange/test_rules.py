"""What each event does in each state: every pair of the exchange's table, against a table of its own.

A cell is what is told to whom, in order, then what is counted, then the state after it. What isn't in the table fails.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from tests.support.fakes import FakeClient, FakeDesk, FakeDispatcher, FakeLink, Notes, make_worker
from zerogate.router.exchange import Exchange, State
from zerogate.router.exchange.exchange import RULES
from zerogate.router.forwarding import Forwarding
from zerogate.wire.http.errors import BAD_REQUEST, QUEUE_FULL, HttpError
from zerogate.wire.http.request import RequestHead
from zerogate.wire.spdy.frames import RstStatus

VERSION = {b":version": b"HTTP/1.1"}
OK = {b":status": b"200", **VERSION}
SWITCH = {b":status": b"101", **VERSION}


class Scene:
    """An exchange among fakes. A POST whose client holds its body back, but for COLLECTING; an upgrade for tunnels."""

    def __init__(self, state: State, method: bytes = b"POST", *, has_body: bool = True, **options: Any) -> None:
        self.notes: Notes = []
        self.client = FakeClient(self.notes)
        self.desk = FakeDesk(self.notes, **options)
        self.link = FakeLink("w", self.notes)
        self.worker = make_worker("w", link=self.link)
        is_tunnel = state in (State.TUNNEL, State.HALF)
        head = RequestHead(
            *(b"GET" if is_tunnel else method, b"/", b"/", b"a"),
            is_chunked=has_body and not is_tunnel,
            expects_continue=has_body and not is_tunnel and state is not State.COLLECTING,
            upgrade=b"websocket" if is_tunnel else b"",
        )
        parts: tuple[Any, Any, Any] = (FakeDispatcher(self.notes), self.desk, self.client)
        self.exchange = Exchange(*parts, head, Forwarding("203.0.113.9", b"http", []), b"id")
        self._bring_to(state)
        assert self.exchange.state is state
        self.notes.clear()
        self._counted = asdict(self.desk.counters)

    @property
    def stream(self) -> Any:
        return self.link.streams[-1]

    def _bring_to(self, state: State) -> None:
        exchange = self.exchange
        if state in (State.DUE, State.OPEN, State.TUNNEL, State.HALF):
            exchange.send(self.worker)
            self.stream.remote = 1  # OPEN: the worker may say more
        if state is State.OPEN:
            exchange.on_reply(OK, False)
        if state in (State.TUNNEL, State.HALF):
            exchange.on_reply(SWITCH, False)
        if state is State.HALF:
            exchange.on_data(b"", True)
            self.stream.remote = 3
        if state is State.DONE:
            exchange.abandon()

    def happens(self, event: str, *args: Any) -> str:
        """What an event does, as a cell says it."""
        before = self.exchange.state
        try:
            getattr(self.exchange, event)(*args)
        except RuntimeError:
            return "RuntimeError"
        counters = asdict(self.desk.counters)
        counted = [f"+{name}" for name, n in counters.items() if isinstance(n, int) and n != self._counted[name]]
        counted += [f"+{code}" for code in counters["errors"]]
        self._counted = counters
        after = self.exchange.state
        words = [*self.notes, *counted] + ([f"> {after.name}"] if after is not before else [])
        self.notes.clear()
        return ", ".join(words)


def owe_a_body(scene: Scene) -> None:
    """The client has sent what its worker has not taken yet; now it has."""
    scene.stream.pending_bytes = 7
    scene.exchange.receive_body(b"1234567")
    scene.stream.pending_bytes = 0


def owe_a_reply(scene: Scene) -> None:
    """The worker has sent what its client has not taken yet; now it has."""
    scene.client.is_writable = False
    scene.exchange.on_data(b"12345", False)
    scene.client.is_writable = True


# What must have happened for an event to mean something.
BEFORE: dict[str, tuple[tuple[State, ...], Callable[[Scene], None]]] = {
    "on_writable": ((State.DUE, State.OPEN, State.TUNNEL, State.HALF), owe_a_body),
    "resume_reply": ((State.OPEN, State.TUNNEL), owe_a_reply),
}

ARGUMENTS: dict[str, tuple[Any, ...]] = {
    "receive_body": (b"abc",),
    "receive_end": ([(b"x-t", b"1")],),
    "reject_request": (HttpError(BAD_REQUEST),),
    "send": (make_worker("other", link=FakeLink()),),
    "wait": (3.0,),
    "decline": (HttpError(QUEUE_FULL),),
    "on_reply": (OK, False),
    "on_whole_reply": ({**OK, b"content-length": b"2"}, b"ab"),
    # An interim reply before the reply, trailers behind it.
    "on_headers": ({b":status": b"100", b"x-t": b"1"}, True),
    "on_data": (b"xyz", True),
    "on_reset": (RstStatus.INTERNAL_ERROR,),
    "on_lost": ("gone",),
}

IGNORED = ""
NEVER = "RuntimeError"
END = "desk.note, client.end"
LEFT = "dispatcher.withdraw"
FREED = "link.reset 5, dispatcher.release"
CUT = f"{FREED}, client.cut, {END}, +cut, > DONE"
CUT_ABORTED = f"{FREED}, client.cut, {END}, +aborted, +cut, > DONE"
ABANDONED = f"{FREED}, {END}, +aborted, > DONE"
FAILED = f"dispatcher.blame, dispatcher.release, client.cut, {END}, +cut, > DONE"
LOST = f"dispatcher.release, client.cut, {END}, +cut, > DONE"
BAD = f"link.reset 1, dispatcher.blame, dispatcher.release, client.cut, {END}, +cut, +bad_replies, > DONE"

# fmt: off
EXPECTED: dict[str, dict[State, str]] = {
    "begin": {
        State.COLLECTING: IGNORED,
        State.WAITING: "dispatcher.submit",
        State.DUE: NEVER, State.OPEN: NEVER, State.TUNNEL: NEVER, State.HALF: NEVER, State.DONE: NEVER,
    },
    "receive_body": {
        State.COLLECTING: IGNORED,  # kept: a worker is wanted when enough of it is there
        State.WAITING: IGNORED,  # kept: it goes on with the request
        State.DUE: "link.data abc more, client.credit 3, client.expect 10",
        State.OPEN: "link.data abc more, client.credit 3",
        State.TUNNEL: "link.data abc more, client.credit 3",
        State.HALF: "link.data abc more, client.credit 3",
        State.DONE: IGNORED,
    },
    "receive_pause": {
        State.COLLECTING: "dispatcher.collect, client.expect 10",
        State.WAITING: IGNORED, State.DUE: IGNORED, State.OPEN: IGNORED, State.TUNNEL: IGNORED, State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "receive_end": {
        State.COLLECTING: "dispatcher.withdraw, dispatcher.submit, > WAITING",
        State.WAITING: IGNORED,  # kept
        State.DUE: "link.headers x-t fin, client.expect 60",
        State.OPEN: "link.headers x-t fin",
        State.TUNNEL: "link.headers x-t fin",
        State.HALF: f"link.headers x-t fin, dispatcher.release, {END}, > DONE",
        State.DONE: IGNORED,
    },
    "resume_reply": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: IGNORED,
        State.OPEN: "link.consumed 5, client.expect 30",  # it is watched: it did not keep up
        State.TUNNEL: "link.consumed 5",
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "reject_request": {
        State.COLLECTING: f"{LEFT}, client.error 400, {END}, +aborted, +bad_request, > DONE",
        State.WAITING: f"{LEFT}, client.error 400, {END}, +aborted, +bad_request, > DONE",
        State.DUE: f"{FREED}, client.error 400, {END}, +aborted, +bad_request, > DONE",
        State.OPEN: CUT_ABORTED,
        State.TUNNEL: CUT_ABORTED,
        State.HALF: CUT_ABORTED,
        State.DONE: IGNORED,
    },
    "abandon": {
        State.COLLECTING: f"{LEFT}, {END}, +aborted, > DONE",
        State.WAITING: f"{LEFT}, {END}, +aborted, > DONE",
        State.DUE: ABANDONED, State.OPEN: ABANDONED, State.TUNNEL: ABANDONED, State.HALF: ABANDONED,
        State.DONE: IGNORED,
    },
    "expire": {
        State.COLLECTING: f"{LEFT}, client.error 408, {END}, +timeout, > DONE",
        State.WAITING: f"{LEFT}, client.error 503, {END}, +queue_timeout, > DONE",
        State.DUE: f"{FREED}, client.error 408, {END}, +timeout, > DONE",
        State.OPEN: CUT,  # nobody's failure: there may have been nothing to say
        State.TUNNEL: IGNORED,
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "shut_down": {
        State.COLLECTING: f"{LEFT}, client.error 503, {END}, +shutting_down, > DONE",
        State.WAITING: f"{LEFT}, client.error 503, {END}, +shutting_down, > DONE",
        State.DUE: f"{FREED}, client.error 503, {END}, +shutting_down, > DONE",
        State.OPEN: CUT, State.TUNNEL: CUT, State.HALF: CUT,
        State.DONE: IGNORED,
    },
    "send": {
        State.COLLECTING: NEVER,
        State.WAITING: "client.expect 60, > DUE",  # to a link with notes of its own
        State.DUE: NEVER, State.OPEN: NEVER, State.TUNNEL: NEVER, State.HALF: NEVER, State.DONE: NEVER,
    },
    "wait": {
        State.COLLECTING: NEVER,
        State.WAITING: "client.expect 3",
        State.DUE: NEVER, State.OPEN: NEVER, State.TUNNEL: NEVER, State.HALF: NEVER, State.DONE: NEVER,
    },
    "decline": {
        State.COLLECTING: NEVER,
        State.WAITING: f"client.error 503, {END}, +queue_full, > DONE",
        State.DUE: NEVER, State.OPEN: NEVER, State.TUNNEL: NEVER, State.HALF: NEVER, State.DONE: NEVER,
    },
    "on_reply": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "client.head 200 more, client.expect 60, > OPEN",
        State.OPEN: BAD, State.TUNNEL: BAD, State.HALF: BAD,
        State.DONE: IGNORED,
    },
    "on_whole_reply": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: f"client.whole 200 ab, {FREED}, {END}, > DONE",  # the rest of the body is no use
        State.OPEN: BAD, State.TUNNEL: BAD, State.HALF: BAD,
        State.DONE: IGNORED,
    },
    "on_headers": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "client.interim 100, client.expect 10",
        State.OPEN: f"client.fin x-t, {FREED}, {END}, > DONE",
        State.TUNNEL: "client.fin, > HALF",
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "on_data": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "link.reset 1, dispatcher.blame, dispatcher.release, client.error 502, "
                   f"{END}, +bad_replies, +worker_failed, > DONE",
        State.OPEN: f"client.body xyz, client.fin, {FREED}, {END}, > DONE",
        State.TUNNEL: "client.body xyz, client.fin, > HALF",
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "on_writable": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "client.credit 7, client.expect 10",
        State.OPEN: "client.credit 7",
        State.TUNNEL: "client.credit 7",
        State.HALF: "client.credit 7",
        State.DONE: IGNORED,
    },
    "on_reset": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: f"dispatcher.blame, dispatcher.release, client.error 502, {END}, +worker_failed, > DONE",
        State.OPEN: FAILED, State.TUNNEL: FAILED, State.HALF: FAILED,
        State.DONE: IGNORED,
    },
    "on_lost": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: f"dispatcher.release, client.error 502, {END}, +worker_lost, > DONE",
        State.OPEN: LOST, State.TUNNEL: LOST, State.HALF: LOST,
        State.DONE: IGNORED,
    },
}
# fmt: on


def test_every_event_has_a_row_and_every_state_a_cell() -> None:
    assert set(EXPECTED) == set(RULES)
    assert {event: set(row) for event, row in EXPECTED.items()} == {event: {*State} for event in RULES}
    assert {len(row) for row in RULES.values()} == {len(State)}
    assert [state.value for state in State] == list(range(len(State)))


def test_every_face_s_method_is_an_event() -> None:
    """What a client, a dispatcher and a link call: nothing goes past the table."""
    from zerogate.link.handlers import StreamHandler
    from zerogate.router.clients.client import ClientExchange
    from zerogate.router.dispatcher import Waiting

    faces = [ClientExchange, Waiting, StreamHandler]
    called = {name for face in faces for name, value in vars(face).items() if callable(value) and name[0] != "_"}
    assert called == set(RULES)


@pytest.mark.parametrize("event", RULES)
@pytest.mark.parametrize("state", State, ids=lambda state: state.name)
def test_each_pair(event: str, state: State) -> None:
    scene = Scene(state)
    states, prepare = BEFORE.get(event, ((), None))
    if prepare is not None and state in states:
        prepare(scene)
        scene.notes.clear()
    assert scene.happens(event, *ARGUMENTS.get(event, ())) == EXPECTED[event][state]


# What a cell does otherwise

DUE, OPEN, TUNNEL, HALF = State.DUE, State.OPEN, State.TUNNEL, State.HALF


def test_what_has_come_goes_with_the_request() -> None:
    scene = Scene(State.WAITING)
    scene.exchange.receive_body(b"ab")
    scene.exchange.receive_body(b"c")
    assert scene.exchange.size_bytes == 3
    assert scene.happens("send", scene.worker) == (
        "link.open more, link.data abc more, client.credit 3, client.expect 60, > DUE"
    )


def test_a_request_whose_empty_body_has_ended_is_one_frame() -> None:
    scene = Scene(State.WAITING)
    scene.exchange.receive_end(())
    assert scene.happens("send", scene.worker) == "link.open fin, client.expect 60, > DUE"
    scene = Scene(State.WAITING)
    scene.exchange.receive_end([(b"x-t", b"1")])
    assert scene.happens("send", scene.worker) == "link.open more, link.headers x-t fin, client.expect 60, > DUE"


def test_a_request_without_a_body() -> None:
    scene = Scene(State.WAITING, b"GET", has_body=False)
    assert scene.happens("send", scene.worker) == "link.open fin, client.expect 60, > DUE"
    assert scene.happens("on_headers", {b":status": b"103"}, False) == ""
    assert scene.happens("on_whole_reply", {**OK, b"content-length": b"0"}, b"") == (
        f"client.whole 200 -, dispatcher.release, {END}, > DONE"
    )


def test_a_finished_reply_to_a_finished_request_is_not_reset() -> None:
    for event, args, said in (
        ("on_whole_reply", ({**OK, b"content-length": b"2"}, b"ab"), "client.whole 200 ab"),
        ("on_reply", (OK, True), "client.head 200 fin"),
    ):
        scene = Scene(DUE, b"GET", has_body=False)
        scene.stream.remote = 3
        assert scene.happens(event, *args) == f"{said}, dispatcher.release, {END}, > DONE"
        assert scene.stream.handler is None
        assert scene.worker.failures == 0


def test_what_is_kept_counts_where_it_waits() -> None:
    from zerogate.router.queue import Queue

    scene = Scene(State.WAITING)
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
    assert scene.happens("on_writable") == ""


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
    assert scene.happens("on_data", b"", True) == f"client.fin, link.reset 5, dispatcher.release, {END}, > DONE"


def test_a_tunnel_in_pieces() -> None:
    scene = Scene(TUNNEL)
    assert scene.happens("on_data", b"ab", False) == "client.body ab, link.consumed 2"
    assert scene.happens("resume_reply") == ""
    assert scene.happens("on_headers", {b"x-t": b"1"}, False) == ""
    assert scene.happens("receive_end", ()) == "link.data - fin"
    scene.stream.remote = 3
    assert scene.happens("on_data", b"", True) == f"client.fin, dispatcher.release, {END}, > DONE"


def test_a_tunnel_that_ends_as_it_begins() -> None:
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert scene.happens("on_reply", SWITCH, True) == "client.tunnel 101, client.fin, > HALF"
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert scene.happens("on_whole_reply", SWITCH, b"hi") == "client.tunnel 101, client.body hi, client.fin, > HALF"


@pytest.mark.parametrize("event", ["on_reply", "on_whole_reply"])
def test_a_tunnel_that_nobody_asked_for(event: str) -> None:
    scene = Scene(DUE)
    told = scene.happens(event, SWITCH, b"x" if event == "on_whole_reply" else False)
    assert told == (
        f"link.reset 1, dispatcher.blame, dispatcher.release, client.error 502, {END}, "
        "+bad_replies, +worker_failed, > DONE"
    )


def test_no_body_crosses_where_none_may() -> None:
    scene = Scene(DUE, b"HEAD", has_body=False)
    assert scene.happens("on_reply", {**OK, b"content-length": b"7"}, False) == (
        f"client.head 200 fin, link.reset 5, dispatcher.release, {END}, > DONE"
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


def test_a_slow_application_is_waited_for_while_it_reads() -> None:
    scene = Scene(DUE)
    for left in (9, 5, 1):
        scene.stream.pending_bytes = left
        assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == (
        f"link.reset 5, dispatcher.blame, dispatcher.release, client.error 504, {END}, +timeout, > DONE"
    )


def test_whose_fault_a_silence_is() -> None:
    scene = Scene(DUE)
    scene.exchange.receive_end(())
    scene.notes.clear()
    assert "dispatcher.blame, dispatcher.release, client.error 504" in scene.happens("expire")
    scene = Scene(TUNNEL)
    scene.exchange.state = DUE
    assert "dispatcher.blame, dispatcher.release, client.error 504" in scene.happens("expire")
    scene = Scene(DUE, b"GET", has_body=False)
    assert "dispatcher.blame, dispatcher.release, client.error 504" in scene.happens("expire")


def test_a_slow_client_is_waited_for_while_it_reads() -> None:
    scene = Scene(OPEN)
    for left in (9, 5, 1):
        scene.client.unsent = left
        assert scene.happens("expire") == "client.expect 60"
    assert scene.happens("expire") == CUT


def test_a_body_is_asked_for_once_while_it_is_held_back() -> None:
    scene = Scene(State.WAITING)
    scene.exchange.send(scene.worker)
    scene.notes.clear()
    scene.desk.loop.wind(0.9)
    assert not scene.notes
    scene.desk.loop.wind(0.2)
    assert scene.notes == ["client.interim 100", "client.expect 10"]
    scene.notes.clear()
    assert scene.happens("on_headers", {b":status": b"100"}, False) == ""
    for change in ("receive_body", "receive_end", "on_reply", "abandon"):
        scene = Scene(State.WAITING)
        scene.exchange.send(scene.worker)
        getattr(scene.exchange, change)(*ARGUMENTS.get(change, ()))
        scene.notes.clear()
        scene.desk.loop.wind(5.0)
        assert not scene.notes, change


# Again

REFUSED = RstStatus.REFUSED_STREAM


def test_lost_and_sent_again() -> None:
    scene = Scene(DUE, b"GET", has_body=False, retries=2)
    exchange = scene.exchange
    exchange.wait_until = 5.0
    for n_retries in (1, 2):
        assert scene.happens("on_lost", "gone") == "dispatcher.release, dispatcher.submit, +retries, > WAITING"
        assert (exchange.retries, exchange.wait_until) == (n_retries, 0.0)
        assert exchange.tried == {scene.worker.serial}
        exchange.send(scene.worker)
        scene.notes.clear()
    assert scene.happens("on_lost", "gone") == EXPECTED["on_lost"][DUE]


def test_refused_and_sent_again() -> None:
    """However often, whatever its method; but it does not wait longer for it."""
    scene = Scene(DUE, b"POST", retries=0)
    exchange = scene.exchange
    exchange.receive_body(b"kept")
    scene.notes.clear()
    exchange.wait_until = 5.0
    for _ in range(5):
        assert scene.happens("on_reset", REFUSED) == (
            "dispatcher.pause, dispatcher.release, dispatcher.submit, +retries, > WAITING"
        )
        assert (exchange.retries, exchange.wait_until) == (0, 5.0)
        assert scene.happens("send", scene.worker) == (
            "link.open more, link.data kept more, client.expect 60, > DUE"  # its credit was given before
        )


def test_refused_when_the_body_is_no_more() -> None:
    scene = Scene(DUE, b"POST", retry_bytes=4)
    scene.exchange.receive_body(b"12345")
    scene.notes.clear()
    assert scene.happens("on_reset", REFUSED) == (
        f"dispatcher.pause, dispatcher.release, client.error 502, {END}, +worker_failed, > DONE"
    )


@pytest.mark.parametrize("state", [OPEN, TUNNEL, HALF])
def test_refused_amid_a_reply_is_nobody_s_fault(state: State) -> None:
    assert Scene(state).happens("on_reset", REFUSED) == LOST


def test_it_says_what_it_is() -> None:
    scene = Scene(State.WAITING)
    assert repr(scene.exchange) == "<Exchange b'POST' b'/' <RequestBody OPEN, 0 bytes kept> WAITING nobody>"
    scene.exchange.send(scene.worker)
    scene.exchange.on_reply(OK, False)
    assert repr(scene.exchange) == "<Exchange b'POST' b'/' <RequestBody OPEN, not kept> OPEN w>"
    assert repr(Scene(DUE, b"GET", has_body=False).exchange) == "<Exchange b'GET' b'/' DUE w>"

"""What each event does in each state: every pair of the exchange's table, against a table of its own.

A cell is what is told to whom, in order, then what is counted, then the state after it. What isn't in the table fails.
What a cell does otherwise, when there is more to it: the files of the two halves, and of the ways out.
"""

from collections.abc import Callable
from typing import Any

from tests.support.each import each
from tests.support.fakes import FakeLink, make_worker
from tests.support.scene import BAD, CUT, END, FREED, LOST, OK, Scene
from zerogate.link.handlers import StreamHandler
from zerogate.router.exchange import State
from zerogate.router.exchange.exchange import RULES
from zerogate.router.faces import ClientExchange
from zerogate.router.waiting import Waiting
from zerogate.wire.http.errors import BAD_REQUEST, QUEUE_FULL, HttpError
from zerogate.wire.spdy.frames import RstStatus


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
LEFT = "dispatcher.withdraw"
CUT_ABORTED = f"{FREED}, client.cut, {END}, +aborted, +cut, > DONE"
ABANDONED = f"{FREED}, {END}, +aborted, > DONE"
FAILED = f"dispatcher.blame, dispatcher.free_slot, client.cut, {END}, +cut, > DONE"

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
        State.HALF: "link.data abc more, client.credit 3, client.expect 60",
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
        State.TUNNEL: "link.headers x-t fin, client.expect 60",
        State.HALF: f"link.headers x-t fin, dispatcher.free_slot, {END}, > DONE",
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
        State.TUNNEL: IGNORED,  # while it is open at both ends
        State.HALF: CUT,
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
        State.TUNNEL: "client.fin, client.expect 60, > HALF",
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "on_data": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "link.reset 1, dispatcher.blame, dispatcher.free_slot, client.error 502, "
                   f"{END}, +bad_replies, +worker_failed, > DONE",
        State.OPEN: f"client.body xyz, client.fin, {FREED}, {END}, > DONE",
        State.TUNNEL: "client.body xyz, client.fin, client.expect 60, > HALF",
        State.HALF: IGNORED,
        State.DONE: IGNORED,
    },
    "on_writable": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: "client.credit 7, client.expect 10",
        State.OPEN: "client.credit 7",
        State.TUNNEL: "client.credit 7",
        State.HALF: "client.credit 7, client.expect 60",
        State.DONE: IGNORED,
    },
    "on_reset": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: f"dispatcher.blame, dispatcher.free_slot, client.error 502, {END}, +worker_failed, > DONE",
        State.OPEN: FAILED, State.TUNNEL: FAILED, State.HALF: FAILED,
        State.DONE: IGNORED,
    },
    "on_lost": {
        State.COLLECTING: IGNORED,
        State.WAITING: IGNORED,
        State.DUE: f"dispatcher.free_slot, client.error 502, {END}, +worker_lost, > DONE",
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
    faces = [ClientExchange, Waiting, StreamHandler]
    called = {name for face in faces for name, value in vars(face).items() if callable(value) and name[0] != "_"}
    # What a bug does has its own tests.
    assert called - {"break_off", "on_failed"} == set(RULES)


@each("event", RULES)
@each("state", State)
def test_each_pair(event: str, state: State) -> None:
    scene = Scene(state)
    states, prepare = BEFORE.get(event, ((), None))
    if prepare is not None and state in states:
        prepare(scene)
        scene.notes.clear()
    assert scene.happens(event, *ARGUMENTS.get(event, ())) == EXPECTED[event][state]

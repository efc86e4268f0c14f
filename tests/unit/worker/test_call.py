"""A request at the worker: what is said on its link in each stage, and what it hears."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any, cast

import pytest

from tests.support.each import each
from tests.support.virtual_time import run_virtually
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import OPEN, REPLY_DUE, Stream
from zerogate.worker.call import (
    BODY,
    COMPLETE,
    CONTINUE_BLOCK,
    FAILURE_BLOCK,
    FAILURE_BODY,
    GONE,
    HEAD,
    MAX_PENDING_BYTES,
    NEW,
    TRAILERS,
    Call,
    CarefulCall,
)
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.reply_block import reply_block

GET = {b":method": b"GET", b":path": b"/a?b"}
POST = {**GET, b":method": b"POST"}
BLOCK = b"the head"
TRAILERS_BLOCK = b"the trailers"
INTERNAL_ERROR = RstStatus.INTERNAL_ERROR

Said = tuple[Any, ...]


class FakeLink:
    """Notes what is said: `said` is a list of method names and arguments but the stream."""

    def __init__(self) -> None:
        self.said: list[Said] = []

    def __getattr__(self, name: str) -> Callable[..., None]:
        def note(stream: Stream, *arguments: Any) -> None:
            self.said.append((name, *arguments))

        return note

    def take(self) -> list[Said]:
        said, self.said = self.said, []
        return said


class FakeOwner:
    cancel_after = 5.0

    def __init__(self, loop: Any = None) -> None:
        self.loop = loop
        self.calls: set[CarefulCall] = set()
        self.released: list[Any] = []
        self.n_apart = 0

    def free_slot(self, link: Any) -> None:
        self.released.append(link)

    def set_apart(self, link: Any) -> "FakeOwner":
        self.n_apart += 1
        return self


class Setting:
    """A call between two fakes."""

    def __init__(self, fields: dict[bytes, bytes] = GET, fin: bool = True, loop: Any = None) -> None:
        self.owner: Any = FakeOwner(loop)
        self.link: Any = FakeLink()
        self.stream = Stream(1, REPLY_DUE, OPEN, 1 << 16)
        self.call = Call(self.owner, cast(Any, self.link), self.stream, fields, fin)

    def said(self) -> list[Said]:
        found: list[Said] = self.link.take()
        return found


def virtually(main: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """A test on virtual time."""

    def test() -> None:
        run_virtually(main())

    test.__doc__ = main.__doc__
    return test


# The reply: every stage, whatever is asked for

STAGES: dict[str, list[Callable[[Call], Any]]] = {
    "new": [],
    "head": [lambda call: call.begin_reply(BLOCK)],
    "head with trailers": [lambda call: call.begin_reply(BLOCK, True)],
    "body": [lambda call: call.begin_reply(BLOCK), lambda call: call.send_body(b"x", True)],
    "body with trailers": [lambda call: call.begin_reply(BLOCK, True), lambda call: call.send_body(b"x", True)],
    "trailers": [lambda call: call.begin_reply(BLOCK, True), lambda call: call.send_body(b"x", False)],
    "some trailers": [
        lambda call: call.begin_reply(BLOCK, True),
        lambda call: call.send_body(b"x", False),
        lambda call: call.send_trailers(TRAILERS_BLOCK, True),
    ],
    "complete": [lambda call: call.begin_reply(BLOCK), lambda call: call.send_body(b"x", False)],
    "failed": [lambda call: call.break_off()],
    "gone": [lambda call: call.begin_reply(BLOCK), lambda call: call.on_reset(5)],
    "complete, then gone": [
        lambda call: call.begin_reply(BLOCK),
        lambda call: call.send_body(b"x", False),
        lambda call: call.on_lost("gone"),
    ],
}

EVENTS: dict[str, Callable[[Call], Any]] = {
    "interim": lambda call: call.send_interim(b"hints"),
    "begin": lambda call: call.begin_reply(b"another"),
    "piece": lambda call: call.send_body(b"p", True),
    "nothing": lambda call: call.send_body(b"", True),
    "last": lambda call: call.send_body(b"l", False),
    "end": lambda call: call.send_body(b"", False),
    "some trailers": lambda call: call.send_trailers(TRAILERS_BLOCK, True),
    "trailers": lambda call: call.send_trailers(TRAILERS_BLOCK),
    "break_off": lambda call: call.break_off(),
    "reset": lambda call: call.on_reset(5),
    "loss": lambda call: call.on_lost("gone"),
}

FAILURE = [("send_whole_reply", FAILURE_BLOCK, FAILURE_BODY)]
BROKEN = [("reset", INTERNAL_ERROR)]
ERROR = "error"
LEFT = "left"

# What is said, or ERROR, or LEFT for a client that is not there; and the stage after it.
TABLE: dict[str, dict[str, tuple[Any, int]]] = {
    "new": {
        "begin": ([], HEAD),
        "piece": (ERROR, NEW),
        "nothing": (ERROR, NEW),
        "last": (ERROR, NEW),
        "end": (ERROR, NEW),
        "some trailers": (ERROR, NEW),
        "trailers": (ERROR, NEW),
        "break_off": (FAILURE, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "head": {
        "begin": (ERROR, HEAD),
        "piece": ([("send_reply", BLOCK, False), ("send_data", b"p", False)], BODY),
        "nothing": ([("send_reply", BLOCK, False)], BODY),
        "last": ([("send_whole_reply", BLOCK, b"l")], COMPLETE),
        "end": ([("send_reply", BLOCK, True)], COMPLETE),
        "some trailers": (ERROR, HEAD),
        "trailers": (ERROR, HEAD),
        "break_off": (FAILURE, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "head with trailers": {
        "begin": (ERROR, HEAD),
        "piece": ([("send_reply", BLOCK, False), ("send_data", b"p", False)], BODY),
        "nothing": ([("send_reply", BLOCK, False)], BODY),
        "last": ([("send_reply", BLOCK, False), ("send_data", b"l", False)], TRAILERS),
        "end": ([("send_reply", BLOCK, False)], TRAILERS),
        "some trailers": (ERROR, HEAD),
        "trailers": (ERROR, HEAD),
        "break_off": (FAILURE, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "body": {
        "begin": (ERROR, BODY),
        "piece": ([("send_data", b"p", False)], BODY),
        "nothing": ([], BODY),
        "last": ([("send_data", b"l", True)], COMPLETE),
        "end": ([("send_data", b"", True)], COMPLETE),
        "some trailers": (ERROR, BODY),
        "trailers": (ERROR, BODY),
        "break_off": (BROKEN, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "body with trailers": {
        "begin": (ERROR, BODY),
        "piece": ([("send_data", b"p", False)], BODY),
        "nothing": ([], BODY),
        "last": ([("send_data", b"l", False)], TRAILERS),
        "end": ([], TRAILERS),
        "some trailers": (ERROR, BODY),
        "trailers": (ERROR, BODY),
        "break_off": (BROKEN, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "trailers": {
        "begin": (ERROR, TRAILERS),
        "piece": ([], TRAILERS),
        "nothing": ([], TRAILERS),
        "last": ([], TRAILERS),
        "end": ([], TRAILERS),
        "some trailers": ([("send_headers", TRAILERS_BLOCK, False)], TRAILERS),
        "trailers": ([("send_headers", TRAILERS_BLOCK, True)], COMPLETE),
        "break_off": (BROKEN, COMPLETE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
    "complete": {
        "begin": (ERROR, COMPLETE),
        "piece": ([], COMPLETE),
        "nothing": ([], COMPLETE),
        "last": ([], COMPLETE),
        "end": ([], COMPLETE),
        "some trailers": (ERROR, COMPLETE),
        "trailers": (ERROR, COMPLETE),
        "break_off": ([], COMPLETE),
        "reset": ([], COMPLETE),
        "loss": ([], COMPLETE),
    },
    "gone": {
        "begin": (LEFT, GONE),
        "piece": (LEFT, GONE),
        "nothing": (LEFT, GONE),
        "last": (LEFT, GONE),
        "end": (LEFT, GONE),
        "some trailers": (LEFT, GONE),
        "trailers": (LEFT, GONE),
        "break_off": ([], GONE),
        "reset": ([], GONE),
        "loss": ([], GONE),
    },
}
for row in TABLE.values():
    row["interim"] = row["begin"]  # it comes too late wherever a beginning does
TABLE["new"]["interim"] = ([("send_headers", b"hints", False)], NEW)
TABLE["some trailers"] = TABLE["trailers"]
TABLE["failed"] = TABLE["complete, then gone"] = TABLE["complete"]


@each("event", EVENTS)
@each("stage", STAGES)
def test_what_is_said(stage: str, event: str) -> None:
    setting = Setting()
    for step in STAGES[stage]:
        step(setting.call)
    setting.said()
    expected, after = TABLE[stage][event]
    if expected in (ERROR, LEFT):
        with pytest.raises(ApplicationError if expected is ERROR else ClientDisconnected):
            EVENTS[event](setting.call)
        expected = []
    else:
        EVENTS[event](setting.call)
    assert setting.said() == expected
    assert setting.call.stage == after


@pytest.mark.parametrize("stage", STAGES)
def test_the_end(stage: str, caplog: pytest.LogCaptureFixture) -> None:
    """Whatever was said, the stream has an end, and nothing of the call is left."""
    setting = Setting()
    for step in STAGES[stage]:
        step(setting.call)
    setting.said()
    setting.call.work = cast(Any, setting)
    assert setting.owner.calls == {setting.call}
    assert setting.owner.released == []
    setting.call.end()
    assert setting.said() == TABLE[stage]["break_off"][0]
    assert setting.owner.released == [setting.link]
    assert setting.owner.calls == set()
    # Nothing refers back to it.
    assert setting.stream.handler is None
    assert setting.call.work is None
    is_told = "GET /a: the application ended without a complete reply" in caplog.messages
    assert is_told == (TABLE[stage]["break_off"][0] != [])


def test_there_is_one_end() -> None:
    setting = Setting()
    setting.call.end()
    with pytest.raises(KeyError):
        setting.call.end()
    assert setting.owner.released == [setting.link]


def test_what_comes_after_the_end_is_told(caplog: pytest.LogCaptureFixture) -> None:
    setting = Setting()
    EVENTS["begin"](setting.call)
    EVENTS["last"](setting.call)
    with caplog.at_level(logging.WARNING, "zerogate.worker"):
        assert not setting.call.send_body(b"more", True)
    assert caplog.messages == ["GET /a: body sent after the end"]


def test_state_is_seen() -> None:
    setting = Setting()
    assert repr(setting.call) == "<Call GET /a NEW>"
    setting.call.on_reset(5)
    assert repr(setting.call) == "<Call GET /a GONE>"
    assert repr(Setting({}).call) == "<Call - - NEW>"
    assert repr(Setting({b":method": b'"', b":path": b"/\r\x85?secret"}).call) == '<Call \\" /\\x0d\\x85 NEW>'


# Backpressure


@virtually
async def test_who_sends_too_much_waits() -> None:
    setting = Setting(loop=asyncio.get_running_loop())
    setting.call.begin_reply(BLOCK)
    setting.stream.pending_bytes = MAX_PENDING_BYTES
    assert not setting.call.send_body(b"x", True)
    await setting.call.drain()
    setting.stream.pending_bytes += 1
    assert setting.call.send_body(b"x", True)
    waiting = asyncio.ensure_future(setting.call.drain())
    for _ in range(2):
        await asyncio.sleep(0.1)
        assert not waiting.done()
        setting.call.on_writable()
    setting.stream.pending_bytes -= 1
    setting.call.on_writable()
    await waiting


@pytest.mark.parametrize("data", [b"", b"x"])
def test_a_last_piece_may_have_to_wait_too(data: bytes) -> None:
    setting = Setting()
    setting.call.begin_reply(BLOCK)
    setting.stream.pending_bytes = MAX_PENDING_BYTES + 1
    assert setting.call.send_body(data, False)


@pytest.mark.parametrize("how", ["reset", "lost"])
def test_nobody_waits_for_who_has_left(how: str) -> None:
    async def main() -> None:
        setting = Setting(loop=asyncio.get_running_loop())
        setting.call.begin_reply(BLOCK)
        setting.stream.pending_bytes = MAX_PENDING_BYTES + 1
        assert setting.call.send_body(b"x", True)
        waiting = asyncio.ensure_future(setting.call.drain())
        await asyncio.sleep(0)
        leave(setting.call, how)
        with pytest.raises(ClientDisconnected):
            await waiting

    run_virtually(main())


@virtually
async def test_nobody_waits_after_a_complete_reply_either() -> None:
    """But all has been said: who has sent it is not told that it was in vain."""
    setting = Setting(loop=asyncio.get_running_loop())
    setting.call.begin_reply(BLOCK)
    setting.stream.pending_bytes = MAX_PENDING_BYTES + 1
    assert setting.call.send_body(b"x", False)
    waiting = asyncio.ensure_future(setting.call.drain())
    await asyncio.sleep(0)
    setting.call.on_lost("gone")
    await waiting


# The request's body


def test_without_a_body() -> None:
    call = Setting().call
    assert call.has_body_ended
    # Once: an empty body, which is complete.
    assert call.take_body() == b""
    assert call.take_body() is None


def test_pieces_are_taken_as_they_have_come() -> None:
    setting = Setting(POST, fin=False)
    call = setting.call
    assert call.take_body() is None
    assert not call.has_body_ended
    call.on_data(b"a", False)
    call.on_data(b"b", False)
    assert setting.said() == []
    assert call.take_body() == b"ab"
    # Credit is given when they are taken, and only while more may come.
    assert setting.said() == [("consumed", 2)]
    call.on_data(b"c", True)
    assert call.has_body_ended
    assert call.take_body() == b"c"
    assert setting.said() == []
    assert call.take_body() is None


@pytest.mark.parametrize("how", ["data", "trailers"])
def test_an_end_without_data(how: str) -> None:
    setting = Setting(POST, fin=False)
    call = setting.call
    call.on_data(b"a", False)
    assert call.take_body() == b"a"
    if how == "data":
        call.on_data(b"", True)
    else:
        call.on_headers({b"x": b"y"}, False)
        assert call.take_body() is None
        call.on_headers({b"x": b"y"}, True)
    assert (call.take_body(), call.has_body_ended) == (b"", True)


def test_what_nobody_will_take_is_consumed() -> None:
    setting = Setting(POST, fin=False)
    setting.call.begin_reply(BLOCK)
    setting.call.send_body(b"x", False)
    setting.said()
    setting.call.on_data(b"abc", False)
    assert setting.said() == [("consumed", 3)]
    assert setting.call.take_body() is None


def test_what_follows_an_upgrade_that_nobody_takes_is_no_body() -> None:
    setting = Setting({**GET, b"upgrade": b"websocket"}, fin=False)
    assert setting.call.has_body_ended
    setting.call.on_data(b"abc", False)
    assert setting.said() == [("consumed", 3)]
    assert setting.call.take_body() == b""


@virtually
async def test_reading_waits_for_the_next_piece() -> None:
    setting = Setting(POST, fin=False, loop=asyncio.get_running_loop())
    call = setting.call
    call.on_data(b"a", False)
    assert await call.read_body() == b"a"
    reading = asyncio.ensure_future(call.read_body())
    await asyncio.sleep(0.1)
    assert not reading.done()
    call.on_writable()  # is no news
    await asyncio.sleep(0.1)
    assert not reading.done()
    call.on_data(b"b", True)
    assert await reading == b"b"


@virtually
async def test_who_gives_up_reading_leaves_nothing_behind() -> None:
    """As whoever asks every now and then whether the client has left."""
    setting = Setting(POST, fin=False, loop=asyncio.get_running_loop())
    patient = asyncio.ensure_future(setting.call.read_body())
    for _ in range(100):
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(setting.call.read_body(), 0.1)
    assert len(setting.call._waiters) == 1
    setting.call.on_data(b"a", False)
    assert await patient == b"a"
    assert not setting.call._waiters


@virtually
async def test_who_is_woken_and_cancelled_at_once_takes_nothing() -> None:
    setting = Setting(POST, fin=False, loop=asyncio.get_running_loop())
    hasty, patient = (asyncio.ensure_future(setting.call.read_body()) for _ in range(2))
    await asyncio.sleep(0)
    setting.call.on_data(b"a", False)
    hasty.cancel()
    assert await patient == b"a"
    assert hasty.cancelled()
    hasty = asyncio.ensure_future(setting.call.read_body())
    await asyncio.sleep(0)
    hasty.cancel()
    setting.call.on_data(b"b", False)
    assert await setting.call.read_body() == b"b"


@virtually
async def test_several_may_read() -> None:
    """Each piece goes to one of them, and the end of the call to all."""
    setting = Setting(POST, fin=False, loop=asyncio.get_running_loop())
    readers = [asyncio.ensure_future(setting.call.read_body()) for _ in range(3)]
    await asyncio.sleep(0)
    setting.call.on_data(b"a", False)
    await asyncio.sleep(0.1)
    assert sorted(reader.done() for reader in readers) == [False, False, True]
    setting.call.on_data(b"", True)
    await asyncio.sleep(0.1)
    assert sum(reader.done() for reader in readers) == 2
    setting.call.on_reset(5)
    assert sorted(await asyncio.gather(*readers), key=repr) == [None, b"", b"a"]


@each("how", ["reset", "lost", "complete", "failed"])
def test_reading_ends_with_the_call(how: str) -> None:
    async def main() -> None:
        setting = Setting(POST, fin=False, loop=asyncio.get_running_loop())
        call = setting.call
        reading = asyncio.ensure_future(call.read_body())
        await asyncio.sleep(0)
        if how == "complete":
            call.begin_reply(BLOCK)
            call.send_body(b"x", False)
        elif how == "failed":
            call.break_off()
        else:
            leave(call, how)
        assert await reading is None
        assert await call.read_body() is None

    run_virtually(main())


@virtually
async def test_a_body_that_has_come_is_nothing_to_who_has_left() -> None:
    call = Setting(POST, fin=False, loop=asyncio.get_running_loop()).call
    call.on_data(b"a", False)
    call.on_reset(5)
    assert await call.read_body() is None


@virtually
async def test_who_asks_on_and_on_costs_a_turn_each_time() -> None:
    call = Setting(POST, fin=False, loop=asyncio.get_running_loop()).call
    call.on_reset(5)

    async def ask() -> None:
        while True:
            assert await call.read_body() is None

    asking = asyncio.ensure_future(ask())
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking


# Expect: 100-continue


def expecting() -> Setting:
    return Setting({**POST, b"expect": b"100-Continue"}, fin=False, loop=asyncio.get_running_loop())


@virtually
async def test_who_reads_asks_for_the_body_once() -> None:
    setting = expecting()
    assert setting.call.take_body() is None
    assert setting.said() == []
    for _ in range(2):
        reading = asyncio.ensure_future(setting.call.read_body())
        await asyncio.sleep(0)
        reading.cancel()
    setting.call.on_writable()  # nobody minds
    assert setting.said() == [("send_headers", CONTINUE_BLOCK, False)]


@virtually
async def test_a_body_that_has_come_need_not_be_asked_for() -> None:
    setting = expecting()
    setting.call.on_data(b"a", False)
    assert await setting.call.read_body() == b"a"
    assert setting.said() == [("consumed", 1)]


@virtually
async def test_a_known_head_may_still_be_overtaken_but_a_sent_one_may_not() -> None:
    setting = expecting()
    setting.call.begin_reply(BLOCK)
    setting.call.ask_for_body()
    assert setting.said() == [("send_headers", CONTINUE_BLOCK, False)]
    setting = expecting()
    setting.call.begin_reply(BLOCK)
    setting.call.send_body(b"x", True)
    setting.said()
    setting.call.ask_for_body()
    assert setting.said() == []


# Who leaves


def leave(call: Call, how: str) -> None:
    if how == "reset":
        call.on_reset(RstStatus.CANCEL)
    else:
        call.on_lost("gone")


async def sleep_long(notes: list[float]) -> None:
    loop = asyncio.get_running_loop()
    began_at = loop.time()
    try:
        await asyncio.sleep(1000)
    finally:
        notes.append(loop.time() - began_at)


@pytest.mark.parametrize("how", ["reset", "lost"])
def test_work_goes_on_a_while_when_nobody_waits_for_it(how: str) -> None:
    async def main() -> None:
        setting = Setting(loop=asyncio.get_running_loop())
        notes: list[float] = []
        setting.call.work = asyncio.ensure_future(sleep_long(notes))
        await asyncio.sleep(0)
        leave(setting.call, how)
        assert setting.call.is_gone
        await asyncio.wait([setting.call.work])
        assert notes == [pytest.approx(setting.owner.cancel_after, abs=0.01)]
        assert setting.owner.released == []
        setting.call.end()
        assert setting.said() == []
        assert setting.owner.released == [setting.link]

    run_virtually(main())


@virtually
async def test_work_that_ends_in_time_is_not_cancelled() -> None:
    setting = Setting(loop=asyncio.get_running_loop())
    setting.call.work = work = asyncio.ensure_future(asyncio.sleep(1000))
    setting.call.on_reset(5)
    setting.call.end()
    await asyncio.sleep(2 * setting.owner.cancel_after)
    assert not work.done()
    work.cancel()


@virtually
async def test_work_after_a_complete_reply_is_not_cancelled() -> None:
    setting = Setting(loop=asyncio.get_running_loop())
    setting.call.begin_reply(BLOCK)
    setting.call.send_body(b"x", False)
    setting.call.work = asyncio.ensure_future(asyncio.sleep(1000))
    setting.call.on_reset(5)
    setting.call.on_lost("both")
    await asyncio.sleep(2 * setting.owner.cancel_after)
    assert not setting.call.work.done()
    setting.call.work.cancel()


def test_who_leaves_before_work_has_begun() -> None:
    setting = Setting()
    setting.call.on_reset(5)
    setting.call.on_lost("both")
    setting.call.end()
    assert setting.said() == []
    assert setting.owner.calls == set()


def test_nothing_fails_for_who_has_left() -> None:
    setting = Setting()
    setting.call.on_reset(5)
    setting.call.break_off()
    assert setting.said() == []


def test_a_stream_of_events_is_set_apart_once_and_a_whole_one_is_not() -> None:
    events = reply_block(200, [(b"content-type", b"text/event-stream; charset=utf-8")])
    for block, more, n_apart in ((events, True, 1), (events, False, 0), (reply_block(200, []), True, 0)):
        setting = Setting()
        setting.call.begin_reply(block)
        setting.call.send_body(b"data: x\n\n", more)
        if more:
            setting.call.send_body(b"data: y\n\n", True)
        assert setting.owner.n_apart == n_apart


def test_a_router_does_not_reply() -> None:
    setting = Setting()
    setting.call.on_reply({}, False)
    assert setting.said() == [("reset", RstStatus.PROTOCOL_ERROR)]
    assert setting.call.stage == GONE


# The body, collected


@virtually
async def test_a_body_is_waited_for_as_long_as_is_wanted() -> None:
    setting = Setting(POST, False, asyncio.get_running_loop())
    waiting = asyncio.ensure_future(setting.call.collect_body(5))
    for piece in (b"ab", b"cd"):
        setting.call.on_data(piece, False)
        await asyncio.sleep(0.1)
        assert not waiting.done()
    setting.call.on_data(b"e", False)
    await waiting
    await setting.call.collect_body(5)
    waiting = asyncio.ensure_future(setting.call.collect_body(100))
    await asyncio.sleep(0.1)
    setting.call.on_data(b"", True)
    await waiting
    assert setting.call.take_body() == b"abcde"
    setting = Setting(POST, False, asyncio.get_running_loop())
    waiting = asyncio.ensure_future(setting.call.collect_body(5))
    await asyncio.sleep(0.1)
    setting.call.on_reset(5)
    await waiting


@virtually
async def test_a_reset_says_nothing_in_place_of_the_reply() -> None:
    setting = Setting()
    setting.call.reset(RstStatus.REFUSED_STREAM)
    assert setting.said() == [("reset", RstStatus.REFUSED_STREAM)]
    assert setting.call.stage == COMPLETE
    setting.call.reset(INTERNAL_ERROR)
    assert setting.said() == []
    setting = Setting()
    setting.call.begin_reply(BLOCK)
    setting.call.reset(INTERNAL_ERROR)
    assert setting.said() == [("reset", INTERNAL_ERROR)]

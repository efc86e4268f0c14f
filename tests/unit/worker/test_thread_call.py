"""A call as a thread sees it: whatever happens, who waits is answered. `test_wsgi.py` has it with a real link."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, cast

from tests.support.each import each
from tests.support.router_end import until
from zerogate.worker.errors import ClientDisconnected
from zerogate.worker.thread_call import MAX_UNSENT_BYTES, ThreadCall
from zerogate.worker.threads import Threads


class FakeCall:
    """Has `pieces` of a body, and notes what it is told."""

    def __init__(self, *pieces: bytes, has_body_ended: bool = False, is_full: bool = False) -> None:
        self.pieces = [*pieces]
        self._is_whole = has_body_ended
        self.is_full = is_full
        self.is_gone = False
        self.notes: list[Any] = []
        self.may_go_on = asyncio.Event()
        self.work: Any = None
        self.fails: Exception | None = None
        self.label = "GET /"

    @property
    def has_body_ended(self) -> bool:
        return self._is_whole and not self.pieces

    def take_body(self) -> bytes | None:
        if self.fails:
            raise self.fails
        return self.pieces.pop(0) if self.pieces else None

    async def read_body(self) -> bytes | None:
        await self.may_go_on.wait()
        return self.take_body()

    def begin_reply(self, block: bytes) -> None:
        self.notes.append(("head", block))

    def send_body(self, data: bytes, more: bool) -> bool:
        self.notes.append((len(data), more))
        return self.is_full

    async def drain(self) -> None:
        await self.may_go_on.wait()
        if self.is_gone:
            raise ClientDisconnected("left")

    def break_off(self) -> None:
        self.notes.append("break off")

    def end(self) -> None:
        self.notes.append("end")


class InThread:
    """Something done in a thread. `outcome` is what came of it."""

    def __init__(self, work: Callable[[], Any]) -> None:
        self._work = work
        self.outcome: Any = None
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.outcome = self._work()
        except Exception as error:
            self.outcome = error

    async def done(self) -> Any:
        await until(lambda: not self.thread.is_alive(), "the thread is done")
        return self.outcome


def trying(test: Callable[[Callable[[FakeCall], ThreadCall]], Any]) -> None:
    async def main() -> None:
        threads = Threads(1)

        def make(call: FakeCall) -> ThreadCall:
            made = ThreadCall(threads, cast(Any, call))
            call.work = made
            return made

        await test(make)

    asyncio.run(main())


Make = Callable[[FakeCall], ThreadCall]


def test_what_is_here_is_handed_over_with_it() -> None:
    async def test(make: Make) -> None:
        one = make(FakeCall(b"all", has_body_ended=True))
        assert (one.body, one.has_body_ended, one.read_body()) == (b"all", True, b"")
        two = make(FakeCall(b"some"))
        assert (two.body, two.has_body_ended) == (b"some", False)
        three = make(FakeCall())
        assert (three.body, three.has_body_ended) == (None, False)
        assert repr(three) == "<ThreadCall GET />"

    trying(test)


def test_a_body_is_read_as_it_comes() -> None:
    async def test(make: Make) -> None:
        call = FakeCall(b"one", b"two", has_body_ended=True)
        made = make(call)
        assert await InThread(made.read_body).done() == b"two"
        assert made.has_body_ended
        call = FakeCall(b"one")
        made = make(call)
        reading = InThread(made.read_body)
        await until(lambda: made._waiting, "it waits")
        call.pieces += [b"two", b"three"]
        call.may_go_on.set()
        assert await reading.done() == b"two"
        assert not made.has_body_ended

    trying(test)


def test_a_client_that_leaves_answers_who_reads() -> None:
    async def test(make: Make) -> None:
        call = FakeCall()
        reading = InThread(make(call).read_body)
        call.may_go_on.set()  # there will be none
        assert type(await reading.done()) is ClientDisconnected

    trying(test)


def test_who_comes_too_late_waits_for_nobody() -> None:
    """Where the event loop is closed by then nobody would ever answer."""
    made: list[ThreadCall] = []

    async def test(make: Make) -> None:
        made.append(make(FakeCall(b"some")))
        made[0].cancel()

    trying(test)
    late = InThread(made[0].read_body)
    late.thread.join(10)
    assert type(late.outcome) is ClientDisconnected


@each("what", ["read", "drain"])
@each("is_early", [False, True])
def test_who_is_given_up_hears_of_it(what: str, is_early: bool) -> None:
    async def test(make: Make) -> None:
        call = FakeCall(is_full=True)
        made = make(call)
        if what == "read":
            waiting = InThread(made.read_body)
        else:
            waiting = InThread(lambda: made.begin_reply(b"h", bytes(MAX_UNSENT_BYTES + 1), True))
        if not is_early:
            await until(lambda: made._waiting, "it waits")
        made.cancel()
        assert type(await waiting.done()) is ClientDisconnected
        assert "break off" in call.notes
        # And nothing more is said of it.
        before = [*call.notes]
        assert type(await InThread(lambda: made.send_body(b"x", False)).done()) is ClientDisconnected
        await asyncio.sleep(0.01)
        assert call.notes == before

    trying(test)


def test_what_was_on_its_way_when_it_was_given_up_is_dropped() -> None:
    async def test(make: Make) -> None:
        call = FakeCall()
        made = make(call)
        made.begin_reply(b"h", b"x", True)
        made.send_body(b"y", False)
        made.cancel()
        made.end(has_failed=False)
        await until(lambda: "end" in call.notes, "its end")
        assert call.notes == ["break off", "end"]

    trying(test)


def test_whatever_goes_wrong_who_waits_is_answered() -> None:
    async def test(make: Make) -> None:
        call = FakeCall()
        made = make(call)
        call.fails = ArithmeticError("a bug")
        assert await InThread(made.read_body).done() is call.fails
        call.fails = None
        reading = InThread(made.read_body)
        await until(lambda: made._waiting, "it waits")
        call.fails = ArithmeticError("another")
        call.may_go_on.set()
        assert await reading.done() is call.fails

    trying(test)


def test_little_is_not_waited_for() -> None:
    async def test(make: Make) -> None:
        call = FakeCall(is_full=True)
        made = make(call)
        made.begin_reply(b"h", bytes(MAX_UNSENT_BYTES), True)
        made.send_body(bytes(2 * MAX_UNSENT_BYTES), False)
        made.end(has_failed=True)
        await until(lambda: "break off" in call.notes, "all of it")
        # The slot is taken for as long as much waits, and free then.
        assert call.notes == [("head", b"h"), (MAX_UNSENT_BYTES, True), (2 * MAX_UNSENT_BYTES, False), "break off"]
        call.may_go_on.set()
        await until(lambda: call.notes[-1] == "end", "its end")

    trying(test)


def test_much_is_waited_for_until_it_has_gone_on() -> None:
    async def test(make: Make) -> None:
        call = FakeCall()
        made = make(call)
        # It was on its way only: nobody has to wait for anything.
        assert await InThread(lambda: made.begin_reply(b"h", bytes(MAX_UNSENT_BYTES + 1), True)).done() is None
        call.is_full = True
        sending = InThread(lambda: made.send_body(bytes(MAX_UNSENT_BYTES + 1), True))
        await until(lambda: made._waiting, "it waits")
        assert sending.thread.is_alive()
        call.may_go_on.set()
        assert await sending.done() is None

    trying(test)

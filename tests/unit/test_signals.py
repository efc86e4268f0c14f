"""The signals that stop a process: noted before there is an event loop, heeded with one."""

import asyncio
import signal
from collections.abc import Iterator

import pytest

from zerogate.signals import note_signals, raise_noted, stop_on_signals

NUMBERS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    handlers = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)
    note_signals()


def heed(*numbers: int) -> list[str]:
    """What is called when an event loop begins to heed them, and these come."""
    called: list[str] = []

    async def main() -> None:
        stopping = asyncio.Event()

        def stop() -> None:
            called.append("stop")
            stopping.set()

        stop_on_signals(stop, lambda: called.append("at once"), lambda: called.append("first"))
        for number in numbers:
            signal.raise_signal(number)
        called.append("up")
        if "first" in called:
            await asyncio.wait_for(stopping.wait(), 5.0)

    asyncio.run(main())
    return called


@pytest.mark.parametrize("number", NUMBERS)
def test_what_comes_before_there_is_an_event_loop_stops_it(number: int) -> None:
    note_signals(*NUMBERS)
    signal.raise_signal(number)
    assert heed() == ["first", "up", "stop"]
    # It has been heeded: the next one is not stopped by it.
    assert heed() == ["up"]


def test_the_next_one_is_the_second() -> None:
    note_signals(*NUMBERS)
    signal.raise_signal(signal.SIGINT)
    assert heed(signal.SIGTERM) == ["first", "at once", "up", "stop"]


def test_a_second_one_does_not_wait_for_an_event_loop() -> None:
    note_signals(*NUMBERS)
    signal.raise_signal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_none_is_noted_twice() -> None:
    note_signals(*NUMBERS)
    signal.raise_signal(signal.SIGTERM)
    note_signals(*NUMBERS)
    assert heed() == ["up"]


def test_what_is_ignored_is_noted_as_the_event_loop_would_heed_it() -> None:
    """A shell has the jobs that it puts into the background ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    note_signals(*NUMBERS)
    signal.raise_signal(signal.SIGINT)
    assert heed() == ["first", "up", "stop"]


def test_with_an_event_loop_the_first_stops_and_the_second_ends() -> None:
    assert heed(signal.SIGTERM, signal.SIGINT) == ["first", "at once", "up", "stop"]


def test_without_any_it_runs() -> None:
    assert heed() == ["up"]


def test_where_something_may_hang_the_first_one_interrupts() -> None:
    note_signals(*NUMBERS, interrupts=True)
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_interruption_that_the_interpreter_drops_is_not_lost() -> None:
    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    note_signals(*NUMBERS, interrupts=True)
    Dropping()
    assert heed() == ["first", "up", "stop"]


def test_what_nobody_has_heeded_goes_to_who_handles_signals_then() -> None:
    came: list[int] = []
    note_signals(*NUMBERS)
    signal.raise_signal(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda number, _: came.append(number))
    for _ in range(2):
        raise_noted()
        assert came == [signal.SIGTERM]

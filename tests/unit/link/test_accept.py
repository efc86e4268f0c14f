"""Accepting, when descriptors or memory have run out."""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest
import uvloop

from tests.support.router_end import until
from zerogate.link import accept
from zerogate.link.bind import Place, bind, tcp_places

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a coroutine in an event loop of each kind."""

    def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run_in_loop


def local_place(port: int = 0) -> Place:
    return tcp_places("127.0.0.1", port, "--http x")[0]


@contextlib.contextmanager
def clients(port: int, n: int) -> Iterator[list[socket.socket]]:
    """So many connections, as far as the kernel is concerned."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)) for _ in range(n)]


class Exhausted:
    """A listening socket that finds no descriptor, so many times."""

    def __init__(self, sock: socket.socket, times: int, number: int) -> None:
        self._sock = sock
        self._times = times
        self._number = number
        self.n_tries = 0

    def accept(self) -> tuple[socket.socket, Any]:
        self.n_tries += 1
        if self.n_tries <= self._times:
            raise OSError(self._number, os.strerror(self._number))
        return self._sock.accept()

    def fileno(self) -> int:
        return self._sock.fileno()


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM])
def test_without_descriptors_connections_wait(
    number: int,
    run: Callable[[Coroutine[Any, Any, None]], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(accept, "PAUSE_S", 0.01)
    taken: list[socket.socket] = []

    async def main() -> None:
        with bind(local_place()) as sock:
            sock.setblocking(False)
            exhausted: Any = Exhausted(sock, 3, number)
            acceptor = accept.Acceptor(exhausted, taken.append, "--http x")
            acceptor.resume()
            with clients(sock.getsockname()[1], 2):
                await until(lambda: len(taken) == 2, "they are taken")
            acceptor.pause()
            assert acceptor.n_pauses == 3
            # One try for each time, and then two and one that finds nobody.
            assert exhausted.n_tries <= 3 + 4

    run(main())
    for each in taken:
        each.close()
    assert len([record for record in caplog.records if "have to wait" in record.message]) == 1


class FakeTurn:
    """Whose turn it is is what the test says."""

    def __init__(self, answers: list[bool]) -> None:
        self.answers = answers
        self.n_taken = 0

    def is_ours(self) -> bool:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    def taken(self) -> None:
        self.n_taken += 1


@pytest.mark.parametrize(
    ("answers", "n_patient"),
    [([True], 0), ([False, True], 1), ([False, False, True], 1), ([False], 2)],
    ids=["ours", "ours in the end", "nobody took it", "nobody ever does"],
)
def test_whom_another_should_take_is_left_to_it_for_a_moment(
    answers: list[bool],
    n_patient: int,
    run: Callable[[Coroutine[Any, Any, None]], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pauses: list[float] = []
    taken: list[socket.socket] = []
    turn = FakeTurn([*answers])

    async def main() -> None:
        monkeypatch.setattr(accept, "YIELD_S", 0.01)
        monkeypatch.setattr(accept, "MAX_YIELDS", 2)
        monkeypatch.setattr(accept, "IMPATIENT_S", 60.0)
        with bind(local_place()) as sock:
            sock.setblocking(False)
            acceptor = accept.Acceptor(sock, taken.append, "--http x", turn=turn)
            pause = acceptor.pause

            def counted() -> None:
                pauses.append(0.0)
                pause()

            monkeypatch.setattr(acceptor, "pause", counted)
            acceptor.resume()
            with clients(sock.getsockname()[1], 3):
                await until(lambda: len(taken) == 3, "they are taken")
            acceptor.pause()

    run(main())
    for each in taken:
        each.close()
    assert turn.n_taken == 3
    # One by `resume`, the last one, and two for each time that it was left to another.
    assert len(pauses) - 2 == 2 * n_patient

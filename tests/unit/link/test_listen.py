"""Listening: who has an address, what happens to those who have connected, and what when descriptors run out."""

import asyncio
import contextlib
import errno
import os
import socket
import stat
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from tests.support.router_end import until
from zerogate.errors import StartError
from zerogate.link import accept
from zerogate.link.bind import Place, TakenError, bind, endpoint_places, place_of, tcp_places
from zerogate.link.endpoint import parse_endpoint
from zerogate.link.listen import Listener

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    """Runs a coroutine in an event loop of each kind."""

    def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run_in_loop


class Greeter(asyncio.Protocol):
    """Says how many were before it."""

    made = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.WriteTransport, transport).write(b"%d" % Greeter.made)
        transport.close()
        Greeter.made += 1


@pytest.fixture(autouse=True)
def nobody_yet() -> None:
    Greeter.made = 0


def local_place(port: int = 0) -> Place:
    return tcp_places("127.0.0.1", port, "--http x")[0]


@contextlib.contextmanager
def clients(port: int, n: int) -> Iterator[list[socket.socket]]:
    """So many connections, as far as the kernel is concerned."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=5)) for _ in range(n)]


# Owners


def test_a_port_has_one_owner() -> None:
    with bind(local_place()) as sock, pytest.raises(TakenError):
        bind(local_place(sock.getsockname()[1]))


def test_a_unix_socket_has_one_owner(tmp_path: Path) -> None:
    (place,) = endpoint_places(parse_endpoint(f"ipc://{tmp_path}/s"), "--bind x")
    with bind(place), pytest.raises(TakenError):
        bind(place)
    bind(place).close()  # The one that listened there is gone.
    assert os.listdir(tmp_path) == ["s"]


def test_a_file_is_not_a_socket_that_was_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_text("precious")
    with pytest.raises(StartError, match="file"):
        bind(Place("--bind x", socket.AF_UNIX, str(path)))
    assert path.read_text() == "precious"


@pytest.mark.parametrize("mode", [0o600, 0o660, 0o666])
def test_a_unix_sockets_mode(tmp_path: Path, mode: int) -> None:
    (place,) = endpoint_places(parse_endpoint(f"ipc://{tmp_path}/s"), "--bind x", mode)
    with bind(place):
        assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == mode


@pytest.mark.parametrize("where", ["no-such-directory/s", f"{'x' * 100}/s"])
def test_where_no_socket_can_be(tmp_path: Path, where: str) -> None:
    with pytest.raises(StartError):
        bind(Place("--bind x", socket.AF_UNIX, str(tmp_path / where)))


def test_what_does_not_listen_is_not_inherited() -> None:
    with socket.socket() as sock, pytest.raises(StartError, match="not a listening"):
        place_of(sock, "--http (from systemd)")


def test_a_place_has_one_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert Place("a", socket.AF_UNIX, "s").key == Place("b", socket.AF_UNIX, f"{tmp_path}/s").key
    assert Place("a", socket.AF_INET6, ("::1", 80, 0, 0)).key == "tcp [::1]:80"
    assert local_place(80).key == "tcp 127.0.0.1:80"


# Those who have connected


def test_who_has_connected_is_taken_before_it_closes(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    """None of them is accepted when it stops, and all have their protocols when it has stopped."""

    async def main() -> None:
        listener = Listener(bind(local_place()), local_place())
        listener.start(Greeter)
        with clients(listener.port, 20) as socks:
            await listener.stop()
            assert Greeter.made == 20
            assert sorted(int(sock.recv(10)) for sock in socks) == list(range(20))
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", listener.port))

    run(main())


def test_who_waits_at_a_successors_socket_is_left_to_it(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        sock = bind(local_place())
        old, new = Listener(sock.dup(), local_place()), Listener(sock, local_place(), is_inherited=True)
        old.start(Greeter)
        old.pause()
        with clients(old.port, 3) as socks:
            old.leave()
            await old.stop()
            assert Greeter.made == 0
            new.start(Greeter)
            await until(lambda: Greeter.made == 3, "the successor takes them")
            assert sorted(sock.recv(10) for sock in socks) == [b"0", b"1", b"2"]
        await new.stop()

    run(main())


def test_a_pause_loses_nobody(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        listener = Listener(bind(local_place()), local_place())
        listener.start(Greeter)
        listener.pause()
        with clients(listener.port, 3):
            await asyncio.sleep(0)
            assert Greeter.made == 0
            listener.resume()
            await until(lambda: Greeter.made == 3, "they are taken")
        listener.close()

    run(main())


def test_a_unix_path_goes_with_its_owner(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "s"
        place = Place("--bind x", socket.AF_UNIX, str(path))
        first = Listener(bind(place), place)
        first.leave()
        await first.stop()
        assert path.exists()
        second = Listener(bind(place), place)
        path.unlink()
        third = Listener(bind(place), place)
        await second.stop()
        assert path.exists()  # It is another one's by now.
        await third.stop()
        assert not path.exists()

    asyncio.run(main())


# No room


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


def test_where_there_is_no_room_connections_wait(
    run: Callable[[Coroutine[Any, Any, None]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accept, "PAUSE_S", 0.01)

    async def main() -> None:
        room = 2
        listener = Listener(bind(local_place()), local_place())
        listener.start(Greeter, lambda n_connecting: Greeter.made + n_connecting < room)
        with clients(listener.port, 5):
            await until(lambda: listener.n_pauses > 2, "it looks again and again")
            assert Greeter.made == 2
            room = 10
            await until(lambda: Greeter.made == 5, "they are taken")
        listener.close()

    run(main())

"""Listening: who has an address, what happens to those who have connected, and what when descriptors run out."""

import asyncio
import contextlib
import socket
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import uvloop

from tests.support.router_end import until
from zerogate.link import accept
from zerogate.link.bind import Place, bind, tcp_places
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
            old.hand_over()
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
        first.hand_over()
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

"""A takeover within one process: what the two routers say, whom they believe, and where they meet."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop

from tests.support.router_end import until
from zerogate import runtime
from zerogate.errors import StartError
from zerogate.router import rendezvous, takeover
from zerogate.router.rendezvous import call, name_of
from zerogate.router.takeover import Predecessor, Successor, who_has
from zerogate.runtime import Peer, make_directory

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=LOOPS)
def run(request: pytest.FixtureRequest) -> Callable[[Coroutine[Any, Any, None]], None]:
    def run_in_loop(main: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=LOOPS[request.param]) as runner:
            runner.run(main)

    return run_in_loop


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A place of the test's own to meet."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "zerogate"


class Holder:
    """A router that has one socket, and notes what is asked of it."""

    def __init__(self, n_workers: int = 3) -> None:
        self.sock = socket.create_server(("127.0.0.1", 0))
        self.key = f"tcp 127.0.0.1:{self.sock.getsockname()[1]}"
        self.n_workers = n_workers
        self.notes: list[str] = []
        self.predecessor = Predecessor("holder", self)
        self.predecessor.open([self.key])

    def descriptors(self) -> dict[str, int]:
        return {self.key: self.sock.fileno()}

    async def stand_by(self, keys: frozenset[str]) -> int:
        self.notes.append(f"stand by {len(keys)}")
        return self.n_workers

    def carry_on(self) -> None:
        self.notes.append("carry on")

    async def hand_over(self) -> None:
        self.notes.append("hand over")
        self.sock.close()

    async def close(self) -> None:
        await self.predecessor.stop()
        self.sock.close()


@contextlib.asynccontextmanager
async def holder() -> Any:
    made = Holder()
    try:
        yield made
    finally:
        await made.close()


async def find(*keys: str) -> Successor:
    found = await Successor.find(keys)
    assert found is not None
    return found


def test_from_hand_to_hand(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with holder() as old:
            name = old.sock.getsockname()
            new = await find("tcp 127.0.0.1:1", old.key)
            assert "holder" in new.label
            sock = new.sockets.pop(old.key)
            assert sock.getsockname() == name
            assert not os.get_inheritable(sock.fileno())
            assert old.notes == []
            assert await new.go(1.0) == 3
            assert old.notes == ["stand by 1"]
            await new.done()
            assert old.notes == ["stand by 1", "hand over"]
            assert await Successor.find([old.key]) is None
            socket.create_connection(sock.getsockname()).close()  # It still listens.
            sock.close()

    run(main())


def test_one_that_leaves_before_go_is_not_noticed(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with holder() as old:
            (await find(old.key)).close()
            new = await find(old.key)
            assert old.notes == []
            new.close()

    run(main())


def test_one_that_leaves_after_go_is_noticed(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with holder() as old:
            new = await find(old.key)
            await new.go(1.0)
            new.close()
            await until(lambda: old.notes == ["stand by 1", "carry on"], "it goes on")

    run(main())


def test_a_router_that_stops_amid_it_leaves_the_rest_to_its_successor(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with holder() as old:
            new = await find(old.key)
            await new.go(1.0)
            await old.predecessor.stop()
            assert old.notes == ["stand by 1"]
            await new.done()

    run(main())


def test_a_router_that_stops_before_go_leaves_its_successor_alone(
    run: Callable[[Coroutine[Any, Any, None]], None],
) -> None:
    async def main() -> None:
        async with holder() as old:
            new = await find(old.key)
            await old.predecessor.stop()
            assert await new.go(1.0) == 0
            await new.done()
            assert old.notes == []

    run(main())


def test_two_at_once(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    """Before `go` the latest counts; after it, nobody else."""

    async def main() -> None:
        async with holder() as old:
            first, second = await find(old.key), await find(old.key)
            with pytest.raises(StartError, match="another one's turn"):
                await first.go(1.0)
            await second.go(1.0)
            third = await find(old.key)
            with pytest.raises(StartError, match="another one"):
                await third.go(1.0)
            await second.done()
            for each in (first, third):
                each.close()

    run(main())


def test_it_hangs(run: Callable[[Coroutine[Any, Any, None]], None], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "ANSWER_TIMEOUT_S", 0.05)
    key = "tcp 127.0.0.1:1"

    async def main() -> None:
        with socket.socket(socket.AF_UNIX) as mute:
            mute.bind(str(make_directory() / name_of(key)))
            mute.listen()
            with pytest.raises(StartError, match=f"process {os.getpid()}.* does not answer"):
                await Successor.find([key])

    run(main())


def test_two_routers_share_the_addresses(run: Callable[[Coroutine[Any, Any, None]], None]) -> None:
    async def main() -> None:
        async with holder() as one, holder() as other:
            with pytest.raises(StartError, match="share these addresses"):
                await Successor.find([one.key, other.key])
            assert not one.notes + other.notes

    run(main())


# Whom they believe


def test_another_users_successor_gets_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        async with holder() as old:
            sock = call(old.key, 1.0)
            assert sock is not None
            monkeypatch.setattr(rendezvous, "peer_of", lambda _: Peer(7, os.geteuid() + 1))
            assert await asyncio.to_thread(sock.recv, 100) == b""
            sock.close()

    asyncio.run(main())
    assert "process 7 of another user" in caplog.text


def test_another_users_router_is_not_asked(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with holder() as old:
            monkeypatch.setattr(rendezvous, "peer_of", lambda _: Peer(7, os.geteuid() + 1))
            assert await Successor.find([old.key]) is None

    asyncio.run(main())
    assert "another user" in caplog.text


def test_without_a_directory_it_cannot_be_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    blocked = tmp_path / "blocked"
    blocked.mkdir(mode=0o755)
    monkeypatch.setattr(runtime, "candidate_directories", lambda: iter([blocked]))

    async def main() -> None:
        async with holder():
            pass

    asyncio.run(main())
    assert "no successor will find this router" in caplog.text


def test_the_directory_goes_with_the_last_of_them(directory: Path) -> None:
    async def main() -> None:
        async with holder() as old:
            other = Predecessor("other", old)
            other.open(["tcp elsewhere:1"])
            await old.predecessor.stop()
            assert os.path.isdir(directory)  # noqa: ASYNC240 # nothing else runs here
            await other.stop()
            assert not os.path.isdir(directory)  # noqa: ASYNC240

    asyncio.run(main())


def test_who_removes_it_at_the_same_time_is_no_trouble(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with holder() as old:
            await old.predecessor.stop()
            sweeps: list[Callable[[str], None]] = [lambda path: None, os.rmdir]
            monkeypatch.setattr(takeover, "sweep", lambda path: sweeps.pop()(path))
            old.predecessor.open([old.key])
            assert "holder" in await asyncio.to_thread(who_has, old.key)

    asyncio.run(main())


def test_it_is_called_by_the_process_that_a_person_has_started() -> None:
    async def main() -> None:
        async with holder() as old:
            await old.predecessor.stop()
            fleet = Predecessor("fleet", old, 77)
            fleet.open([old.key])
            assert await asyncio.to_thread(who_has, old.key) == "the router fleet (process 77)"
            successor = await Successor.find([old.key])
            assert successor is not None
            assert successor.label == "the router fleet (process 77)"
            successor.close()
            await fleet.stop()

    asyncio.run(main())


def test_a_new_one_at_the_same_address_is_left_alone() -> None:
    async def main() -> None:
        async with holder() as old:
            newer = Predecessor("newer", old)
            newer.open([old.key])
            old.predecessor.close()
            assert "newer" in await asyncio.to_thread(who_has, old.key)
            await newer.stop()
            assert who_has(old.key) == ""

    asyncio.run(main())

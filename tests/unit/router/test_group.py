"""Several processes that are one router, here all in one: on real sockets, with a worker and clients."""

import asyncio
import contextlib
import json
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.router_end import until
from zerogate.errors import StartError
from zerogate.keys.files import make_router_key
from zerogate.link import accept
from zerogate.router import takeover
from zerogate.router.group import Group
from zerogate.router.scoreboard import SLACK, TAKEN_SLACK
from zerogate.router.sibling import ORDERS, Sibling
from zerogate.settings import RouterSettings, WorkerSettings
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.hello import hello
from zerogate.worker.service import Worker


class House:
    """A group, and its processes by number."""

    def __init__(self, **options: Any) -> None:
        self.settings = RouterSettings(**{"grace": 5.0, "access_log": "off", "name": "r", "processes": 2, **options})
        self.group = Group(self.settings)
        self.siblings: dict[int, Sibling] = {}

    async def open(self) -> None:
        await self.group.start()
        await asyncio.gather(*(self.begin(number) for number in range(self.settings.processes)))
        await self.group.run()

    async def begin(self, number: int) -> None:
        self.siblings[number] = Sibling(self.settings, self.group.open_seat(number))
        await self.siblings[number].start()

    async def end(self, number: int) -> None:
        """As a process that is told to stop by somebody else."""
        await self.siblings.pop(number).stop()

    async def close(self) -> None:
        await self.group.stop()
        await asyncio.gather(*map(self.end, list(self.siblings)))
        self.group.close()

    @property
    def port(self) -> int:
        return int(self.group.addresses.http[0].rpartition(":")[2])

    @property
    def n_workers(self) -> list[int]:
        return [sibling.router.links.n_workers() for sibling in self.siblings.values()]

    @property
    def n_clients(self) -> list[int]:
        return [sibling.router.n_clients for sibling in self.siblings.values()]


@contextlib.asynccontextmanager
async def house(**options: Any) -> AsyncIterator[House]:
    with tempfile.TemporaryDirectory(prefix="zerogate-") as folder:
        defaults = {"http": ("127.0.0.1:0",), "bind": (f"ipc://{folder}/link",), "admin": "127.0.0.1:0"}
        found = House(**{**defaults, **options})
        await found.open()
        try:
            yield found
        finally:
            await found.close()


@contextlib.asynccontextmanager
async def worker(found: House, name: str = "w") -> AsyncIterator[Worker]:
    settings = WorkerSettings(connect=tuple(found.settings.bind), name=name, grace=5.0)
    made = Worker(settings, AsgiHost(hello(name)))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A place of the test's own to meet; and time enough for the other process to take what is left to it."""
    monkeypatch.setattr(accept, "YIELD_S", 1.0)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


def are_even(numbers: list[int], total: int) -> bool:
    return sum(numbers) == total and max(numbers) - min(numbers) <= SLACK + 1


Client = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def ask(port: int, client: Client | None = None, target: str = "/") -> tuple[Client, str, bytes]:
    reader, writer = client or await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET {target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n".encode())
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        return (reader, writer), head, await reader.readexactly(length)


async def status(found: House) -> dict[str, Any]:
    port = int(found.group.addresses.admin[0].rpartition(":")[2])
    client, _, body = await ask(port, target="/status")
    client[1].close()
    answer: dict[str, Any] = json.loads(body)
    return answer


@pytest.mark.slow
def test_every_process_has_the_worker_and_half_of_the_clients() -> None:
    async def main() -> None:
        async with house() as found, worker(found):
            await until(lambda: found.n_workers == [1, 1], "the worker is in both")
            clients = [(await ask(found.port))[0] for _ in range(20)]
            assert are_even(found.n_clients, 20)
            for client in clients:
                _, _, body = await ask(found.port, client)
                assert body == b"Hello from w\n"
            told = await status(found)
            (row,) = told["workers"]
            assert (told["router"], row["processes"], row["served"], told["clients"]) == ("r", [1, 2], 40, 20)
            assert are_even([each["counters"]["requests"] // 2 for each in told["processes"]], 20)
            for _, writer in clients:
                writer.close()

    asyncio.run(main())


@pytest.mark.slow
def test_connections_one_after_the_other_go_in_turns() -> None:
    async def main() -> None:
        async with house() as found, worker(found):
            await until(lambda: found.n_workers == [1, 1], "the worker is in both")
            for _ in range(60):
                client, _, _ = await ask(found.port)
                client[1].close()
                await until(lambda: not any(found.n_clients), "it has gone")
            told = await status(found)
            one, two = (each["counters"]["requests"] for each in told["processes"])
            assert one + two == 60
            assert abs(one - two) <= TAKEN_SLACK + 1

    asyncio.run(main())


def test_a_process_that_goes_is_not_waited_for_and_comes_back() -> None:
    async def main() -> None:
        async with house(processes=3) as found, worker(found):
            await until(lambda: found.n_workers == [1, 1, 1], "the worker is in all")
            await found.end(1)
            await until(lambda: not found.group._members[1].is_here, "its seat is empty")
            for _ in range(6):
                client, _, body = await ask(found.port)
                client[1].close()
                assert body == b"Hello from w\n"
            assert [each["process"] for each in (await status(found))["processes"]] == [1, 3]
            await found.begin(1)
            await until(lambda: found.n_workers == [1, 1, 1], "it is back, and has the worker")
            clients = [(await ask(found.port))[0] for _ in range(6)]
            assert are_even(found.n_clients, 6)
            for _, writer in clients:
                writer.close()

    asyncio.run(main())


@pytest.mark.parametrize("n", [1, 2, 3])
def test_it_is_replaced_as_one(n: int) -> None:
    async def main() -> None:
        async with house() as old, worker(old):
            await until(lambda: old.n_workers == [1, 1], "the worker is in both")
            where, port = old.group.addresses, old.port
            client, _, _ = await ask(old.port)
            new = House(http=tuple(where.http), bind=tuple(where.bind), admin=where.admin[0], processes=n, replace=True)
            await new.open()
            try:
                assert new.n_workers == [1] * n
                assert old.group.replaced.is_set()
                siblings = list(old.siblings.values())
                closing = asyncio.create_task(old.close())
                await until(lambda: all(each.router.status()["is_stopping"] for each in siblings), "it stops")
                _, head, body = await ask(port, client)
                assert "connection: close" in head
                assert body == b"Hello from w\n"
                client[1].close()
                await closing
                client, _, body = await ask(new.port)
                assert body == b"Hello from w\n"
                client[1].close()
            finally:
                await new.close()

    asyncio.run(main())


def test_its_status_is_for_who_has_the_token() -> None:
    async def main() -> None:
        async with house(admin="0.0.0.0:0", admin_token="secret") as found:
            port = int(found.group.addresses.admin[0].rpartition(":")[2])
            for target, code in (("/status", "401"), ("/healthz", "200")):
                client, head, _ = await ask(port, target=target)
                client[1].close()
                assert head.startswith(f"http/1.1 {code}")

    asyncio.run(main())


def test_with_keys_workers_come_from_anywhere(tmp_path: Path) -> None:
    make_router_key(tmp_path)

    async def main() -> None:
        async with house(bind=("tcp://0.0.0.0:0",), keys=str(tmp_path)) as found:
            assert all(sibling.router.links.admission.has_keys for sibling in found.siblings.values())

    asyncio.run(main())


@pytest.mark.slow
def test_it_is_replaced_though_a_process_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is what one would replace it for."""

    async def main() -> None:
        async with house() as old:
            hanging = old.siblings[0]

            def hang_in(order: str) -> None:
                obey = ORDERS[order]

                async def hang(sibling: Sibling, *values: Any) -> Any:
                    return await (asyncio.Event().wait() if sibling is hanging else obey(sibling, *values))

                monkeypatch.setitem(ORDERS, order, hang)

            hang_in("stand_by")
            hang_in("hand_over")
            where = old.group.addresses
            new = House(http=tuple(where.http), bind=tuple(where.bind), admin=where.admin[0], replace=True)
            await new.open()
            try:
                assert old.group.replaced.is_set()
            finally:
                await new.close()

    asyncio.run(main())


def test_a_successor_that_fails_is_followed_by_nothing() -> None:
    async def main() -> None:
        async with house() as old, worker(old):
            await until(lambda: old.n_workers == [1, 1], "the worker is in both")
            assert await old.group.stand_by(frozenset(old.group.descriptors())) == 1
            old.group.carry_on()
            await until(lambda: old.n_workers == [1, 1], "the worker is back")
            clients = [(await ask(old.port))[0] for _ in range(4)]
            assert are_even(old.n_clients, 4)
            for _, writer in clients:
                writer.close()

    asyncio.run(main())


def test_a_port_that_is_taken_is_said_and_leaves_nothing_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(takeover, "NAME_TIMEOUT_S", 0.1)  # it is asked by its own event loop, and cannot answer

    async def main() -> None:
        async with house() as found:
            address = found.group.addresses.http[0]
            other = House(http=(address,), bind=("ipc:///tmp/never",), admin="off")
            with pytest.raises(StartError, match="is taken by a router"):
                await other.group.start()
            other.group.close()

    asyncio.run(main())

"""Routers that are reached in several ways, and several that are reached in one: each has one link."""

import asyncio
import itertools
from typing import Any

import pytest

from tests.support.dialling import knowing_none
from tests.support.router_end import RouterEnd, until
from zerogate.link.marks import new_id
from zerogate.worker import targets
from zerogate.worker.routers import LOOK_EVERY_S, Routers


def make_one(ends: list[RouterEnd], *, tells_early: bool) -> None:
    """Have them be one router, at several endpoints."""
    router_id = new_id()
    for end in ends:
        end.id = router_id if tells_early else ""
        end.reply[b"id"] = router_id.encode()


@pytest.fixture
def forget_after_s(monkeypatch: pytest.MonkeyPatch) -> float:
    """Longer than a link is dialled anew for, and not the five minutes that nobody needs here."""
    monkeypatch.setattr(targets, "FORGET_AFTER_S", 6 * LOOK_EVERY_S)
    return 6 * LOOK_EVERY_S


async def settled() -> None:
    await asyncio.sleep(3 * LOOK_EVERY_S)


@pytest.mark.parametrize("tells_early", [True, False], ids=["by its greeting", "by its reply"])
def test_one_router_behind_two_addresses_is_one_link(tells_early: bool) -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        first, second = ends
        make_one(ends, tells_early=tells_early)
        found.dial(first.endpoint)
        await first.joined()
        found.dial(second.endpoint)
        await until(lambda: second.n_connections, "it is tried")
        await settled()
        assert (len(first.links), len(second.links)) == (1, 0)
        assert (first.n_connections, second.n_connections) == (1, 1)
        assert len(second.joins) == (0 if tells_early else 1)
        # When the first way is closed the second is taken.
        await first.close()
        await until(lambda: second.links, "by the other address")
        await first.open()
        await settled()
        assert (len(first.links), len(second.links)) == (0, 1)

    knowing_none(2, test)


def test_a_router_that_sends_away_is_free_to_be_dialled_beside() -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        (router,) = ends
        make_one(ends, tells_early=True)
        found.dial(router.endpoint)
        await router.joined()
        router.link.goaway()
        await until(lambda: len(router.links) == 2, "a link beside the old one")
        router.links[0].close("drained")
        await settled()
        assert len(router.links) == 1

    knowing_none(1, test)


class House:
    """Several router processes at one endpoint, of which each connection comes to the next."""

    def __init__(self, door: RouterEnd, processes: list[RouterEnd]) -> None:
        self.door = door
        self.restart(processes)

    def restart(self, processes: list[RouterEnd]) -> None:
        self.processes = processes
        for process in processes:
            process.id = new_id()
            process.reply[b"id"] = process.id.encode()
        for process in processes:
            process.reply[b"processes"] = "\0".join(each.id for each in processes).encode()
        turns = itertools.cycle(processes)
        self.door.make_link = lambda: next(turns).make_link()  # type: ignore[method-assign]

    @property
    def n_links(self) -> list[int]:
        return [len(process.links) for process in self.processes]


@pytest.mark.parametrize("n", [2, 3])
def test_each_process_behind_an_endpoint_has_a_link(n: int) -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        await ends[0].close()
        house = House(ends[0], ends[1:])
        await ends[0].open()
        found.dial(ends[0].endpoint)
        await until(lambda: house.n_links == [1] * n, "a link with each", 60)
        await settled()
        assert house.n_links == [1] * n
        # One of them dies, and comes back with its id.
        house.processes[1].link.abort("dead")
        await until(lambda: house.n_links[1] == 0, "it is gone")
        await until(lambda: house.n_links == [1] * n, "it is back", 60)
        # All of them are others: whom nobody knows any more nobody dials.
        for _ in range(5):
            for process in house.processes:
                process.link.abort("dead")
            house.restart(house.processes)
            await until(lambda: house.n_links == [1] * n, "all are new", 60)
            await settled()
        assert house.n_links == [1] * n
        assert len(found._targets) <= n + 1

    knowing_none(n + 1, test)


def test_others_are_forgotten_when_nobody_names_them(forget_after_s: float) -> None:
    async def test(ends: list[RouterEnd], found: Routers) -> None:
        first, second, third = ends
        first.reply[b"routers"] = f"{second.endpoint}\0{third.endpoint}".encode()
        found.dial(first.endpoint)
        for end in ends:
            await end.joined()
        # A restart is no reason to forget, whoever restarts.
        await second.close()
        await asyncio.sleep(forget_after_s * 2)
        await second.open()
        await second.joined()
        await first.close()
        await third.close()
        await asyncio.sleep(forget_after_s / 2)
        await third.open()
        await third.joined()
        # It is named no more, but answers.
        await asyncio.sleep(forget_after_s * 2)
        assert second.links
        await second.close()
        await asyncio.sleep(forget_after_s * 2)
        await second.open()
        await settled()
        assert not second.links
        # What was given is for ever.
        await first.open()
        await second.joined()

    knowing_none(3, test)


def test_all_addresses_of_a_name_are_dialled_and_looked_up_again(
    monkeypatch: pytest.MonkeyPatch, forget_after_s: float
) -> None:
    found_hosts = ["192.0.2.1", "192.0.2.2"]

    async def test(ends: list[RouterEnd], found: Routers) -> None:
        loop: Any = asyncio.get_running_loop()
        at = {f"192.0.2.{number}": end for number, end in enumerate(ends, 1)}
        for end in ends:
            end.id = new_id()
            end.reply[b"id"] = end.id.encode()

        async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
            assert host == "routers.example"
            return [(2, 1, 6, "", (address, port)) for address in found_hosts]

        async def create_connection(make: Any, host: str, port: int) -> Any:
            end = at[found_hosts[0] if host == "routers.example" else host]
            return await loop.create_unix_connection(make, str(end.path))

        monkeypatch.setattr(loop, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(loop, "create_connection", create_connection)
        found.dial("tcp://routers.example:8000")
        await until(lambda: ends[0].links and ends[1].links, "both addresses")
        found_hosts[1:] = ["192.0.2.3"]
        await until(lambda: ends[2].links, "the new address", 2 * LOOK_EVERY_S)
        await settled()
        assert [len(end.links) for end in ends] == [1, 1, 1]
        # The one that has no name any more goes, and is not dialled for ever.
        await ends[1].close()
        await asyncio.sleep(forget_after_s * 2)
        await ends[1].open()
        await settled()
        assert [len(end.links) for end in ends] == [1, 0, 1]

    knowing_none(3, test)

"""Routers on the local network: here, on this machine's loopback."""

import asyncio
import socket

import pytest

from tests.support.router_end import until
from zerogate.link import mdns
from zerogate.link.mdns import Announcement, Found, Search, is_of_this_machine, own_addresses
from zerogate.settings.endpoint import parse_endpoint

pytest.importorskip("zeroconf")


@pytest.fixture(autouse=True)
def loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing goes out on a network."""
    monkeypatch.setattr(mdns, "_all_interfaces", lambda: ["127.0.0.1"])


@pytest.mark.slow
def test_who_is_announced_is_found_and_gone_when_it_says_so() -> None:
    found: list[Found] = []
    gone: list[str] = []

    async def main() -> None:
        search = Search(found.append, gone.append)
        search.start()
        port = 20_000 + id(search) % 20_000
        endpoints = [parse_endpoint(f"tcp://127.0.0.1:{port}"), parse_endpoint("ipc:///nobody/can/dial/it")]
        announced = Announcement(f"router.of.{port}" * 9, endpoints, ["key-1", "key-2"])
        announced.start()

        def ours() -> list[Found]:
            return [each for each in found if each.endpoints and each.endpoints[0].port == port]

        await until(ours, "it is found", 30)
        (it,) = ours()
        assert [endpoint.text for endpoint in it.endpoints] == [f"tcp://127.0.0.1:{port}"]
        assert it.keys == ("key-1", "key-2")
        assert f"router.of.{port}" in repr(announced)
        await announced.stop()
        await until(lambda: it.name in gone, "it is gone", 30)
        await search.stop()

    asyncio.run(main())


def test_stopped_before_it_has_begun() -> None:
    async def main() -> None:
        announced = Announcement("r", [parse_endpoint("tcp://127.0.0.1:1")], [])
        await announced.stop()
        announced.start()
        await announced.stop()
        search = Search(lambda found: None, lambda name: None)
        await search.stop()

    asyncio.run(main())


def test_where_others_find_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert own_addresses("127.0.0.1") == own_addresses("localhost") == ["127.0.0.1"]
    assert own_addresses("::1") == ["::1"]
    assert all(not address.startswith("0.") for address in own_addresses("0.0.0.0"))
    assert own_addresses("")

    def resolve(host: str, *_: object, **__: object) -> list[object]:
        if host == "unknown":
            raise socket.gaierror(-2, "Name or service not known")
        return [(0, 0, 0, "", ("192.0.2.7", 0))]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    assert own_addresses("router.example") == ["192.0.2.7"]
    assert own_addresses("unknown") == []


def test_what_is_ours() -> None:
    assert is_of_this_machine("127.0.0.1")
    assert is_of_this_machine("::1")
    assert not is_of_this_machine("192.0.2.99")
    assert not is_of_this_machine("nonsense")

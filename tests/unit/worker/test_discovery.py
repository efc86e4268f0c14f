"""Which of the routers that are announced a worker may dial."""

import asyncio
from typing import Any

import pytest

from zerogate.link.mdns import Found
from zerogate.settings import DialSettings
from zerogate.settings.endpoint import Endpoint, parse_endpoint
from zerogate.worker import discovery
from zerogate.worker.discovery import Discovery

HERE, THERE = parse_endpoint("tcp://127.0.0.1:1"), parse_endpoint("tcp://192.0.2.99:1")


class FakeSearch:
    """Finds what the test says."""

    def __init__(self, on_found: Any, on_gone: Any) -> None:
        self.found = on_found
        self.gone = on_gone
        self.state = "made"

    def start(self) -> None:
        self.state = "started"

    async def stop(self) -> None:
        self.state = "stopped"


@pytest.fixture(autouse=True)
def search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "Search", FakeSearch)


def made(named: list[Endpoint], **options: Any) -> Discovery:
    return Discovery(DialSettings(**options), named.append)


def test_keys_decide() -> None:
    found = made([], key="/a/key", router_key="k1")
    assert found.allowed(Found("r", (HERE, THERE), ("k0", "k1"))) == (HERE, THERE)
    assert found.allowed(Found("r", (HERE,), ("k2",))) == ()
    assert found.allowed(Found("r", (HERE,), ())) == ()


def test_without_a_key_this_machine_alone(caplog: pytest.LogCaptureFixture) -> None:
    named: list[Endpoint] = []
    found = made(named)
    assert found.allowed(Found("r", (THERE, HERE), ("k",))) == (HERE,)
    with caplog.at_level("INFO", "zerogate.worker"):
        found._on_found(Found("r", (THERE,), ()))
    assert "announced, and not dialled: this worker has no key, and it is another machine's" in caplog.text
    assert not named


def test_named_for_as_long_as_it_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(discovery, "NAME_EVERY_S", 0.01)
    named: list[Endpoint] = []

    async def main() -> None:
        found = made(named)
        search: Any = found._search
        found.start()
        search.found(Found("r", (HERE,), ()))
        search.found(Found("r", (HERE,), ()))
        assert named == [HERE]
        while len(named) < 3:
            await asyncio.sleep(0.01)
        search.gone("r")
        search.gone("never there")
        named.clear()
        await asyncio.sleep(0.05)
        assert not named
        assert search.state == "started"
        await found.stop()
        assert search.state == "stopped"
        assert "Discovery" in repr(found)

    asyncio.run(main())

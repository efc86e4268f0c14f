"""One pulse to each router process."""

from typing import Any

import pytest

from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.worker import pulses
from zerogate.worker.pulses import Pulses


class FakePulse:
    """Notes whether it beats."""

    made: list["FakePulse"] = []  # noqa: RUF012 (emptied by the test)

    def __init__(self, *arguments: Any) -> None:
        self.state = "made"
        self.made.append(self)

    def start(self) -> None:
        self.state = "beats"

    def stop(self) -> None:
        self.state = "stopped"


def test_one_for_all_links(monkeypatch: pytest.MonkeyPatch) -> None:
    FakePulse.made.clear()
    monkeypatch.setattr(pulses, "Pulse", FakePulse)
    one, two, other = (Any, object(), object())
    links: list[Any] = [one, two, other]
    identity: Any = None
    found = Pulses("p", WorkerSettings(), identity)
    endpoint = parse_endpoint("tcp://a:1")
    found.add(links[0], endpoint, "r")
    found.add(links[1], endpoint, "r")
    found.add(links[2], endpoint, "s")
    assert [pulse.state for pulse in FakePulse.made] == ["beats", "beats"]
    found.remove(links[0])
    assert FakePulse.made[0].state == "beats"
    found.remove(links[1])
    assert [pulse.state for pulse in FakePulse.made] == ["stopped", "beats"]
    assert "FakePulse" in repr(found)

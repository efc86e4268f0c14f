"""What a router announces of itself."""

from pathlib import Path

import pytest

from zerogate.keys.files import make_router_key
from zerogate.router.announcing import announcement
from zerogate.settings import RouterSettings

pytest.importorskip("zeroconf")


def test_nothing_unless_it_shall() -> None:
    assert announcement(RouterSettings(), ["tcp://127.0.0.1:8000"]) is None


def test_its_ports_and_keys(tmp_path: Path) -> None:
    make_router_key(tmp_path / "keys")
    settings = RouterSettings(name="r", discover=True, keys=str(tmp_path / "keys"))
    found = announcement(settings, ["tcp://127.0.0.1:8000", "ipc:///x"])
    assert repr(found) == "<Announcement r, ['tcp://127.0.0.1:8000']>"

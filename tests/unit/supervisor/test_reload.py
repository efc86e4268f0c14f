"""What files are made into is restarted when they change: old processes first, however they end."""

import asyncio
import importlib.util
import logging
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from tests.support.house import STOP, House, alone, child, own_signals, rolling, run
from zerogate.errors import StartError
from zerogate.supervisor.children import Child
from zerogate.supervisor.reload import MARGIN_S, Watch, _forget_bytecode

__all__ = ["alone", "own_signals"]

pytestmark = pytest.mark.usefixtures("alone")

GRACE_S = 1.0


class Files:
    """`change` is a script's step."""

    def __init__(self) -> None:
        self._changed: asyncio.Queue[list[str]] = asyncio.Queue()
        self.fails = ""

    def change(self, *names: str) -> None:
        self._changed.put_nowait(list(names or ("app.py",)))

    async def changes(self) -> AsyncIterator[list[str]]:
        while True:
            changed = await self._changed.get()
            if self.fails:
                raise StartError(self.fails)
            yield changed


def reload(house: House, children: list[Child], files: Files, *script: Callable[[], object], every_s: float) -> int:
    return run(house, children, *script, every_s=every_s, watch=Watch(files, GRACE_S))


def after(house: House, what: str) -> list[str]:
    return house.notes[house.notes.index(what) :]


def nothing() -> None:
    """Time passes."""


def test_the_old_ones_go_and_then_one_comes_and_then_the_others(caplog: pytest.LogCaptureFixture) -> None:
    house, files = House(), Files()
    children = [child("router"), rolling("one"), rolling("two"), rolling("three")]
    with caplog.at_level(logging.INFO, "zerogate"):
        assert reload(house, children, files, nothing, files.change, STOP, every_s=10.0) == 0
    assert after(house, "all are up")[:10] == [
        "all are up",
        *("one gets SIGTERM", "two gets SIGTERM", "three gets SIGTERM", "one ends", "two ends", "three ends"),
        *("one begins", "two begins", "three begins"),
    ]
    assert house.time_of("two begins", 1) - house.time_of("one begins", 1) == pytest.approx(0.1)
    assert house.notes.count("router begins") == 1
    assert caplog.messages[:2] == ["app.py changed: restarting", "restarted"]


def test_one_that_has_something_in_flight_ends_beside_its_successor() -> None:
    house, files = House(one=[{"ends_in": 5.0}, {}]), Files()
    assert reload(house, [rolling("one")], files, nothing, files.change, nothing, STOP, every_s=10.0) == 0
    assert house.time_of("one begins", 1) - house.time_of("one gets SIGTERM") == pytest.approx(GRACE_S + MARGIN_S)
    assert house.notes.count("one gets SIGTERM") == 2
    assert "one gets SIGKILL" not in house.notes


def test_one_that_does_not_end_at_all_is_killed() -> None:
    house, files = House(one=[{"ends_in": None}, {}]), Files()
    assert reload(house, [rolling("one")], files, nothing, files.change, STOP, every_s=60.0) == 0
    assert house.notes.count("one gets SIGKILL") == 1


def test_one_that_does_not_start_waits_for_the_next_change(caplog: pytest.LogCaptureFixture) -> None:
    house, files = House(one=[{}, {"fails": (1, b"a slip of the pen")}, {}]), Files()
    children = [rolling("one"), rolling("two")]
    steps = (nothing, files.change, nothing, files.change, STOP)
    assert reload(house, children, files, *steps, every_s=100.0) == 0
    assert caplog.messages == ["child one does not start: a slip of the pen. Waiting for a change"]
    assert house.notes.count("one begins") == 3
    # What one of them does not start for, the others would not either.
    assert house.notes.count("two begins") == 2


def test_the_first_start_may_fail_as_well() -> None:
    class Late(Files):
        async def changes(self) -> AsyncIterator[list[str]]:
            asyncio.get_running_loop().call_later(5.0, self.change)
            async for changed in super().changes():
                yield changed

    house = House(one=[{"fails": (1, b"a slip of the pen")}, {}])
    assert reload(house, [rolling("one")], Late(), STOP, every_s=1.0) == 0
    assert after(house, "one ends")[:3] == ["one ends", "one begins", "all are up"]


def test_a_change_amid_a_restart_begins_it_anew() -> None:
    house, files = House(one=[{}, {"starts_in": None}, {}], two=[{}]), Files()
    children = [rolling("one"), rolling("two")]
    assert reload(house, children, files, nothing, files.change, files.change, STOP, every_s=10.0) == 0
    assert house.notes.count("one begins") == 3
    assert house.notes.count("two begins") == 2
    # The one that hung is told to go, as each was.
    assert [process.returncode for process in house.processes["one"]] == [0, 0, 0]


@pytest.mark.parametrize("at_s", [0.0, 0.5, 0.95, 1.05, 2.0])
def test_a_hangup_amid_a_restart_leaves_one_process_in_the_end(at_s: float) -> None:
    house, files = House(one=[{"ends_in": 1.0, "joins_in": 0.3}]), Files()

    def begin() -> None:
        files.change()
        asyncio.get_running_loop().call_later(at_s, signal.raise_signal, signal.SIGHUP)

    left: list[int] = []

    def count() -> None:
        left.append(house.notes.count("one begins") - house.notes.count("one ends"))

    assert reload(house, [rolling("one")], files, nothing, begin, count, STOP, every_s=20.0) == 0
    assert left == [1]


@pytest.mark.parametrize("at_s", [0.0, 0.05, 0.15])
def test_a_stop_amid_a_restart(at_s: float) -> None:
    house, files = House(), Files()

    def begin() -> None:
        files.change()
        asyncio.get_running_loop().call_later(at_s, signal.raise_signal, signal.SIGTERM)

    assert reload(house, [rolling("one")], files, nothing, begin, every_s=10.0) == 0
    assert house.notes.count("one begins") == house.notes.count("one ends") <= 2


def test_many_changes_are_told_in_short(caplog: pytest.LogCaptureFixture) -> None:
    house, files = House(), Files()
    with caplog.at_level(logging.INFO, "zerogate"):
        reload(house, [rolling("one")], files, lambda: files.change(*"abcde"), STOP, every_s=10.0)
    assert caplog.messages[0] == "a, b, c and 2 more changed: restarting"


def test_files_that_cannot_be_watched_end_it() -> None:
    house, files = House(), Files()
    files.fails = "too many files"
    with pytest.raises(StartError, match=r"^too many files$"):
        reload(house, [rolling("one")], files, files.change, STOP, every_s=10.0)
    assert house.notes[-1] == "one ends"


def test_what_was_compiled_of_a_file_that_has_changed_is_not_used(tmp_path: Path) -> None:
    source = tmp_path / "app.py"
    compiled = Path(importlib.util.cache_from_source(str(source)))
    compiled.parent.mkdir()
    compiled.write_bytes(b"old")
    _forget_bytecode(str(tmp_path / "page.html"))
    assert compiled.exists()
    _forget_bytecode(str(source))
    assert not compiled.exists()
    _forget_bytecode(str(source))

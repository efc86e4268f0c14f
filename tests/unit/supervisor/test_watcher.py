"""Which files count, and that a change is heard of."""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.settings import ReloadSettings
from zerogate.supervisor import watcher
from zerogate.supervisor.watcher import FileWatcher

pytest.importorskip("watchfiles")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    for name in ("pkg", "pkg/.venv/lib", "assets", "tmp", "node_modules/x"):
        (tmp_path / name).mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path.resolve()


def counting(here: Path, settings: ReloadSettings, *names: str) -> list[str]:
    watcher = FileWatcher(settings)
    return [name for name in names if watcher.is_watched(here / name)]


NAMES = (
    *("app.py", "pkg/views.py", "page.html", "pkg/page.html", "tmp/x.py", "pkg/.hidden.py", "pkg/x.pyc", "~x.py"),
    *("pkg/.venv/lib/x.py", "node_modules/x/y.py", "site-packages/z.py", "pkg/__pycache__/q.py"),
)


def test_python_is_what_counts(here: Path) -> None:
    assert counting(here, ReloadSettings(), *NAMES) == ["app.py", "pkg/views.py", "tmp/x.py"]


def test_more_may_count(here: Path) -> None:
    found = counting(here, ReloadSettings(reload_include=("pkg/*.html", ".*")), *NAMES)
    assert found == ["app.py", "pkg/views.py", "pkg/page.html", "tmp/x.py", "pkg/.hidden.py"]


def test_and_less(here: Path) -> None:
    settings = ReloadSettings(reload_include=("*.html",), reload_exclude=("tmp", "*.py", "pkg/page.*"))
    assert counting(here, settings, *NAMES) == ["page.html"]


def test_a_folder_may_be_one_that_is_left_out_elsewhere(here: Path) -> None:
    settings = ReloadSettings(reload_dir=("pkg/.venv/lib",))
    assert counting(here, settings, "pkg/.venv/lib/x.py") == ["pkg/.venv/lib/x.py"]


def test_which_folders_are_watched(here: Path) -> None:
    assert FileWatcher(ReloadSettings(), "pkg")._folders == [here]
    assert FileWatcher(ReloadSettings(), str(here.parent))._folders == [here.parent]
    assert FileWatcher(ReloadSettings(reload_dir=("pkg", "tmp")), ".")._folders == [here / "pkg", here / "tmp"]
    assert FileWatcher(ReloadSettings(reload_dir=("pkg",), reload_include=("assets",)))._folders == [
        here / "pkg",
        here / "assets",
    ]


def test_a_folder_that_is_not_there(here: Path) -> None:
    with pytest.raises(UsageError, match="--reload-dir nowhere: no such folder"):
        FileWatcher(ReloadSettings(reload_dir=("nowhere",)))


def test_where_no_folder_is(here: Path) -> None:
    shutil.rmtree(here)
    with pytest.raises(UsageError, match=r"^the current folder is not there any more$"):
        FileWatcher(ReloadSettings())


def test_without_watchfiles(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with pytest.raises(UsageError, match=r"pip install 'zerogate\[reload\]'"):
        FileWatcher(ReloadSettings())


def test_a_change_is_heard_of(here: Path) -> None:
    async def main() -> list[str]:
        heard = FileWatcher(ReloadSettings()).changes()

        async def change() -> None:
            # It may take a while until somebody listens.
            while True:
                (here / "page.html").write_text("x")
                (here / "pkg" / "views.py").write_text("x = 1\n")
                await asyncio.sleep(0.05)

        changing = asyncio.create_task(change())
        try:
            async with asyncio.timeout(20):
                return await anext(aiter(heard))
        finally:
            changing.cancel()
            await heard.aclose()  # type: ignore[attr-defined]

    assert asyncio.run(main()) == ["pkg/views.py"]


@pytest.mark.slow
@pytest.mark.parametrize("is_moved", [True, False])
def test_a_folder_that_is_made_anew_is_watched_again(
    here: Path, monkeypatch: pytest.MonkeyPatch, *, is_moved: bool
) -> None:
    monkeypatch.setattr(watcher, "LOOK_EVERY_S", 0.05)
    package = here / "pkg"

    async def main() -> None:
        heard = FileWatcher(ReloadSettings(reload_dir=("pkg",))).changes()

        async def change() -> None:
            n = 0
            while True:
                n += 1
                with contextlib.suppress(FileNotFoundError):
                    (package / f"views{n}.py").write_text("x = 1\n")
                await asyncio.sleep(0.05)

        async def until(what: Callable[[str], bool]) -> None:
            while not any(map(what, await anext(heard))):
                pass

        changing = asyncio.create_task(change())
        try:
            async with asyncio.timeout(30):
                await until(lambda name: name.startswith("pkg/"))
                if is_moved:
                    package.rename(here / "old")
                else:
                    shutil.rmtree(package)
                again = asyncio.create_task(until(lambda name: name == "pkg"))
                await asyncio.sleep(0.2)
                assert not again.done()
                package.mkdir()
                await again
                await until(lambda name: name.startswith("pkg/"))
        finally:
            changing.cancel()
            await heard.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())


@pytest.mark.parametrize("is_moved", [True, False])
def test_so_is_the_current_one_which_is_that_again(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch, *, is_moved: bool
) -> None:
    """An application that is in it is imported from what is there now."""
    monkeypatch.setattr(watcher, "LOOK_EVERY_S", 0.05)
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "old"

    def take_away() -> None:
        if is_moved:
            here.rename(elsewhere)
        else:
            shutil.rmtree(here)

    make_anew = here.mkdir

    async def main() -> None:
        heard = FileWatcher(ReloadSettings()).changes()
        first = asyncio.ensure_future(anext(aiter(heard)))
        try:
            async with asyncio.timeout(30):
                while not first.done():
                    (here / "app.py").touch()
                    await asyncio.sleep(0.05)
                again = asyncio.ensure_future(anext(aiter(heard)))
                take_away()
                await asyncio.sleep(0.2)
                make_anew()
                while "." not in await again:
                    again = asyncio.ensure_future(anext(aiter(heard)))
        finally:
            await heard.aclose()  # type: ignore[attr-defined]

    asyncio.run(main())
    assert Path.cwd() == here
    assert Path.cwd().samefile(here)


def test_a_pattern_that_is_none(here: Path) -> None:
    with pytest.raises(UsageError, match="--reload-include '': empty pattern"):
        FileWatcher(ReloadSettings(reload_include=("*.html", "")))
    with pytest.raises(UsageError, match="--reload-exclude '': empty pattern"):
        FileWatcher(ReloadSettings(reload_exclude=("",)))


def test_what_cannot_be_watched(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def awatch(*folders: Path, **options: object) -> None:
        raise OSError("OS file watch limit reached")

    monkeypatch.setattr("watchfiles.awatch", awatch)

    async def main() -> None:
        async for _ in FileWatcher(ReloadSettings(reload_dir=("tmp",))).changes():
            pass

    with pytest.raises(StartError, match=r"--reload cannot watch .*/tmp: OS file watch limit reached"):
        asyncio.run(main())

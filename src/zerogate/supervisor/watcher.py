"""Watching files for changes, by the rules that uvicorn has made known: which folders, and which names in them."""

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path

from zerogate.errors import StartError, UsageError
from zerogate.process import current_folder
from zerogate.settings import ReloadSettings

INCLUDE = ("*.py",)
EXCLUDE = (".*", ".py[cod]", ".sw.*", "~*")

# Whether a folder is still the one that is watched.
LOOK_EVERY_S = 1.0


class FileWatcher:
    """See `changes`. Needs watchfiles (the extra `reload`)."""

    def __init__(self, settings: ReloadSettings, app_dir: str = "") -> None:
        """Raises UsageError."""
        try:
            import watchfiles
        except ImportError:
            raise UsageError("--reload needs watchfiles: pip install 'zerogate[reload]'") from None
        self._watchfiles = watchfiles
        self._here = Path(current_folder())
        folders = [_folder(text) for text in settings.reload_dir or (".", *filter(None, (app_dir,)))]
        # As folders stand for themselves, beside what they are given to.
        folders += [Path(text).resolve() for text in settings.reload_include if os.path.isdir(text)]
        self._without = [Path(text).resolve() for text in settings.reload_exclude if os.path.isdir(text)]
        include = [text for text in settings.reload_include if not os.path.isdir(text)]
        exclude = [text for text in settings.reload_exclude if not os.path.isdir(text)]
        for name, texts in (("include", include), ("exclude", exclude)):
            for text in texts:
                _check_pattern(f"--reload-{name}", text)
        # Who names one of ours the other way means that.
        self._include = [*include, *(text for text in INCLUDE if text not in exclude)]
        self._exclude = [*exclude, *(text for text in EXCLUDE if text not in include)]
        self._folders = [each for each in folders if not any(other in each.parents for other in folders)]
        self._ignored = frozenset(watchfiles.DefaultFilter.ignore_dirs) | {"site-packages"}

    async def changes(self) -> AsyncIterator[list[str]]:
        """Files that have changed, together. Raises StartError if they cannot be watched (any longer).

        A folder that is taken away is waited for: what comes in its place has changed as a whole.
        """
        try:
            while True:
                with contextlib.suppress(FileNotFoundError):
                    async with contextlib.aclosing(self._changes_of(self._folders)) as found:
                        async for changed in found:
                            yield changed
                await asyncio.sleep(LOOK_EVERY_S)
                while None in _identities(self._folders):
                    await asyncio.sleep(LOOK_EVERY_S)
                # What is started again is started in it.
                with contextlib.suppress(OSError):
                    os.chdir(self._here)
                yield [_short(str(folder)) for folder in self._folders]
        except (OSError, RuntimeError) as error:
            raise StartError(f"--reload cannot watch {', '.join(map(str, self._folders))}: {error}") from error

    async def _changes_of(self, folders: list[Path]) -> AsyncGenerator[list[str], None]:
        """Until one of the folders is another one, or none: the system watches what was there."""
        watched = _identities(folders)
        roots = {str(folder) for folder in folders}
        deleted = self._watchfiles.Change.deleted
        watching = self._watchfiles.awatch(
            *folders,
            watch_filter=lambda change, path: path in roots or self.is_watched(Path(path)),
            rust_timeout=int(LOOK_EVERY_S * 1000),
            yield_on_timeout=True,
            ignore_permission_denied=True,
        )
        async with contextlib.aclosing(watching) as found:
            async for changes in found:
                if changed := sorted({_short(path) for _, path in changes if path not in roots}):
                    yield changed
                if _identities(folders) != watched or any(
                    change is deleted and path in roots for change, path in changes
                ):
                    return

    def is_watched(self, path: Path) -> bool:
        """Whether a change of this file counts."""
        if any(folder in path.parents for folder in self._without):
            return False
        within = next((path.relative_to(folder) for folder in self._folders if folder in path.parents), path)
        if not self._ignored.isdisjoint(within.parts[:-1]):
            return False
        return any(map(path.match, self._include)) and not any(map(path.match, self._exclude))


def _identities(folders: list[Path]) -> list[tuple[int, int] | None]:
    """Which folders they are just now. None for one that is not there."""
    found: list[tuple[int, int] | None] = []
    for folder in folders:
        try:
            status = folder.stat()
            found.append((status.st_dev, status.st_ino))
        except OSError:
            found.append(None)
    return found


def _short(path: str) -> str:
    """As people in the current folder would write it."""
    try:
        return os.path.relpath(path)
    except FileNotFoundError:  # it is there no longer
        return path


def _check_pattern(option: str, text: str) -> None:
    """Raises UsageError for what matches nothing, whatever it is held against."""
    try:
        Path("file").match(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r}: {error}") from None


def _folder(text: str) -> Path:
    if not os.path.isdir(text):
        raise UsageError(f"--reload-dir {text}: no such folder")
    return Path(text).resolve()

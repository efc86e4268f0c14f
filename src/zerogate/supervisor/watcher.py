"""Watching files for changes, by the rules that uvicorn has made known: which folders, and which names in them."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

from zerogate.errors import StartError, UsageError
from zerogate.settings import ReloadSettings

INCLUDE = ("*.py",)
EXCLUDE = (".*", ".py[cod]", ".sw.*", "~*")


class FileWatcher:
    """See `changes`. Needs watchfiles (the extra `reload`)."""

    def __init__(self, settings: ReloadSettings, app_dir: str = "") -> None:
        """Raises UsageError."""
        try:
            import watchfiles
        except ImportError:
            raise UsageError("--reload needs watchfiles: pip install 'zerogate[reload]'") from None
        self._watchfiles = watchfiles
        folders = [_folder(text) for text in settings.reload_dir or (".", *filter(None, (app_dir,)))]
        # As folders stand for themselves, beside what they are given to.
        folders += [Path(text).resolve() for text in settings.reload_include if os.path.isdir(text)]
        self._without = [Path(text).resolve() for text in settings.reload_exclude if os.path.isdir(text)]
        include = [text for text in settings.reload_include if not os.path.isdir(text)]
        exclude = [text for text in settings.reload_exclude if not os.path.isdir(text)]
        # Who names one of ours the other way means that.
        self._include = [*include, *(text for text in INCLUDE if text not in exclude)]
        self._exclude = [*exclude, *(text for text in EXCLUDE if text not in include)]
        self._folders = [each for each in folders if not any(other in each.parents for other in folders)]
        self._ignored = frozenset(watchfiles.DefaultFilter.ignore_dirs) | {"site-packages"}

    async def changes(self) -> AsyncIterator[list[str]]:
        """Files that have changed, together. Raises StartError if they cannot be watched (any longer)."""
        try:
            found = self._watchfiles.awatch(
                *self._folders,
                watch_filter=lambda change, path: self.is_watched(Path(path)),
                ignore_permission_denied=True,
            )
            async for changes in found:
                yield sorted({_short(path) for _, path in changes})
        except (OSError, RuntimeError) as error:
            raise StartError(f"--reload cannot watch {', '.join(map(str, self._folders))}: {error}") from error

    def is_watched(self, path: Path) -> bool:
        """Whether a change of this file counts."""
        if any(folder in path.parents for folder in self._without):
            return False
        within = next((path.relative_to(folder) for folder in self._folders if folder in path.parents), path)
        if not self._ignored.isdisjoint(within.parts[:-1]):
            return False
        return any(map(path.match, self._include)) and not any(map(path.match, self._exclude))


def _short(path: str) -> str:
    """As people in the current folder would write it."""
    return os.path.relpath(path)


def _folder(text: str) -> Path:
    if not os.path.isdir(text):
        raise UsageError(f"--reload-dir {text}: no such folder")
    return Path(text).resolve()

"""Routers that other routers have named, kept for the next start: then the one in `--connect` may be gone.

A file for each set of `--connect` and its router key, which all workers share that are started so. Whoever it names is
dialled as if it had just been named: it has to have the same key, and is forgotten as others are.
"""

import contextlib
import hashlib
import json
import logging
import os
import time
from collections.abc import Iterable
from pathlib import Path

from zerogate.settings import DialSettings
from zerogate.settings.kinds import DAY_S, OFF_WORD

logger = logging.getLogger("zerogate.worker")

FOLDER_MODE = 0o700
# Nobody has named it for so long: it is not what it was.
MAX_AGE_S = 30 * DAY_S
# How old what the file says of one that is named all the time may become.
REFRESH_S = 3600.0
# More than any site has; a router may name whom it likes.
MAX_ROUTERS = 256
# A file of so many, each with the longest name there is, is smaller.
MAX_FILE_BYTES = 1024 * 1024


def default_folder() -> Path | None:
    """What systemd's StateDirectory= has made, else `zerogate` in the user's state (XDG). None without a home."""
    given = os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    if os.path.isabs(given):
        return Path(given)
    base = os.environ.get("XDG_STATE_HOME", "")
    with contextlib.suppress(RuntimeError):
        return (Path(base) if os.path.isabs(base) else Path.home() / ".local" / "state") / "zerogate"
    return None


class Remembered:
    """What is remembered for workers with these settings. What cannot be read or written is not remembered."""

    def __init__(self, settings: DialSettings) -> None:
        folder = Path(settings.state) if settings.state else default_folder()
        self._path: Path | None = None
        if folder is not None and settings.state != OFF_WORD and not settings.own_router:
            key = json.dumps([sorted(settings.connect), settings.router_key])
            self._path = folder / f"routers-{hashlib.sha256(key.encode()).hexdigest()[:16]}.json"
        self._given = frozenset(settings.connect)
        self._named: dict[str, float] = {}

    def __repr__(self) -> str:
        return f"<Remembered {len(self._named)} routers in {self._path}>"

    def recall(self) -> list[str]:
        """Endpoints that were named before."""
        self._named = self._read()
        return list(self._named)

    def name(self, endpoints: Iterable[str]) -> None:
        """A router has just named these."""
        now = time.time()
        fresh = {text for text in endpoints if text not in self._given}
        if any(now - self._named.get(text, 0.0) > REFRESH_S for text in fresh):
            self._named = {**self._read(), **dict.fromkeys(fresh, now)}
            self._write()

    def forget(self, endpoint: str) -> None:
        """Nobody names it any more."""
        if endpoint in self._named:
            self._named = self._read()
            self._named.pop(endpoint, None)
            self._write()

    def _read(self) -> dict[str, float]:
        if self._path is None:
            return {}
        try:
            if not self._path.is_file():
                return {}  # A pipe, too, which would be waited for.
            with self._path.open("rb") as file:
                found = json.loads(file.read(MAX_FILE_BYTES))["routers"]
            oldest = time.time() - MAX_AGE_S
            fresh = {text: float(at) for text, at in found.items() if float(at) > oldest and text not in self._given}
            return _latest(fresh)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            logger.debug("%s: not read (%s)", self._path, error)
            return {}

    def _write(self) -> None:
        """In one piece, or not at all: others read it meanwhile."""
        if self._path is None:
            return
        kept = _latest(self._named)
        temporary = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
            temporary.write_text(
                json.dumps({"connect": sorted(self._given), "routers": kept}, indent=1) + "\n", "utf-8"
            )
            os.replace(temporary, self._path)
        except OSError as error:
            logger.debug("%s: not written (%s): routers are not remembered", self._path, error)
            with contextlib.suppress(OSError):
                temporary.unlink()


def _latest(named: dict[str, float]) -> dict[str, float]:
    return dict(sorted(named.items(), key=lambda item: -item[1])[:MAX_ROUTERS])

"""The keys that a router goes by, read again when their files change."""

import logging
import os
from collections.abc import Iterable
from pathlib import Path

from zerogate.errors import UsageError, ZerogateError
from zerogate.keys.files import OLD_ROUTER_KEY, ROUTER_KEY, WORKERS, default_folder, router_key_pairs
from zerogate.keys.grants import uncovered
from zerogate.keys.key_list import Entry, KeyList, read_key_list
from zerogate.wire.http.routes import Route
from zerogate.wire.zmtp import KeyPair

logger = logging.getLogger("zerogate.keys")

# A file that is written in place is empty for a moment, then half there: it is read when two looks have found it the
# same. One that is replaced is whole, as a script does that makes the keys of many: it is read at the last of so many.
MAX_RESTLESS_LOOKS = 3

# Routes that are named where a key is for more.
MAX_NAMED = 10

_Stamp = tuple[tuple[int, int, int, int] | None, ...]


class Keyring:
    """A router's key pairs, and who may come in. Raises UsageError or KeyListError if a file cannot be read.

    pairs: the router's own, the present one first
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp = self._seen = self._tried = self._look()
        self._n_restless = 0
        self.pairs: tuple[KeyPair, ...] = router_key_pairs(folder)
        if not self.pairs:
            raise UsageError(
                f"--keys {folder}: there is no router key: `zerogate keys router --keys {folder}` makes one"
            )
        self._set(read_key_list(folder / WORKERS))

    def __repr__(self) -> str:
        return f"<Keyring {self._folder}, {len(self._entries)} workers>"

    def refresh(self) -> bool:
        """Read again what has changed, and tell whether anything is new. A mistake is logged, and changes nothing.

        To be called again and again: what has just changed may still be written.
        """
        seen, before = self._look(), self._seen
        self._seen = seen
        if seen == self._stamp:
            self._n_restless = 0
            return False
        self._n_restless += 1
        is_replaced = _is_replaced(seen, before) and self._n_restless >= MAX_RESTLESS_LOOKS
        return (seen == before or is_replaced) and self._read(seen)

    def catch_up(self, key: bytes) -> bool:
        """Whether a key that is not listed has just come onto the list, which was replaced: then that is read, too.

        Each change is looked at once: strangers come with keys as often as they like.
        """
        seen, before = self._look(), self._tried
        self._tried = seen
        return seen not in (self._stamp, before) and _is_replaced(seen, self._stamp) and self._read(seen, key)

    def _read(self, stamp: _Stamp, wanted: bytes = b"") -> bool:
        pairs: tuple[KeyPair, ...] = ()
        keys = KeyList()
        reason = f"{self._folder} has no router key any more"
        try:
            pairs, keys = router_key_pairs(self._folder), read_key_list(self._folder / WORKERS)
        except ZerogateError as error:
            reason = error.reason
        if self._look() != stamp or (wanted and keys.find(wanted) is None):
            return False  # Who knows what of it was read; or it is not what is looked for.
        self._stamp = stamp
        self._n_restless = 0
        if not pairs:
            logger.error("the keys stay as they were: %s", reason)
            return False
        self.pairs = pairs
        self._set(keys)
        logger.info("keys read from %s: %d on the list", self._folder, len(self._entries))
        return True

    def is_listed(self, key: bytes) -> bool:
        """Whether the worker of this public key may come in."""
        return key in self._entries

    def find(self, key: bytes) -> Entry | None:
        """What the list says of a public key."""
        return self._entries.get(key)

    def _set(self, keys: KeyList) -> None:
        self._entries = {entry.key: entry for entry in keys.entries}

    def _look(self) -> _Stamp:
        """What tells a file from the one that was there before."""
        return tuple(_stamp(self._folder / name) for name in (ROUTER_KEY, OLD_ROUTER_KEY, WORKERS))


def find_folder(text: str) -> Path | None:
    """The folder of `--keys`; if that says none the default one, provided that there is a router's key in it."""
    if text:
        return Path(text)
    try:
        folder = default_folder()
    except UsageError:
        return None
    # Of a folder that may not be looked into, as a service's that has another user's home, nobody has spoken.
    return folder if os.path.exists(folder / ROUTER_KEY) else None


def excess(entry: Entry, routes: Iterable[Route]) -> str:
    """Why a key may not claim these routes, in words; empty if it may."""
    forbidden = uncovered(entry.grants, routes)
    if not forbidden:
        return ""
    grants = " ".join(map(str, entry.grants[:MAX_NAMED]))
    if (more := len(entry.grants) - MAX_NAMED) > 0:
        grants += f" and {more} more"
    return f"the key {entry.name} may not serve {forbidden[0]}: it is for {grants}"


def _is_replaced(now: _Stamp, before: _Stamp) -> bool:
    """Whether each file that has changed is another one (`st_ino`)."""
    changed = [(new, old) for new, old in zip(now, before, strict=True) if new != old]
    return all(new is not None and old is not None and new[-1] != old[-1] for new, old in changed)


def _stamp(path: Path) -> tuple[int, int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    # ctime: who may read it has changed, or it is an older one again.
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino

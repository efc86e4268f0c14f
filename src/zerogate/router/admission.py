"""Who may come in as a worker: by its key, or without one where only this machine can reach us.

    a port on            takes
    loopback, ipc://     workers with a listed key, and workers without any
    any other address    workers with a listed key; with --insecure also those without any

A key is for the routes of its line, whatever its worker says. What the list says is read again when it changes, and
holds for those who are here as well.
"""

import asyncio
from collections.abc import Callable, Iterable

from zerogate.keys.keyring import Keyring, excess, find_folder
from zerogate.settings import RouterSettings
from zerogate.wire.http.join import JoinError
from zerogate.wire.http.routes import Route
from zerogate.wire.zmtp import CurveServer, Mechanism, NullMechanism

# How often the keys' files are looked at: who is revoked is gone within a second, which is time for all the looks that
# a change may take (keys/keyring.py).
REFRESH_S = 0.25


class Admission:
    """See the module. `on_change` is called when the keys have changed. Raises UsageError or KeyListError."""

    def __init__(self, settings: RouterSettings, on_change: Callable[[], None]) -> None:
        folder = find_folder(settings.keys)
        self._keyring = Keyring(folder) if folder is not None else None
        self._is_insecure = settings.insecure
        self._on_change = on_change
        self._timer: asyncio.TimerHandle | None = None
        if self._keyring is not None:
            self._watch()

    def __repr__(self) -> str:
        return f"<Admission {self._keyring or 'without keys'}>"

    @property
    def has_keys(self) -> bool:
        """Whether workers may come from anywhere."""
        return self._keyring is not None

    def mechanisms(self, *, is_local: bool) -> list[Mechanism]:
        """What a new link may speak, by where it was accepted."""
        null = NullMechanism(answers=True)
        if self._keyring is None:
            return [null]
        curve = CurveServer(self._keyring.pairs, self._is_listed)
        return [curve, null] if is_local or self._is_insecure else [curve]

    def check(self, key: bytes, routes: Iterable[Route]) -> str:
        """The name of a link's key, "" for none. Raises JoinError if its worker may not serve these routes."""
        if not key or self._keyring is None:
            return ""
        entry = self._keyring.find(key)
        if entry is None:
            raise JoinError(403, "its key was revoked")
        if reason := excess(entry, routes):
            raise JoinError(403, reason)
        return entry.name

    def _is_listed(self, key: bytes) -> bool:
        """Whoever has just been put on the list may be here before we have looked again."""
        assert self._keyring is not None
        if self._keyring.is_listed(key):
            return True
        if self._keyring.catch_up(key):
            self._on_change()
            return True
        return False

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    def _watch(self) -> None:
        assert self._keyring is not None
        self._timer = asyncio.get_running_loop().call_later(REFRESH_S, self._watch)
        if self._keyring.refresh():
            self._on_change()

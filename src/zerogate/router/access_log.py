"""The access log: one line for each exchange, written in batches so that logging costs no system call a request."""

import asyncio
import contextlib
import sys
import time
from typing import Protocol, TextIO

from zerogate.errors import StartError
from zerogate.wire.http.request import RequestHead

FLUSH_AFTER_S = 0.2
FLUSH_AT_LINES = 512


class Entry(Protocol):
    """What the log says of an exchange. `worker_name` is that of the last worker that had it, or empty."""

    head: RequestHead
    request_id: bytes
    arrived: float
    status: int

    @property
    def worker_name(self) -> str: ...


class AccessLog:
    """Writes to standard output (`-`) or a file; `reopen` after the file was moved away (log rotation)."""

    def __init__(self, target: str) -> None:
        self._target = target
        self._loop = asyncio.get_running_loop()
        self._lines: list[str] = []
        self._file = self._open()
        self._timer: asyncio.TimerHandle | None = None

    def write(self, client: str, entry: Entry, n_bytes: int, now: float) -> None:
        """Note an exchange that is over, and sent `n_bytes` to the client."""
        head = entry.head
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z")
        request = f"{head.method.decode('latin-1')} {head.target.decode('latin-1')}"
        self._lines.append(
            f'{stamp} {client} "{request}" {entry.status or "-"} {n_bytes} {(now - entry.arrived) * 1000:.1f}ms '
            f"{head.host.decode('latin-1') or '-'} {entry.worker_name or '-'} {entry.request_id.decode('latin-1')}\n"
        )
        if len(self._lines) >= FLUSH_AT_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if not lines:
            return
        try:
            self._file.write("".join(lines))
            self._file.flush()
        except (OSError, ValueError):
            # A full disk or a closed pipe must not stop the router.
            pass

    def reopen(self) -> None:
        if self._file is not sys.stdout:
            self.flush()
            self._close()
            self._file = self._open()

    def close(self) -> None:
        self.flush()
        if self._file is not sys.stdout:
            self._close()

    def _close(self) -> None:
        # Closing tries again to write what a full disk did not take. The file is closed even so.
        with contextlib.suppress(OSError):
            self._file.close()

    def _open(self) -> TextIO:
        if self._target == "-":
            return sys.stdout
        try:
            return open(self._target, "a", encoding="utf-8")
        except OSError as error:
            raise StartError(f"--access-log: cannot write {self._target}: {error.strerror}") from error

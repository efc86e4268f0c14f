"""The access log: one line for each exchange, written in batches so that logging costs no system call a request."""

import asyncio
import logging
import re
import time
from typing import Protocol

from zerogate.errors import StartError
from zerogate.router.log_writer import LogWriter
from zerogate.stamps import Stamps
from zerogate.wire.http.request import RequestHead

logger = logging.getLogger("zerogate.router")

FLUSH_AFTER_S = 0.2
FLUSH_AT_LINES = 512

# What stands in a line as it is: by a quote or a control character (C1 too) a client could forge lines, or colour them.
_PLAIN = bytes(octet for octet in range(0x21, 0x7F) if octet not in b'"\\')
_find_others = re.compile(rb"[^\x21\x23-\x5b\x5d-\x7e]")


class Entry(Protocol):
    """What the log says of an exchange, or of a request that came to none.

    worker_name, worker_labels: of the last worker that had it, or empty
    error_code: of the router's own reply (`zerogate-error`), or empty
    retries: how often it was sent again after its worker was lost
    """

    head: RequestHead
    request_id: bytes
    arrived: float
    status: int
    error_code: str
    retries: int

    @property
    def worker_name(self) -> str: ...

    @property
    def worker_labels(self) -> str: ...


class AccessLog:
    """Writes to standard output (`-`) or a file; `reopen` after the file was moved away (log rotation)."""

    def __init__(self, target: str) -> None:
        self._loop = asyncio.get_running_loop()
        self._writer = LogWriter(target)
        self._stamps = Stamps()
        self._lines: list[str] = []
        self._timer: asyncio.TimerHandle | None = None
        self._has_complained = False

    @property
    def n_dropped(self) -> int:
        """Lines that were dropped because nobody took them."""
        return self._writer.n_dropped

    def write(self, client: str, entry: Entry, n_bytes: int, now: float) -> None:
        """Note an exchange that is over, and sent `n_bytes` to the client."""
        head = entry.head
        stamp = self._stamps.stamp(time.time())
        self._lines.append(
            f'{stamp} {client} "{_text(head.method)} {_text(head.target)}" {entry.status or "-"} {n_bytes} '
            f"{(now - entry.arrived) * 1000:.1f}ms {_text(head.host)} {entry.worker_name or '-'} "
            f"{_text(entry.request_id)} {entry.error_code or '-'} {entry.retries} "
            f"{entry.worker_labels or '-'}\n"
        )
        if len(self._lines) >= FLUSH_AT_LINES:
            self.flush()
        elif self._timer is None:
            self._timer = self._loop.call_later(FLUSH_AFTER_S, self.flush)

    def flush(self) -> None:
        """Hand over what is there."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines = self._lines, []
        if lines and not self._writer.write("".join(lines).encode()) and not self._has_complained:
            self._has_complained = True
            logger.warning("nobody takes the access log: lines are dropped, and counted (log_dropped)")

    def reopen(self) -> None:
        """Go on with a new file; with the old one, if that cannot be."""
        self.flush()
        try:
            self._writer.reopen()
        except StartError as error:
            logger.error("%s: the old one is written on", error.reason)

    def close(self) -> None:
        self.flush()
        self._writer.close()


def _text(octets: bytes) -> str:
    """As it stands in a line: `-` for nothing, and `\\xHH` for what is no plain character."""
    if not octets:
        return "-"
    if octets.translate(None, _PLAIN):
        octets = _find_others.sub(lambda match: b"\\x%02X" % match[0][0], octets)
    return octets.decode("ascii")

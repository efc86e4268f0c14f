"""Writing a log that must never stop or fail who writes it.

What: a thread writes, with plain blocking writes, what the event loop hands over. Why: a pipe that nobody reads, a slow
disk or a full one would stop the loop, and with it every request; and O_NONBLOCK on an inherited descriptor would be
set for every process that shares it. When the thread cannot keep up, lines are dropped, and counted.
"""

import errno
import os
import threading

from zerogate.errors import StartError

# What may wait to be written: a second of 10,000 requests, or so.
MAX_WAITING_BYTES = 1024 * 1024

# For what is left to be written when the log is closed.
CLOSE_TIMEOUT_S = 1.0

STDOUT_FD = 1

# To open a FIFO waits for somebody who reads it, unless told not to.
_FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK


class LogWriter:
    """Appends to a file by its path, or to standard output (`-`).

    n_dropped: lines that were dropped since the start, because too much was waiting or they could not be written
    """

    def __init__(self, target: str) -> None:
        """Raises StartError if it cannot be opened."""
        self._target = target
        self._fd = self._open()
        self._condition = threading.Condition()
        self._waiting: list[bytes | int] = []  # lines, and descriptors to go on with behind them
        self._waiting_bytes = 0
        self._is_closing = False
        self.n_dropped = 0
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, data: bytes) -> bool:
        """Hand over whole lines. False if they were dropped. Never waits, never raises."""
        with self._condition:
            if self._waiting_bytes + len(data) > MAX_WAITING_BYTES:
                self.n_dropped += data.count(b"\n")
                return False
            self._waiting.append(data)
            self._waiting_bytes += len(data)
            self._condition.notify()
        return True

    def reopen(self) -> None:
        """Open the file anew, after it was moved away. Raises StartError, and goes on with the old one."""
        if self._fd == STDOUT_FD:
            return
        fd = self._open()
        with self._condition:
            self._waiting.append(fd)
            self._condition.notify()

    def close(self) -> None:
        """Write what is left, if that can be done in time."""
        with self._condition:
            self._is_closing = True
            self._condition.notify()
        self._thread.join(CLOSE_TIMEOUT_S)

    def _open(self) -> int:
        if self._target == "-":
            return STDOUT_FD
        try:
            fd = os.open(self._target, _FLAGS, 0o644)
        except OSError as error:
            reason = "nobody reads it" if error.errno == errno.ENXIO else error.strerror
            raise StartError(f"--access-log: cannot write {self._target}: {reason}") from error
        os.set_blocking(fd, True)
        return fd

    def _run(self) -> None:
        is_closing = False
        while not is_closing:
            with self._condition:
                while not self._waiting and not self._is_closing:
                    self._condition.wait()
                pieces, self._waiting = self._waiting, []
                is_closing = self._is_closing
            for piece in pieces:
                if isinstance(piece, bytes):
                    self._write_out(piece)
                else:
                    self._go_on_with(piece)
        self._go_on_with(STDOUT_FD)

    def _go_on_with(self, fd: int) -> None:
        if self._fd != STDOUT_FD:
            os.close(self._fd)
        self._fd = fd

    def _write_out(self, data: bytes) -> None:
        """Their bytes count as waiting until they are out: a write that hangs must not make room for more."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            # A full disk, a closed pipe: the log suffers, not the requests.
            self.n_dropped += data.count(b"\n")
        finally:
            with self._condition:
                self._waiting_bytes -= len(data)

"""One process of a child, from its start to its end: what it says, and what it is told."""

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Callable

from zerogate.child import (
    FOUND,
    JOINED,
    PARENT_FD_VARIABLE,
    PARTED,
    REPORT_FD_VARIABLE,
    SEAT_FD_VARIABLE,
    STARTED,
    WORN,
    child_command,
    next_word,
)

MAX_REPORT_BYTES = 64 * 1024


class Life:
    """`run` is all of it. Its events are set once, but for those of routers, which come and go.

    open_seat: makes its end of a channel to whatever it is connected to beside us
    on_word: is called with each of zerogate.child.WORDS that it says, when what it means is known here
    is_up, is_over: it has come up, it has ended
    has_joined, has_parted: a router has it; one had it, and none has it any more
    began_at: when, in the event loop's time
    found: what it hosts, in its words
    worn: why it asks to be replaced
    code: its exit code, once it has ended
    """

    def __init__(
        self,
        arguments: list[str],
        environment: dict[str, str],
        open_seat: Callable[[], socket.socket] | None,
        on_word: "Callable[[Life, bytes], None]",
    ) -> None:
        self._arguments = arguments
        self._environment = environment
        self._open_seat = open_seat
        self._on_word = on_word
        self._process: asyncio.subprocess.Process | None = None
        self._is_doomed = False
        # Our end of the pipe on which it hears from us.
        self._voice_fd: int | None = None
        self._heard = b""
        self.is_up = asyncio.Event()
        self.has_joined = asyncio.Event()
        self.has_parted = asyncio.Event()
        self.is_over = asyncio.Event()
        self.began_at = asyncio.get_running_loop().time()
        self.found = ""
        self.worn = ""
        self.code: int | None = None

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def last_words(self) -> str:
        """What it had to say beyond WORDS: why it could not start, mostly."""
        return self._heard.decode("utf-8", "replace")

    @property
    def reason(self) -> str:
        """Why it has ended, as far as is known."""
        return self.last_words or f"exit code {self.code}"

    def send_signal(self, number: int) -> None:
        """Who is not there yet has done nothing, and is spared the trouble of stopping."""
        if self._process is None:
            self._is_doomed |= number in (signal.SIGTERM, signal.SIGKILL)
        elif self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def tell(self, message: bytes) -> None:
        if self._voice_fd is not None:
            with contextlib.suppress(OSError):
                os.write(self._voice_fd, message)

    async def run(self) -> None:
        """Start it, and wait for its end. That it cannot be started is an end like any other."""
        try:
            self.code = await self._live()
        except OSError as error:
            # No more processes, memory or descriptors: which may pass.
            self._heard = f"it could not be started: {error.strerror or error}".encode()
        finally:
            self._voice_fd = None
            self.is_over.set()

    async def _live(self) -> int:
        with contextlib.ExitStack() as opened:
            report_fd, child_report_fd = _pipe(opened)
            # The child sees this one close when this process is gone, even by SIGKILL.
            child_voice_fd, self._voice_fd = _pipe(opened)
            os.set_blocking(report_fd, False)
            os.set_blocking(self._voice_fd, False)
            environment = {
                **os.environ,
                **self._environment,
                PARENT_FD_VARIABLE: str(child_voice_fd),
                REPORT_FD_VARIABLE: str(child_report_fd),
            }
            fds = [child_voice_fd, child_report_fd]
            seat = self._open_seat() if self._open_seat is not None else None
            if seat is not None:
                opened.callback(seat.close)
                environment[SEAT_FD_VARIABLE] = str(seat.fileno())
                fds.append(seat.fileno())
            # A session of its own: Ctrl-C reaches this process alone, which passes it on once.
            process = await asyncio.create_subprocess_exec(
                *child_command(*self._arguments), env=environment, pass_fds=fds, start_new_session=True
            )
            self._process = process
            if seat is not None:
                seat.close()
            if self._is_doomed:
                self.send_signal(signal.SIGKILL)
            loop = asyncio.get_running_loop()
            loop.add_reader(report_fd, self._hear, report_fd)
            try:
                code = await process.wait()
            finally:
                loop.remove_reader(report_fd)
            self._hear(report_fd)
            return code

    def _hear(self, report_fd: int) -> None:
        # Our own copy of the child's end is open: there is no end of file, only nothing to read.
        with contextlib.suppress(BlockingIOError):
            self._heard += os.read(report_fd, MAX_REPORT_BYTES)
        while (said := next_word(self._heard)) is not None:
            word, rest, self._heard = said
            text = rest.decode("utf-8", "replace")
            if word == FOUND:
                self.found = text
            elif word == STARTED:
                self.is_up.set()
            elif word == JOINED:
                self.has_joined.set()
                self.has_parted.clear()
            elif word == PARTED:
                self.has_joined.clear()
                self.has_parted.set()
            elif word == WORN:
                self.worn = text
            self._on_word(self, word)


def _pipe(opened: contextlib.ExitStack) -> tuple[int, int]:
    """Its two ends, closed with the stack."""
    ends = os.pipe()
    for fd in ends:
        opened.callback(os.close, fd)
    return ends

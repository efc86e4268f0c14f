"""The server that `zerogate attach URL -- COMMAND` starts: restarted when it ends, and stopped with the worker."""

import asyncio
import contextlib
import logging
import os
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from zerogate.errors import StartError
from zerogate.settings import AttachSettings
from zerogate.settings.environment import without_secrets
from zerogate.worker.attach import keeper
from zerogate.worker.attach.target import Target
from zerogate.worker.printable import printable

logger = logging.getLogger("zerogate.worker")

# As for workers (supervisor/keeper.py): who lives so long has got over what its predecessor died of.
STEADY_S = 10.0
RESTART_MIN_S = 0.1
RESTART_MAX_S = 5.0
# It takes 16 s to get there: a port that its predecessor has not let go of is free by then.
MAX_FAILURES = 8
# Between SIGTERM and SIGKILL, if the grace is used up.
TERM_S = 3.0

_NEVER_RUN = {keeper.CANNOT_RUN, keeper.NOT_FOUND}


def check_command(command: tuple[str, ...]) -> None:
    """Raises StartError if there is no such program."""
    if shutil.which(command[0]) is None:
        raise StartError(f"{command[0]}: no such command")


class ServerProcess:
    """`run` keeps it running. `on_change` is called when it has started, and when it has ended."""

    def __init__(self, command: tuple[str, ...], target: Target, on_change: Callable[[], None]) -> None:
        self._command = command
        self._environment = without_secrets(os.environ, AttachSettings)
        if target.port:
            # As hosting platforms do, so that the port need not be said twice.
            self._environment["PORT"] = str(target.port)
        self._on_change = on_change
        self._process: asyncio.subprocess.Process | None = None
        self._parent_fd: int | None = None
        self._is_stopping = False

    def __repr__(self) -> str:
        return f"<ServerProcess {self.label}>"

    @property
    def label(self) -> str:
        return printable(shlex.join(self._command).encode())

    async def run(self) -> None:
        """Until it is stopped. Raises StartError when it has ended too often."""
        loop = asyncio.get_running_loop()
        n_failures = 0
        while not self._is_stopping:
            began_at = loop.time()
            code = await self._run_once()
            self._on_change()
            if self._is_stopping:
                return
            n_failures = 1 if loop.time() - began_at >= STEADY_S else n_failures + 1
            if n_failures >= MAX_FAILURES or code in _NEVER_RUN:
                times = f"{n_failures} times running" if n_failures > 1 else "at once"
                raise StartError(f"the server has ended {times}, the last time with exit code {code}: {self.label}")
            delay = min(RESTART_MAX_S, RESTART_MIN_S * 2.0 ** (n_failures - 1))
            logger.error("the server ended with exit code %d: starting it again in %.1f s", code, delay)
            await asyncio.sleep(delay)

    async def stop(self, seconds: float) -> None:
        """SIGTERM, and what is left of its group after so long is killed. No other is started."""
        self._is_stopping = True
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(max(seconds, TERM_S)):
                await process.wait()
        except TimeoutError:
            logger.warning("the server has not ended within %g s: killed", max(seconds, TERM_S))
            self._let_go()
            # The keeper may have been stopped, as anybody may be.
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(signal.SIGCONT)
            await process.wait()

    async def _run_once(self) -> int:
        """Start it and wait for its end. Returns its exit code."""
        child_fd, self._parent_fd = os.pipe()
        try:
            # A session of its own: Ctrl-C is ours, and we tell it when its requests are done.
            self._process = process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", str(Path(keeper.__file__)), str(child_fd), *self._command),
                stdin=asyncio.subprocess.DEVNULL,
                env=self._environment,
                pass_fds=(child_fd,),
                start_new_session=True,
            )
            os.close(child_fd)
            child_fd = -1
            if self._is_stopping:
                self._let_go()
            else:
                logger.info("the server was started: %s", self.label)
                self._on_change()
            return await process.wait()
        finally:
            if child_fd >= 0:
                os.close(child_fd)
            self._let_go()
            self._process = None

    def _let_go(self) -> None:
        """Close our end of the keeper's pipe: it kills what is left."""
        fd, self._parent_fd = self._parent_fd, None
        if fd is not None:
            os.close(fd)

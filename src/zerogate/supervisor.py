"""Several processes as one command: starts them, restarts workers that die, passes signals on, leaves none behind."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass, field

from zerogate.errors import StartError
from zerogate.runner import PARENT_FD_VARIABLE, loop_factory, set_up_logging, when_stopped

logger = logging.getLogger("zerogate")

# Who dies sooner than this after its start has not come up.
START_S = 2.0
RESTART_MIN_S = 0.1
RESTART_MAX_S = 5.0


@dataclass
class Child:
    """A process to keep running: the command after `zerogate`, and its environment beyond our own."""

    label: str
    arguments: list[str]
    environment: dict[str, str]
    failures: int = 0
    process: asyncio.subprocess.Process | None = field(default=None, repr=False)


def supervise(children: list[Child], *, loop: str, log_level: str) -> None:
    """Run the children until a signal comes. Raises StartError if one of them fails to come up."""
    set_up_logging(log_level)
    with asyncio.Runner(loop_factory=loop_factory(loop)) as runner:
        runner.run(_Supervisor(children).run())


class _Supervisor:
    def __init__(self, children: list[Child]) -> None:
        self._children = children
        self._stopping = asyncio.Event()
        self._has_come_up = False
        self._n_signals = 0
        # Nobody writes to this pipe. Children see its end close when this process is gone, even by SIGKILL.
        self._read_fd, self._write_fd = os.pipe()

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        when_stopped(self._stop)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop)
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(self._keep(child))
        except* StartError as errors:
            raise errors.exceptions[0] from None
        finally:
            os.close(self._write_fd)
            os.close(self._read_fd)

    def _stop(self) -> None:
        self._stopping.set()
        self._n_signals += 1
        for child in self._children:
            if child.process is not None and child.process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    child.process.send_signal(signal.SIGTERM)

    async def _keep(self, child: Child) -> None:
        loop = asyncio.get_running_loop()
        try:
            while not self._stopping.is_set():
                started_at = loop.time()
                code = await self._run_once(child)
                if self._stopping.is_set():
                    break
                if loop.time() - started_at < START_S:
                    child.failures += 1
                    if not self._has_come_up:
                        raise StartError(f"{child.label} did not start (exit code {code})")
                else:
                    child.failures = 0
                delay = min(RESTART_MAX_S, RESTART_MIN_S * 2**child.failures)
                logger.error("%s ended (exit code %s): starting it again in %.1f s", child.label, code, delay)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), delay)
        finally:
            if child.process is not None and child.process.returncode is None:
                child.process.terminate()
                await child.process.wait()

    async def _run_once(self, child: Child) -> int:
        environment = {**os.environ, **child.environment, PARENT_FD_VARIABLE: str(self._read_fd)}
        # A session of its own: Ctrl-C reaches this process alone, which passes it on once.
        child.process = process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "zerogate",
            *child.arguments,
            env=environment,
            pass_fds=(self._read_fd,),
            start_new_session=True,
        )
        timer = asyncio.get_running_loop().call_later(START_S, self._note_start)
        try:
            return await process.wait()
        finally:
            timer.cancel()

    def _note_start(self) -> None:
        self._has_come_up = True

"""`zerogate demo`: the README's example, playing itself in one terminal with real processes."""

import contextlib
import errno
import http.client
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO, NoReturn, TypeVar

from zerogate.child import PARENT_FD_VARIABLE, child_command
from zerogate.console import say, show
from zerogate.errors import StartError, ZerogateError
from zerogate.native import compiled
from zerogate.settings import DemoSettings, environment_name
from zerogate.settings.endpoint import parse_address, parse_endpoint
from zerogate.settings.kinds import OFF_WORD
from zerogate.settings.worker import PROCESSES_VARIABLE
from zerogate.status import fetch_status

T = TypeVar("T")

DEFAULTS = DemoSettings()

# Longer than this nothing here takes, even on a busy machine.
STEP_TIMEOUT_S = 30.0
POLL_S = 0.01
# Between steps and lines on a terminal, so that one can read along. Elsewhere nobody does.
STEP_PAUSE_S = 0.8
LINE_PAUSE_S = 0.15
# For processes that have nothing left in flight; then they are killed.
END_TIMEOUT_S = 5.0

N_LATER = 5
NOTE_COLUMN = 32


class DemoError(ZerogateError):
    """What was promised did not happen. Exit code 1."""


class Demo:
    """Plays on the given ports."""

    def __init__(self, settings: DemoSettings) -> None:
        self._http = settings.http
        self._bind = settings.bind
        self._admin = settings.admin
        self._ends_after_steps = settings.once
        host, port = parse_address(self._http)
        self._address = host or "127.0.0.1", port
        self._connect = "" if self._bind == DEFAULTS.bind else f" --connect {shlex.quote(self._bind)}"
        # As one would type it; the router listens on 127.0.0.1, which is what `localhost` means everywhere.
        shown = "localhost" if self._address[0] == "127.0.0.1" else self._address[0]
        self._url = f"http://{f'[{shown}]' if ':' in shown else shown}:{port}/"
        self._crew = _Crew()
        self._print = _Printer()

    def play(self) -> None:
        """Play every step; then wait for Ctrl-C, unless once was enough. Raises StartError, DemoError or UsageError.

        Ctrl-C and SIGTERM end it in good order at any time.
        """
        self._check_ports()
        signal.signal(signal.SIGTERM, _interrupt)
        try:
            self._play_steps()
            if self._ends_after_steps:
                self._print.text("\nThat is all: --once ends here.")
            else:
                self._stay()
        except KeyboardInterrupt:
            self._print.text("\nStopping the router and its workers.")
        finally:
            self._crew.close()

    # The steps

    def _play_steps(self) -> None:
        say = self._print
        say.title("zerogate demo: the README's example, playing itself")
        say.step("1. Two workers, before there is a router. They dial until one answers.")
        for name in ("worker-1", "worker-2"):
            self._start_worker(name)
            self._await_output(name, "dialling on")
            say.result(f"no router at {self._bind} yet: dialling on")
        say.step("2. The router. Nobody tells it of its workers: they find it.")
        self._start_router()
        self._await_workers({"worker-1", "worker-2"})
        say.step("3. Requests go to the workers in turn.")
        self._ask(4, {"worker-1", "worker-2"})
        say.step("4. One worker dies the hard way. No request fails, and nobody is told.")
        say.command(f"kill -9 {self._crew.kill('worker-1')}", note="worker-1")
        self._ask(3, {"worker-2"})
        say.step("5. Five more workers. Each takes its turn as soon as it is there.")
        later = {f"worker-{number}" for number in range(3, 3 + N_LATER)}
        for name in sorted(later):
            self._start_worker(name)
        self._await_workers(later)
        self._ask(1 + N_LATER, {"worker-2"} | later)

    def _stay(self) -> None:
        admin = "" if self._admin == DEFAULTS.admin else f" --admin {shlex.quote(self._admin)}"
        say = self._print
        say.step("It is all still running. Your turn, in another terminal:")
        say.command(f"curl {self._url}", note="whose turn is it?")
        say.command(f"zerogate hello worker-{3 + N_LATER}{self._connect}", note="one more")
        say.command(f"kill -9 {self._crew.pid('worker-2')}", note="one fewer: worker-2")
        say.command(f"zerogate status{admin}", note="who is there")
        say.text("\nCtrl-C here ends it all.")
        while True:
            signal.pause()

    # What they are made of

    def _start_worker(self, name: str) -> None:
        self._print.command(f"zerogate hello {name}{self._connect}")
        self._crew.start(name, ["hello", name, "--connect", self._bind])

    def _start_router(self) -> None:
        options = [("--http", self._http), ("--bind", self._bind), ("--admin", self._admin)]
        defaults = {DEFAULTS.http, DEFAULTS.bind, DEFAULTS.admin}
        shown = [f"{name} {shlex.quote(value)}" for name, value in options if value not in defaults]
        self._print.command(" \\\n      ".join(["zerogate router", *shown]))
        self._crew.start("router", ["router", *(text for option in options for text in option)])
        self._await_output("router", "Ctrl-C stops")

    def _await_output(self, name: str, text: str) -> None:
        self._await(lambda: text in self._crew.output(name), f"{text!r} from {name}")

    def _await_workers(self, names: set[str]) -> None:
        """Wait until they have all joined, and nobody else."""
        arrived: set[str] = set()
        while arrived != names:
            missing = names - arrived
            news = self._await(lambda: missing & self._joined(), ", ".join(sorted(missing)))  # noqa: B023 (called at once)
            for name in sorted(news):
                self._print.result(f"{name} joined")
            arrived |= news
        self._check_strangers(self._joined())

    def _joined(self) -> set[str]:
        return {worker["name"] for worker in fetch_status(self._admin)["workers"]}

    def _ask(self, times: int, expected: set[str]) -> None:
        """Send requests, show what comes back, and see that everybody took their turns and nobody else answered."""
        answered: list[str] = []
        for _ in range(times):
            self._print.command(f"curl {self._url}")
            status, body = self._get()
            self._print.result(body if status == 200 else f"{status}: {body}", is_reply=True)
            if status != 200:
                self._give_up(f"{self._url} answered {status}")
            answered.append(body.rpartition(" ")[2])
        self._check_strangers(set(answered))
        if set(answered) != expected or any(answered.count(name) != times // len(expected) for name in expected):
            self._give_up(f"the requests went to {', '.join(answered)}: not in turn to {', '.join(sorted(expected))}")

    def _check_strangers(self, names: set[str]) -> None:
        """Workers that were left running from an earlier try find this router, too."""
        if strangers := names - self._crew.names:
            raise StartError(
                f"other workers dial {self._bind} as well ({', '.join(sorted(strangers))}): stop them, or give --bind "
                "another port"
            )

    def _get(self) -> tuple[int, str]:
        connection = http.client.HTTPConnection(*self._address, timeout=STEP_TIMEOUT_S)
        try:
            connection.request("GET", "/", headers={"user-agent": "zerogate-demo"})
            reply = connection.getresponse()
            return reply.status, reply.read().decode("utf-8", "replace").strip()
        except (OSError, http.client.HTTPException) as error:
            self._give_up(f"{self._url} did not answer: {error}")
        finally:
            connection.close()

    def _await(self, condition: Callable[[], T], what: str) -> T:
        """Poll until the condition returns something true, and return it; but not if one of the processes ends."""
        give_up = time.monotonic() + STEP_TIMEOUT_S
        while not (result := condition()):
            for name, code in self._crew.ended():
                self._explain_end(name, code)
            if time.monotonic() > give_up:
                self._give_up(f"{what} did not come within {STEP_TIMEOUT_S:g} s")
            time.sleep(POLL_S)
        return result

    def _explain_end(self, name: str, code: int) -> NoReturn:
        """A process could not start: its last line says why."""
        last = self._crew.output(name).strip().rpartition("\n")[2]
        if last.startswith("zerogate: "):
            raise StartError(last.removeprefix("zerogate: "))
        self._give_up(f"{name} ended with exit code {code}")

    def _give_up(self, reason: str) -> NoReturn:
        """Show what the processes have logged, and end."""
        for name, log in self._crew.outputs():
            say("", f"--- log of {name} ---", log.rstrip())
        raise DemoError(f"demo: {reason}")

    def _check_ports(self) -> None:
        """Find out before anything is started, and say it in the demo's own words."""
        for option, text in (("--http", self._http), ("--admin", self._admin)):
            if _is_taken(*parse_address(text)):
                raise StartError(f"{option} {text} is taken by another program: stop it, or give {option} another port")
        endpoint = parse_endpoint(self._bind)
        if endpoint.path:
            with socket.socket(socket.AF_UNIX) as sock, contextlib.suppress(OSError):
                sock.connect(endpoint.path)
                raise StartError(f"--bind {self._bind} is taken by another program: stop it, or give another path")
        elif _is_taken(endpoint.host, endpoint.port):
            raise StartError(f"--bind {self._bind} is taken by another program: stop it, or give --bind another port")


class _Crew:
    """The demo's processes, their logs kept from the terminal. None of them outlives this one, however it ends."""

    def __init__(self) -> None:
        self._processes: dict[str, tuple[subprocess.Popen[bytes], IO[bytes]]] = {}
        self._killed: set[str] = set()
        # Nobody writes to this pipe. The children see its end close when this process is gone, even by SIGKILL.
        self._read_fd, self._write_fd = os.pipe()

    def start(self, name: str, arguments: list[str]) -> None:
        log = tempfile.TemporaryFile()  # noqa: SIM115 (closed with its process)
        # What others have set for the commands of their own is no matter of the example's.
        environment = {
            key: value
            for key, value in os.environ.items()
            if not (key.startswith("ZEROGATE_") or key == PROCESSES_VARIABLE) or key == compiled.VARIABLE
        }
        # A session of its own: Ctrl-C is for the demo alone, which ends its children itself.
        process = subprocess.Popen(
            child_command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={**environment, environment_name("config"): OFF_WORD, PARENT_FD_VARIABLE: str(self._read_fd)},
            pass_fds=(self._read_fd,),
            start_new_session=True,
        )
        self._processes[name] = process, log

    @property
    def names(self) -> set[str]:
        return set(self._processes)

    def pid(self, name: str) -> int:
        return self._processes[name][0].pid

    def output(self, name: str) -> str:
        log = self._processes[name][1]
        # pread: the child writes at the file's position, which is ours as well.
        return os.pread(log.fileno(), os.fstat(log.fileno()).st_size, 0).decode("utf-8", "replace")

    def outputs(self) -> Iterator[tuple[str, str]]:
        for name in self._processes:
            yield name, self.output(name)

    def kill(self, name: str) -> int:
        """SIGKILL, and whose it was."""
        process, _ = self._processes[name]
        self._killed.add(name)
        process.kill()
        process.wait()
        return process.pid

    def ended(self) -> Iterator[tuple[str, int]]:
        """Who has ended without being told to, and with which exit code."""
        for name, (process, _) in self._processes.items():
            code = process.poll()
            if code is not None and name not in self._killed:
                yield name, code

    def close(self) -> None:
        """End them all. A second Ctrl-C meanwhile ends them at once."""
        processes = [process for process, _ in self._processes.values()]
        try:
            for process in processes:
                process.terminate()
            give_up = time.monotonic() + END_TIMEOUT_S
            for process in processes:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(max(0.0, give_up - time.monotonic()))
        except KeyboardInterrupt:
            pass
        finally:
            for process, log in self._processes.values():
                process.kill()
                process.wait()
                log.close()
            self._processes.clear()
            os.close(self._write_fd)
            os.close(self._read_fd)


class _Printer:
    """Lines for a plain terminal of 80 columns: colour and pauses only where somebody watches."""

    def __init__(self) -> None:
        self._is_watched = sys.stdout.isatty()
        self._has_colour = (
            self._is_watched and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
        )

    def title(self, text: str) -> None:
        self._line(self._in("1", text))

    def step(self, text: str) -> None:
        self._pause(STEP_PAUSE_S)
        self._line(f"\n{self._in('1', text)}\n")

    def command(self, text: str, note: str = "") -> None:
        self._pause(LINE_PAUSE_S)
        gap = " " * max(2, NOTE_COLUMN - len(text))
        self._line(f"  {self._in('2', '$')} {text}" + (self._in("2", f"{gap}# {note}") if note else ""))

    def result(self, text: str, *, is_reply: bool = False) -> None:
        self._line(f"  {self._in('32' if is_reply else '2', text)}")

    def text(self, text: str) -> None:
        self._line(text)

    def _line(self, text: str) -> None:
        show(text)

    def _pause(self, seconds: float) -> None:
        if self._is_watched:
            time.sleep(seconds)

    def _in(self, style: str, text: str) -> str:
        return f"\x1b[{style}m{text}\x1b[0m" if self._has_colour else text


def _is_taken(host: str, port: int) -> bool:
    """True if somebody listens there. Other reasons why one cannot listen are for the router to explain."""
    if not port:
        return False
    with contextlib.suppress(OSError):
        for family, kind, protocol, _, address in socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            with socket.socket(family, kind, protocol) as sock:
                # What recently closed connections leave behind is not in the way; a listener is.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    sock.bind(address)
                except OSError as error:
                    if error.errno == errno.EADDRINUSE:
                        return True
    return False


def _interrupt(number: int, frame: object) -> NoReturn:
    raise KeyboardInterrupt

"""Stop and start under an open loop of requests, beside Caddy: `python bench/restart.py`."""

import argparse
import contextlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.open_loop import OpenLoop
from tests.support.processes import Site, free_port, make_site, wait_for

DESCRIPTION = """\
A plain stop (SIGTERM) and start of a router, again and again, under an open loop of requests on new connections, beside
the same of Caddy. While neither the old process nor the new one listens, connections are refused: that gap is the time
that a program takes to stop and to start; `zerogate router --replace` or a socket of systemd's are ways to have none.
Whatever else fails is a request that had connected, and was lost. The exit code is 1 if zerogate lost any.
"""

EXIT_TIMEOUT_S = 30.0
REFUSED = "connect: ConnectionRefusedError"
# Between two restarts.
PAUSE_S = 1.0

CADDYFILE = """\
{{
    admin off
    auto_https off
}}
http://127.0.0.1:{port} {{
    respond "ok"
}}
"""


class Zerogate:
    """A router, and a worker that stays."""

    def __init__(self, site: Site) -> None:
        self.port = site.http_port
        self._site = site
        self._start()
        site.hello("a")

    def restart(self) -> None:
        assert self._router.terminate(EXIT_TIMEOUT_S) == 0
        self._site.processes.remove(self._router)
        self._router.close()
        self._start()

    def _start(self) -> None:
        self._router = self._site.router("--settle", "0s", "--access-log", "off")


class Caddy:
    """Caddy as it comes, answering by itself: what is behind it stays up, too."""

    def __init__(self, directory: str) -> None:
        self.port = free_port()
        self._config = Path(directory, "Caddyfile")
        self._config.write_text(CADDYFILE.format(port=self.port))
        self._start()

    def restart(self) -> None:
        self.close()
        self._start()

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(EXIT_TIMEOUT_S)

    def _start(self) -> None:
        command = ["caddy", "run", "--adapter", "caddyfile", "--config", str(self._config)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: is_listening(self.port), "Caddy listens")


def is_listening(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1.0):
        return True
    return False


@contextlib.contextmanager
def zerogate() -> Iterator[Zerogate]:
    with make_site() as site:
        yield Zerogate(site)


@contextlib.contextmanager
def caddy() -> Iterator[Caddy]:
    with tempfile.TemporaryDirectory() as directory:
        made = Caddy(directory)
        try:
            yield made
        finally:
            made.close()


CONTENDERS: dict[str, Callable[[], contextlib.AbstractContextManager[Zerogate | Caddy]]] = {
    "zerogate": zerogate,
    "caddy": caddy,
}


def run(name: str, restarts: int, rate: float) -> int:
    """Returns how many were lost that had connected."""
    with CONTENDERS[name]() as contender, OpenLoop(contender.port, rate, keeps_alive=False) as load:
        gaps_s = []
        for _ in range(restarts):
            time.sleep(PAUSE_S)
            began_at = time.monotonic()
            contender.restart()
            gaps_s.append(time.monotonic() - began_at)
        time.sleep(PAUSE_S)
    failed = dict(load.report.failed)
    refused = failed.pop(REFUSED, 0)
    print(
        f"{name}: {restarts} restarts at {rate:g}/s: {load.report.ok} ok, lost {failed or 'none'}, refused {refused} "
        f"({refused / restarts:.1f} a restart, which took {1000 * sorted(gaps_s)[restarts // 2]:.0f} ms)"
    )
    return sum(failed.values())


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--restarts", type=int, default=20, help="of each [20]")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second [50]")
    options = parser.parse_args(arguments)
    lost = run("zerogate", options.restarts, options.rate)
    if shutil.which("caddy"):
        run("caddy", options.restarts, options.rate)
    else:
        print("caddy: not installed (apt install caddy)", file=sys.stderr)
    return int(bool(lost))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""WebSocket messages per second, and CPU per message: `python bench/messages.py` (see README.md)."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import contenders
import usage
from contenders import Manner, Site, nginx_command
from failure import BenchError, exit_code_of
from request import Request
from service import HERE, Command, Service, running

SIZES = (64, 16 * 1024)
READY = Request("GET", "/", (("Host", "127.0.0.1"),))
# How much longer than asked for a load may take.
SPARE_S = 90
APP = "echo_app:app"
UVICORN = (sys.executable, "-m", "uvicorn", APP, "--loop", "uvloop", "--http", "httptools", "--log-level", "warning")
# Without compression, as zerogate has it unless told otherwise: it would be what is measured.
SANS_IO = ("--no-access-log", "--ws", "websockets-sansio", "--ws-per-message-deflate", "false")


def _zerogate(site: Site) -> list[Command]:
    endpoint = site.upstream("zerogate")
    router = ("--http", f"127.0.0.1:{site.http_port}", "--bind", endpoint, "--admin", "off", "--access-log", "off")
    command = (sys.executable, "-m", "zerogate")
    worker = (*command, "worker", APP, "--connect", endpoint, "--name", "w")
    return [Command("router", (*command, "router", *router)), Command("worker", worker)]


def _nginx(site: Site) -> list[Command]:
    nginx = nginx_command(site, [site.upstream("nginx")])
    config = site.directory / "nginx.conf"
    upgrading = 'proxy_set_header Connection "upgrade";\n            proxy_set_header Upgrade $http_upgrade;'
    config.write_text(config.read_text().replace('proxy_set_header Connection "";', upgrading))
    where = ("--host", "127.0.0.1", "--port", str(site.upstream_ports[0]))
    return [nginx, Command("uvicorn", (*UVICORN, *SANS_IO, *where))]


def _uvicorn(site: Site) -> list[Command]:
    return [Command("uvicorn", (*UVICORN, *SANS_IO, "--host", "127.0.0.1", "--port", str(site.http_port)))]


ROWS: dict[str, Callable[[Site], list[Command]]] = {"zerogate": _zerogate, "nginx": _nginx, "uvicorn": _uvicorn}
TITLES = {"zerogate": "zerogate", "nginx": "nginx + uvicorn", "uvicorn": "uvicorn alone"}


def measure(service: Service, n_clients: int, size: int, seconds: float) -> tuple[float, float]:
    """Messages a second, and microseconds of all the service's CPU for each."""
    command = [sys.executable, str(HERE / "sockets.py"), str(service.port), str(n_clients), str(size), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as load:
        assert load.stdout is not None
        if load.stdout.readline() != "started\n":
            raise BenchError(f"{service.name}: the clients did not start\n{service.logs()}")
        pids = [pid for group in service.pids().values() for pid in group]
        before = sum(map(usage.cpu_ns, pids))
        line = load.stdout.readline()
        cpu_ns = sum(map(usage.cpu_ns, pids)) - before
        load.wait(SPARE_S)
    found = json.loads(line)
    if found["idle"] or not found["messages"]:
        raise BenchError(f"{service.name}: {found['idle']} clients have nothing back\n{service.logs()}")
    return found["messages"] / found["seconds"], cpu_ns / 1000 / found["messages"]


def run(rounds: int, seconds: float, n_clients: int, names: list[str]) -> str:
    """The table, in Markdown: medians of interleaved rounds, one contender at a time."""
    lines = [
        "| message | server | messages a second | CPU a message | zerogate's CPU to this |",
        "| --- | --- | --- | --- | --- |",
    ]
    with tempfile.TemporaryDirectory(prefix="bench-") as folder, ExitStack() as stack:
        ports = iter(contenders.free_ports(2 * len(names)))
        services = []
        for name in names:
            directory = Path(folder) / name
            directory.mkdir()
            site = Site(directory, next(ports), (next(ports),), Manner("tcp", forwards=False))
            services.append(Service(name, site.http_port, ROWS[name](site), directory))
        for service in services:
            stack.enter_context(running([service], [READY]))
        for size in SIZES:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
            medians: dict[str, tuple[float, ...]] = {}
            for _ in range(rounds):
                for service in services:
                    found[service.name].append(measure(service, n_clients, size, seconds))
            medians = {
                name: [statistics.median(each) for each in zip(*rows, strict=True)] for name, rows in found.items()
            }
            for name, (rate, cpu_us) in medians.items():
                ratio = f"{medians['zerogate'][1] / cpu_us:.2f}" if "zerogate" in medians else "-"
                lines.append(f"| {size} bytes | {TITLES[name]} | {rate:,.0f} | {cpu_us:.1f} µs | {ratio} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--only", nargs="+", choices=list(ROWS), default=list(ROWS))
    options = parser.parse_args()
    print(run(options.rounds, options.seconds, options.clients, options.only))


if __name__ == "__main__":
    sys.exit(exit_code_of("messages.py", main))

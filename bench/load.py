"""Load from wrk: one thread, N kept-alive connections, as fast as replies come; beside it the slow ones."""

import json
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import parts
import slow
from crew import Crew
from failure import BenchError
from traffic import Traffic

SCRIPT = Path(__file__).resolve().parent / "wrk.lua"
BODIES = Path(__file__).resolve().parent / "bodies.py"


@dataclass(frozen=True)
class Load:
    """What the clients of wrk saw."""

    requests: int
    duration_us: int
    p50_us: int
    p99_us: int


def wrk_argv(port: int, traffic: Traffic, clients: int, seconds: int) -> list[str]:
    """The wrk command for `clients` connections."""
    shape = ["-t1", f"-c{clients}", f"-d{seconds}", "--latency", "-s", str(SCRIPT)]
    prepared = [] if traffic.prepared is None else ["--", str(traffic.prepared)]
    return [parts.WRK.path(), *shape, f"{traffic.scheme}://127.0.0.1:{port}{traffic.path}", *prepared]


def run(ports: Mapping[str, int], traffic: Traffic, clients: int, seconds: int) -> dict[str, Load]:
    """Run a wrk for each contender to its end, all at once, with the slow ones among the clients at work meanwhile.

    Raises BenchError on any socket error, time-out (2 s), status of 400 and above, or slow client that was not served.
    """
    n_slow = traffic.kind.n_slow
    with ExitStack() as stack:
        if n_slow:
            for port in ports.values():
                stack.enter_context(slow.clients(port, n_slow, seconds))
        crew = stack.enter_context(Crew())
        for name, port in ports.items():
            if traffic.kind.body_mib:
                argv = [sys.executable, str(BODIES), str(port), str(traffic.prepared), str(clients)]
                crew.start(f"wrk for {name}", [*argv, str(traffic.kind.count)])
            else:
                crew.start(f"wrk for {name}", wrk_argv(port, traffic, clients - n_slow, seconds))
        return {name: parse(name, crew.finish(f"wrk for {name}")) for name in ports}


def parse(name: str, output: str) -> Load:
    """Read the line that wrk.lua wrote last. Raises BenchError if there was any error."""
    result = json.loads(output.splitlines()[-1])
    errors = [f"{kind} {count}" for kind, count in result.pop("errors").items() if count]
    if errors:
        raise BenchError(f"{name}: wrk counted errors: {', '.join(errors)}")
    if not result["requests"]:
        raise BenchError(f"{name}: wrk got no reply at all")
    return Load(**result)

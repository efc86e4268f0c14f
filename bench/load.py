"""Load from wrk: one thread, N kept-alive connections, as fast as replies come; beside it the slow ones."""

import json
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import parts
import slow
from failure import BenchError
from traffic import Traffic

SCRIPT = Path(__file__).resolve().parent / "wrk.lua"


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
    return [parts.WRK.path(), *shape, f"http://127.0.0.1:{port}{traffic.path}", *prepared]


def run(port: int, traffic: Traffic, clients: int, seconds: int) -> Load:
    """Run wrk to its end, with the slow ones among the clients at work meanwhile.

    Raises BenchError on any socket error, time-out (2 s), status of 400 and above, or slow client that was not served.
    """
    n_slow = traffic.kind.n_slow
    with slow.clients(port, n_slow, seconds) if n_slow else nullcontext():
        argv = wrk_argv(port, traffic, clients - n_slow, seconds)
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"wrk failed with exit code {done.returncode}: {done.stderr or done.stdout}")
        return parse(done.stdout)


def parse(output: str) -> Load:
    """Read the line that wrk.lua wrote last."""
    result = json.loads(output.splitlines()[-1])
    errors = {kind: count for kind, count in result.pop("errors").items() if count}
    if errors:
        raise BenchError("wrk counted errors: " + ", ".join(f"{kind} {count}" for kind, count in errors.items()))
    if not result["requests"]:
        raise BenchError("wrk got no reply at all")
    return Load(**result)

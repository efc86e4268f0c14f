"""What idle WebSockets cost: memory of router and worker for each, and whether requests flow as before.

`python bench/idle.py --clients 5000` (see README.md).
"""

import argparse
import asyncio
import contextlib
import http.client
import resource
import sys
import tempfile
import time
from pathlib import Path

import contenders
import messages
import usage
from contenders import Manner, Site
from failure import BenchError, exit_code_of
from service import Service, running
from sockets import open_all

N_REQUESTS = 2000
# Descriptors besides the clients'.
SPARE_FDS = 200


def rss_kib(pids: list[int]) -> int:
    """What is resident now."""
    total = 0
    for pid in pids:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                total += int(line.split()[1])
    return total


def cpu_of_requests(service: Service) -> float:
    """Microseconds of CPU for a request, of some that come one after the other on one connection."""
    pids = [pid for group in service.pids().values() for pid in group]
    before = sum(map(usage.cpu_ns, pids))
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=30)
    for _ in range(N_REQUESTS):
        connection.request("GET", "/")
        reply = connection.getresponse()
        reply.read()
        if reply.status != 200:
            raise BenchError(f"a request failed: {reply.status}")
    connection.close()
    return (sum(map(usage.cpu_ns, pids)) - before) / 1000 / N_REQUESTS


async def cost(service: Service, n_clients: int) -> list[str]:
    pids = service.pids()
    before_us = await asyncio.to_thread(cpu_of_requests, service)
    before = {name: rss_kib(group) for name, group in pids.items()}
    clients = await open_all(service.port, n_clients)
    await asyncio.sleep(2)
    lines = [f"{n_clients} idle WebSockets on one worker"]
    for name, group in pids.items():
        each = (rss_kib(group) - before[name]) / n_clients
        lines.append(f"  {name:8} {each:6.1f} KiB for each")
    during_us = await asyncio.to_thread(cpu_of_requests, service)
    lines.append(f"  CPU of a request {before_us:.0f} µs before, {during_us:.0f} µs beside them")
    for client in clients:
        client.close()
    await asyncio.sleep(1)
    after_us = await asyncio.to_thread(cpu_of_requests, service)
    lines.append(f"  and {after_us:.0f} µs when they have gone")
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=5000)
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < options.clients + SPARE_FDS:
        raise BenchError(f"this process may open {hard} files: too few for {options.clients} clients")
    with contextlib.suppress(ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        ports = contenders.free_ports(2)
        site = Site(Path(folder), ports[0], (ports[1],), Manner("tcp", forwards=False))
        service = Service("zerogate", site.http_port, messages._zerogate(site), Path(folder))
        with running([service], [messages.READY]):
            time.sleep(0.5)
            print("\n".join(asyncio.run(cost(service, options.clients))))


if __name__ == "__main__":
    sys.exit(exit_code_of("idle.py", main))

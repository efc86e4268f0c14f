"""Many clients in one process, for `scale.py`: they connect, ask once, and then are idle or ask once a second.

It says `connected` when each has its first reply. With seconds to go on it then says what it saw, as a line of JSON;
without it is there until its standard input ends.
"""

import argparse
import asyncio
import json
import sys
import time
from typing import Any

import uvloop

REQUEST = b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
# Connections made at once: no more than wait in a listening socket's queue.
BATCH = 50
PATIENCE_S = 60.0


class Visitor(asyncio.Protocol):
    """One client. It takes what comes within one read for its reply, which is small."""

    def __init__(self) -> None:
        self.transport: Any = None
        self.asked_at = 0.0
        self.has_failed = False
        self.took_s: list[float] = []
        self.replied = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if self.asked_at:
            self.has_failed = True  # A second has not been enough for the one before.
            return
        self.asked_at = time.perf_counter()
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.took_s.append(time.perf_counter() - self.asked_at)
        self.asked_at = 0.0
        if not data.startswith(b"HTTP/1.1 200"):
            self.has_failed = True
        if not self.replied.done():
            self.replied.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        self.has_failed = True
        if not self.replied.done():
            self.replied.set_result(None)


async def connect(port: int, n_clients: int) -> list[Visitor]:
    """All of them, each with its first reply."""
    loop = asyncio.get_running_loop()
    visitors: list[Visitor] = []
    while len(visitors) < n_clients:
        n = min(BATCH, n_clients - len(visitors))
        made = await asyncio.gather(*(loop.create_connection(Visitor, "127.0.0.1", port) for _ in range(n)))
        batch = [visitor for _, visitor in made]
        await asyncio.wait_for(asyncio.gather(*(visitor.replied for visitor in batch)), PATIENCE_S)
        visitors += batch
    return visitors


async def ask_each_second(visitors: list[Visitor], seconds: int) -> dict[str, float]:
    """Each at its own moment of the second, evenly. What was seen of it."""
    for visitor in visitors:
        visitor.took_s.clear()
    began = time.perf_counter()
    n_asked = 0
    n_due = len(visitors) * seconds
    while n_asked < n_due:
        due = min(n_due, int((time.perf_counter() - began) * len(visitors)))
        for n in range(n_asked, due):
            visitors[n % len(visitors)].ask()
        n_asked = max(n_asked, due)
        await asyncio.sleep(0.001)
    give_up = time.perf_counter() + PATIENCE_S
    while any(visitor.asked_at for visitor in visitors) and time.perf_counter() < give_up:
        await asyncio.sleep(0.01)
    took = sorted(took_s for visitor in visitors for took_s in visitor.took_s)
    return {"requests": len(took), "p50_us": took[len(took) // 2] * 1e6, "p99_us": took[len(took) * 99 // 100] * 1e6}


async def run(options: argparse.Namespace) -> int:
    visitors = await connect(options.port, options.clients)
    print("connected", flush=True)
    if options.seconds:
        print(json.dumps(await ask_each_second(visitors, options.seconds)), flush=True)
    else:
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    n_failed = sum(visitor.has_failed for visitor in visitors)
    if n_failed:
        print(f"{n_failed} of {len(visitors)} clients were cut, late, or not answered with 200", file=sys.stderr)
    return int(n_failed > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("clients", type=int)
    parser.add_argument("--seconds", type=int, default=0, help="ask once a second for so long [0: be idle]")
    return uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())

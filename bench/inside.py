"""The whole way of a request in one process, without sockets: `python bench/inside.py` (see README.md).

Client, router, link, worker, application and back, but what one end writes the other reads from memory: what is left is
what zerogate itself costs, without the kernel, and without a second process to share caches with.
"""

import argparse
import asyncio
import cProfile
import gc
import pstats
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import app
import browsers
import orders
from request import Request

from zerogate.collector import GC_THRESHOLD
from zerogate.link.dial import Dialler
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import make_exchange
from zerogate.router.links import Links
from zerogate.settings import RouterSettings, WorkerSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.service import Worker
from zerogate.worker.targets import Target

KINDS: dict[str, Callable[[int, int], list[Request]]] = {"varied": browsers.requests, "api": orders.requests}
TOP = 10


class Pipe(asyncio.Transport):
    """One end of a connection: what is written here `deliver` hands to whoever reads at the other."""

    def __init__(self, deliver: Callable[[bytes], None]) -> None:
        super().__init__({"peername": ("127.0.0.1", 50000), "sockname": ("127.0.0.1", 80)})
        self._deliver = deliver

    def write(self, data: Any) -> None:
        self._deliver(data)

    def writelines(self, pieces: Any) -> None:
        self._deliver(b"".join(pieces))

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def get_write_buffer_size(self) -> int:
        return 0

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Ends:
    """A router and a worker that have joined, and clients of the router."""

    def __init__(self, n_clients: int) -> None:
        settings = RouterSettings(access_log="off")
        loop = asyncio.get_running_loop()
        counters = Counters()
        dispatcher = Dispatcher(settings, counters, loop)
        self.links = Links(settings, dispatcher, counters)
        desk = Desk(settings, counters, partial(make_exchange, dispatcher), None)
        self.worker = Worker(WorkerSettings(connect=()), AsgiHost(app.app))
        self.n_replies = 0
        make = Http1Clients(desk)
        self.clients: list[Any] = [make() for _ in range(n_clients)]
        for client in self.clients:
            client.connection_made(Pipe(self.count))

    def count(self, octets: bytes) -> None:
        """A client has got its reply, which is one write."""
        self.n_replies += 1

    def join(self) -> None:
        """The worker's link to the router, with both ends in this process."""
        loop = asyncio.get_running_loop()
        target = Target(parse_endpoint("tcp://127.0.0.1:1"), "", is_given=True, named_at=loop.time())
        target.dialler = Dialler(
            target.endpoint, self.worker.routers._make_link, redial_min=1.0, redial_max=1.0, redial_refused=1.0
        )
        here: Any = self.links.make_link()
        there: Any = self.worker.routers._make_link(target)
        there.connection_made(Pipe(lambda data: loop.call_soon(here.data_received, data)))
        here.connection_made(Pipe(lambda data: loop.call_soon(there.data_received, data)))

    async def ask(self, requests: list[bytes]) -> None:
        """Each request by another client, and wait for all replies."""
        n_due = self.n_replies + len(requests)
        for client, request in zip(self.clients, requests, strict=True):
            client.data_received(request)
        while self.n_replies < n_due:
            await asyncio.sleep(0)


async def measure(kind: str, n_clients: int, rounds: int, profiles: bool) -> None:
    """Print the CPU of one request, of the quickest round and of the middle one."""
    requests = [request.encode() for request in KINDS[kind](1, 20_000)]
    ends = Ends(n_clients)
    ends.join()
    while ends.links.n_workers() < 1:
        await asyncio.sleep(0)
    # As a service of ours has it (runner.py).
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 20)
    batches = [requests[at : at + n_clients] for at in range(0, len(requests) - n_clients + 1, n_clients)]
    costs = []
    profiler = cProfile.Profile()
    for round_ in range(rounds + 1):
        if profiles and round_:
            profiler.enable()
        before = time.process_time_ns()
        for batch in batches:
            await ends.ask(batch)
        costs.append((time.process_time_ns() - before) / 1000 / len(batches) / n_clients)
        profiler.disable()
    costs = sorted(costs[1:])
    print(f"{kind}, {n_clients} clients: {costs[0]:.2f} µs per request, median {costs[len(costs) // 2]:.2f}")
    if profiles:
        pstats.Stats(profiler).sort_stats("tottime").print_stats(4 * TOP)


def main() -> None:
    made = argparse.ArgumentParser(
        prog="bench/inside.py", description="The whole way of a request in one process, without sockets."
    )
    add = made.add_argument
    add("--traffic", choices=KINDS, default="varied", help="what the clients ask for (default varied)")
    add("--clients", type=int, default=64, metavar="N", help="how many ask at once (default 64)")
    add("--rounds", type=int, default=5, metavar="N", help="rounds of 20,000 requests (default 5)")
    add("--loop", choices=("asyncio", "uvloop"), default="uvloop", help="the event loop (default uvloop)")
    add("--profile", action="store_true", help="print the functions that took most, as cProfile sees them")
    options = made.parse_args()
    work = measure(options.traffic, options.clients, options.rounds, options.profile)
    if options.loop == "uvloop":
        import uvloop

        uvloop.run(work)
    else:
        asyncio.run(work)


if __name__ == "__main__":
    sys.exit(main())

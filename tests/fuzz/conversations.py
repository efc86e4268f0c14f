"""Whole conversations, over what is compiled and by the Python alone: clients, workers, books and log see the same.

`python -m tests.fuzz.conversations --help`. Clients ask over HTTP/1, workers answer over their links, and time passes
(world.py); after each step all that anybody can see of one router is held against the other.
"""

import contextlib
import itertools
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from functools import partial
from random import Random
from typing import Any
from unittest import mock

from tests.fuzz.stepping import run
from tests.fuzz.world import Log, Ordered, World
from tests.support import bench as benches
from tests.support import link_peer
from tests.support.virtual_time import run_virtually
from zerogate.link import link as links_of_one
from zerogate.link import output as output_of_one
from zerogate.native import compiled
from zerogate.router import links, request_block, routes, turns, workers
from zerogate.router.clients import http1 as clients
from zerogate.router.exchange import Exchange, exchange
from zerogate.wire.http1 import connection, reader
from zerogate.wire.spdy import headers
from zerogate.wire.spdy.headers import CarefulBlockReader, decode_in_python
from zerogate.wire.spdy.session import CarefulSession

MAX_STEPS = 60

# What happens often comes often.
MOVES = (
    *("ask",) * 20,
    *("whole",) * 24,
    *("say", "reply", "data", "take", "stream") * 4,
    *("more",) * 12,
    *("mute", "unmute", "wait", "leave", "reset", "change") * 2,
    *("dial", "join") * 3,
    *("go", "misbehave", "stop"),
)


class PlainSession(CarefulSession):
    """Nothing of it is compiled, but for what it keeps count of."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._unwrap = CarefulBlockReader().unwrap


def no_reader(_: object) -> Any:
    return compiled.decline


@contextlib.contextmanager
def by_the_python_alone() -> Iterator[None]:
    """No fast path is taken."""
    changes: tuple[tuple[Any, str, Any], ...] = (
        (clients.Http1Client, "data_received", clients.CarefulHttp1Client.data_received),
        (exchange, "_send_data", compiled.decline),
        (connection, "native_reader", no_reader),
        (reader, "native_reader", no_reader),
        (links, "read_reply_block", decode_in_python),
        (request_block, "_make_natively", compiled.decline),
        (request_block, "_has_claims_natively", compiled.decline),
        (headers, "_decode_natively", compiled.decline),
        (links_of_one, "Session", PlainSession),
        (links_of_one, "take_message", compiled.decline),
        (output_of_one, "write_batch", compiled.decline),
        (turns.Turns, "pick", turns.CarefulTurns.pick),
        (turns.Turns, "offer", turns.CarefulTurns.offer),
        (routes.RouteTable, "match", routes.CarefulTable.match),
    )
    with contextlib.ExitStack() as stack:
        for where, name, value in changes:
            stack.enter_context(mock.patch.object(where, name, value))
        yield


class Failures(logging.Handler):
    """What is logged with a traceback is a bug of ours."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if record.exc_info:
            self.found.append(logging.Formatter().format(record))


@contextlib.contextmanager
def no_failures() -> Iterator[None]:
    """Nothing of what happens is to be logged with a traceback."""
    handler, logger = Failures(), logging.getLogger("zerogate")
    level, propagates = logger.level, logger.propagate
    logger.addHandler(handler)
    logger.setLevel(logging.ERROR)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagates
    assert not handler.found, handler.found[0]


def check(bench: benches.Bench) -> None:
    """Nothing is left, as `Bench.check` has it; but clients were refused that came to no exchange."""
    assert not any(client._exchange for client in bench.desk.clients if isinstance(client, clients.Http1Client))
    assert not any(worker.in_flight for worker in bench.links.workers.values() if worker is not None)
    queues = [bench.dispatcher.lobby, bench.dispatcher.anteroom, *(p.queue for p in bench.dispatcher.routes.values())]
    assert [(len(queue), queue.n_bytes) for queue in queues] == [(0, 0)] * len(queues)


@contextlib.asynccontextmanager
async def open_world(seed: int, *, is_careful: bool) -> AsyncIterator[World]:
    random = Random(f"options {seed}")
    options: dict[str, Any] = {
        "timeout": random.choice((2.0, 30.0)),
        "queue_size": random.choice((1, 3, 100)),
        "queue_timeout": random.choice((1.0, 10.0)),
        "retries": random.choice((0, 1, 2)),
        "keepalive_timeout": random.choice((5.0, 60.0)),
        "underscores": random.random() < 0.2,
        "trust": random.choice((("none",), ("none",), ("203.0.113.0/24",))),
        "last_stream_id": random.choice((2**31 - 1, 2**31 - 1, 41)),
        "max_failures": random.choice((1, 5)),
        "min_body_rate": random.choice((0, 500)),
        "stream_window": random.choice((262_144, 262_144, 65_536, 100_001, 2_000_000)),
        "settle": random.choice((0.0, 5.0)),
        "hold": random.choice((0.0, 5.0)),
    }
    async with benches.Bench.open(**options) as bench:
        notes: Any = Log()
        bench.notes = bench.desk._access_log = notes
        if random.random() < 0.5:
            bench.desk._access_log = None
        bench.check = partial(check, bench)  # type: ignore[method-assign]
        clients_in_order: Any = Ordered()
        bench.desk.clients = clients_in_order
        bench.desk._id_prefix = b"id"
        if is_careful:
            bench.desk._answer = partial(Exchange, bench.dispatcher)
        yield World(bench, Random(seed))


async def converse(seed: int, *, is_careful: bool) -> list[Any]:
    """All that was seen, step by step."""
    found: list[Any] = []
    async with open_world(seed, is_careful=is_careful) as world:
        bench, random = world.bench, world.random
        for move in (
            "dial",
            "quiet",
            world.pick(("join_as_most", "join_as_most", "join")),
            "quiet",
            *(world.pick(MOVES) for _ in range(MAX_STEPS)),
        ):
            if move == "wait":
                world.unmute()
                await bench.wait(world.pick((0.05, 0.3, 2.0, 12.0)))
            elif move != "quiet":
                getattr(world, move)()
            if random.random() < 0.7:
                await bench.quiet()
                found.append((move, world.seen()))
        for peer in world.peers:
            peer.is_mute = False
        bench.desk.shut_down()
        for client in world.clients:
            client.transport.lose()
        for peer in world.peers:
            peer.die()
        await bench.wait(15.0)
        found.append(("end", world.seen()))
    return found


def hear(seed: int, *, is_careful: bool = False) -> list[Any]:
    """The conversation of this seed; `is_careful`: without the fast paths that this process has."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(no_failures())
        stack.enter_context(mock.patch.object(link_peer, "Session", CarefulSession))
        stack.enter_context(mock.patch.object(workers, "_serials", itertools.count()))
        if is_careful:
            stack.enter_context(by_the_python_alone())
        return run_virtually(converse(seed, is_careful=is_careful))


def compare(native: list[Any], careful: list[Any]) -> int:
    """How many steps a conversation had; raises AssertionError where the two differ."""
    for number, (ours, theirs) in enumerate(zip(native, careful, strict=True)):
        if ours != theirs:
            before = [move for move, _ in native[:number]]
            raise AssertionError(f"step {number}, {ours[0]}, after {before}:\n" + "\n".join(differences(ours, theirs)))
    return len(native)


def play(seed: int) -> int:
    """The conversation of this seed, twice. Returns how many steps it had; raises AssertionError where they differ."""
    return compare(hear(seed), hear(seed, is_careful=True))


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where the two are not the same."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in one.keys() | other.keys():
            yield from differences(one.get(key, "missing"), other.get(key, "missing"), f"{path}.{key}")
    elif isinstance(one, list | tuple) and isinstance(other, list | tuple) and len(one) == len(other):
        for at, (first, second) in enumerate(zip(one, other, strict=True)):
            yield from differences(first, second, f"{path}[{at}]")
    elif one != other:
        yield f"{path}: {one!r:.300} != {other!r:.300}"


if __name__ == "__main__":
    sys.exit(run("tests.fuzz.conversations", __doc__, play))

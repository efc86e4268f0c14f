"""What stands in for links and exchanges where only their faces matter."""

from typing import Any

from zerogate.router.pool import Pool
from zerogate.router.workers import Worker


class FakeSession:
    ids_left = 1 << 30


class FakeLink:
    """A link that nobody is at the other end of."""

    def __init__(self, name: str = "?") -> None:
        self.name = name
        self.session = FakeSession()

    def __repr__(self) -> str:
        return f"<FakeLink {self.name}>"


class FakeExchange:
    """An exchange as a queue sees it."""

    def __init__(self, size_bytes: int = 100, arrived: float = 0.0) -> None:
        self.size_bytes = size_bytes
        self.queue: Any = None
        self.arrived = arrived


def make_worker(name: str, *pools: Pool, capacity: int = 10, weight: int = 100) -> Worker:
    """A worker that has joined these pools."""
    link: Any = FakeLink(name)
    worker = Worker(link, capacity, 0.0)
    worker.set_name(name)
    worker.set_weight(weight)
    for pool in pools:
        worker.pools.append(pool)
        pool.add(worker)
    return worker

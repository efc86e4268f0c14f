"""Who waits for a worker: first come, first served; bounded in count and in bytes.

Not in age: whoever waits has a deadline of its own.
"""

from collections import OrderedDict
from typing import Any, Generic, Protocol, TypeVar


class Queued(Protocol):
    """What a queue knows of those who wait in it.

    arrived: when it came
    size_bytes: what it holds in memory
    queue: where it waits, or None; the queue's to write
    """

    arrived: float
    queue: "Queue[Any] | None"

    @property
    def size_bytes(self) -> int: ...


T = TypeVar("T", bound=Queued)


class Queue(Generic[T]):
    """`n_bytes` is what all who wait hold together; `waiting` is to be looked at only."""

    __slots__ = ("_max_bytes", "_max_count", "n_bytes", "waiting")

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._max_count = max_count
        self._max_bytes = max_bytes
        self.waiting: OrderedDict[T, int] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self.waiting)

    def __repr__(self) -> str:
        return f"<Queue {len(self)} waiting, {self.n_bytes} bytes>"

    def push(self, item: T, *, first: bool = False) -> bool:
        """Wait in line, or `first` after a retry. False if the queue is full."""
        size = item.size_bytes
        if len(self.waiting) >= self._max_count or self.n_bytes + size > self._max_bytes:
            return False
        self.waiting[item] = size
        self.n_bytes += size
        item.queue = self
        if first:
            self.waiting.move_to_end(item, last=False)
        return True

    def put_back(self, item: T) -> None:
        """Who was popped just now is the next again, though the queue be full."""
        self.waiting[item] = size = item.size_bytes
        self.n_bytes += size
        item.queue = self
        self.waiting.move_to_end(item, last=False)

    def grow(self, item: T, n_bytes: int) -> bool:
        """Who waits keeps `n_bytes` more of its body. It keeps its place, though the queue be full: False then."""
        self.waiting[item] += n_bytes
        self.n_bytes += n_bytes
        return self.n_bytes <= self._max_bytes

    def remove(self, item: T) -> None:
        self.n_bytes -= self.waiting.pop(item)
        item.queue = None

    def first_arrival(self) -> float:
        """When the one that is next came. Only of a queue that is not empty."""
        return next(iter(self.waiting)).arrived

    def pop(self) -> T:
        """Whose turn it is. Only of a queue that is not empty."""
        item, size = self.waiting.popitem(last=False)
        self.n_bytes -= size
        item.queue = None
        return item

    def pop_all(self) -> list[T]:
        """Everybody, in order; the queue is empty after it."""
        items = list(self.waiting)
        self.waiting.clear()
        self.n_bytes = 0
        for item in items:
            item.queue = None
        return items

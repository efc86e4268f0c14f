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


class _Room:
    """How many may wait and how much they may hold, and how many and how much it is: of one queue, or several."""

    __slots__ = ("max_bytes", "max_count", "n", "n_bytes")

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self.max_count = max_count
        self.max_bytes = max_bytes
        self.n = 0
        self.n_bytes = 0

    def change(self, n: int, n_bytes: int) -> None:
        self.n += n
        self.n_bytes += n_bytes


class Queue(Generic[T]):
    """`n_bytes` is what all who wait hold together; `waiting` is to be looked at only."""

    __slots__ = ("_room", "n_bytes", "waiting")

    def __init__(self, max_count: int, max_bytes: int) -> None:
        self._room = _Room(max_count, max_bytes)
        self.waiting: OrderedDict[T, int] = OrderedDict()
        self.n_bytes = 0

    def __len__(self) -> int:
        return len(self.waiting)

    def __repr__(self) -> str:
        return f"<Queue {len(self)} waiting, {self.n_bytes} bytes>"

    def beside(self) -> "Queue[T]":
        """Another one, whose bounds are those of both together."""
        other: Queue[T] = Queue(0, 0)
        other._room = self._room
        return other

    def push(self, item: T, *, first: bool = False) -> bool:
        """Wait in line, or `first` after a retry. False if the queue is full."""
        size, room = item.size_bytes, self._room
        if room.n >= room.max_count or room.n_bytes + size > room.max_bytes:
            return False
        self._add(item, size)
        if first:
            self.waiting.move_to_end(item, last=False)
        return True

    def put_back(self, item: T) -> None:
        """Who was popped just now is the next again, though the queue be full."""
        self._add(item, item.size_bytes)
        self.waiting.move_to_end(item, last=False)

    def grow(self, item: T, n_bytes: int) -> bool:
        """Who waits keeps `n_bytes` more of its body. It keeps its place, though the queue be full: False then."""
        self.waiting[item] += n_bytes
        self.n_bytes += n_bytes
        self._room.change(0, n_bytes)
        return self._room.n_bytes <= self._room.max_bytes

    def remove(self, item: T) -> None:
        self._drop(item, self.waiting.pop(item))

    def first_arrival(self) -> float:
        """When the one that is next came. Only of a queue that is not empty."""
        return next(iter(self.waiting)).arrived

    def pop(self) -> T:
        """Whose turn it is. Only of a queue that is not empty."""
        item, size = self.waiting.popitem(last=False)
        self._drop(item, size)
        return item

    def pop_all(self) -> list[T]:
        """Everybody, in order; the queue is empty after it."""
        return [self.pop() for _ in range(len(self.waiting))]

    def _add(self, item: T, size: int) -> None:
        self.waiting[item] = size
        self.n_bytes += size
        self._room.change(1, size)
        item.queue = self

    def _drop(self, item: T, size: int) -> None:
        self.n_bytes -= size
        self._room.change(-1, -size)
        item.queue = None

"""What stands in for the router's parts where only their faces matter. Those that are told something note it.

Notes are plain words in one list, in order, whoever was told: `link.reset 5`, `client.end`.
"""

import heapq
import itertools
from collections.abc import Callable
from typing import Any, cast

from zerogate.router.affinity import StickyCookie
from zerogate.router.counters import Counters
from zerogate.router.pool import Pool
from zerogate.router.workers import Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http.terms import Terms
from zerogate.wire.spdy.headers import decode_block

Notes = list[str]


def note(notes: Notes, what: str, *words: object) -> None:
    notes.append(" ".join([what, *(_word(word) for word in words)]))


def _word(word: object) -> str:
    if isinstance(word, bytes):
        return word.decode("latin-1") or "-"
    if isinstance(word, bool):
        return "fin" if word else "more"
    return f"{word:g}" if isinstance(word, float) else f"{word:d}" if isinstance(word, int) else str(word)


class FakeTimers:
    """A clock that stands still until it is wound on, and what is to happen by it."""

    def __init__(self, now: float = 1000.0) -> None:
        self._now = now
        self._due: list[tuple[float, int, FakeTimer]] = []
        self._order = itertools.count()

    def time(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callable[..., object], /, *args: Any) -> "FakeTimer":
        timer = FakeTimer(lambda: callback(*args))
        heapq.heappush(self._due, (self._now + delay, next(self._order), timer))
        return timer

    @property
    def n_waiting(self) -> int:
        return sum(not timer.is_cancelled for _, _, timer in self._due)

    def wind(self, seconds: float) -> None:
        """Let time pass, and what is due by it happen in its order."""
        end = self._now + seconds
        while self._due and self._due[0][0] <= end:
            self._now, _, timer = heapq.heappop(self._due)
            if not timer.is_cancelled:
                timer.call()
        self._now = end


class FakeTimer:
    def __init__(self, call: Callable[[], object]) -> None:
        self.call = call
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeSession:
    def __init__(self, ids_left: int = 1 << 30) -> None:
        self.ids_left = ids_left


class FakeStream:
    """A stream as its handler sees it."""

    def __init__(self, handler: Any) -> None:
        self.handler = handler
        self.pending_bytes = 0
        self.send_window = 0
        self.remote = 3  # DONE

    def __repr__(self) -> str:
        return "<FakeStream>"


class FakeLink:
    """A link that nobody is at the other end of. `fails` is raised when a stream is to be opened."""

    def __init__(self, name: str = "?", notes: Notes | None = None, ids_left: int = 1 << 30) -> None:
        self.name = name
        self.notes: Notes = [] if notes is None else notes
        self.session = FakeSession(ids_left)
        self.fails: Exception | None = None
        self.blocks: list[dict[bytes, bytes]] = []
        self.streams: list[FakeStream] = []
        self.peer = "198.51.100.7:4"
        self.bytes_in = self.bytes_out = 0
        self.closed_for = ""
        self.is_going_away = False
        self.was_silent = False

    def __repr__(self) -> str:
        return f"<FakeLink {self.name}>"

    def open_stream(self, block: bytes, fin: bool, handler: Any) -> FakeStream:
        if self.fails is not None:
            raise self.fails
        self.blocks.append(decode_block(block))
        stream = FakeStream(handler)
        self.streams.append(stream)
        note(self.notes, "link.open", fin)
        return stream

    def send_data(self, stream: FakeStream, data: bytes, fin: bool) -> None:
        stream.send_window -= len(data)
        note(self.notes, "link.data", data, fin)

    def send_headers(self, stream: FakeStream, block: bytes, fin: bool) -> None:
        note(self.notes, "link.headers", *decode_block(block), fin)

    def consumed(self, stream: FakeStream, n_bytes: int) -> None:
        note(self.notes, "link.consumed", n_bytes)

    def reset(self, stream: FakeStream, status: int) -> None:
        stream.handler = None
        note(self.notes, "link.reset", int(status))

    def goaway(self) -> None:
        self.is_going_away = True
        note(self.notes, "link.goaway")

    def close(self, reason: str) -> None:
        self.closed_for = reason
        note(self.notes, "link.close", reason)


class FakeClient:
    """One client's side of an exchange (faces.py, Client)."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.address = "203.0.113.9"
        self.is_writable = True
        self.bytes_out = 0
        self.unsent = 0
        self.heads: list[ReplyHead] = []

    def send_interim(self, status: int, fields: Any) -> None:
        note(self.notes, "client.interim", status)

    def send_head(self, head: ReplyHead, *, fin: bool) -> None:
        self.heads.append(head)
        note(self.notes, "client.head", head.status, fin)

    def send_whole(self, head: ReplyHead, body: bytes) -> None:
        note(self.notes, "client.whole", head.status, body)

    def send_body(self, data: bytes) -> None:
        note(self.notes, "client.body", data)

    def send_end(self, trailers: Any = ()) -> None:
        note(self.notes, "client.fin", *(name for name, _ in trailers))

    def open_tunnel(self, head: ReplyHead) -> None:
        note(self.notes, "client.tunnel", head.status)

    def send_error(self, error: HttpError, request_id: bytes) -> None:
        note(self.notes, "client.error", error.status)

    def cut(self) -> None:
        note(self.notes, "client.cut")

    def credit_body(self, n_bytes: int) -> None:
        note(self.notes, "client.credit", n_bytes)

    def hold_body(self) -> None:
        note(self.notes, "client.hold")

    def expect(self, seconds: float) -> None:
        note(self.notes, "client.expect", seconds)

    def unsent_bytes(self) -> int:
        return self.unsent

    def end(self) -> None:
        note(self.notes, "client.end")


class FakeDispatcher:
    """Who decides, as an exchange sees it (dispatcher.py)."""

    def __init__(self, notes: Notes) -> None:
        self.notes = notes
        self.may_collect = True
        self.spare_room = True

    def collect(self, request: Any) -> bool:
        note(self.notes, "dispatcher.collect")
        return self.may_collect

    def has_spare_room(self, request: Any) -> bool:
        return self.spare_room

    def submit(self, request: Any) -> None:
        note(self.notes, "dispatcher.submit")

    def withdraw(self, request: Any) -> None:
        note(self.notes, "dispatcher.withdraw")

    def free_slot(self, worker: Any) -> None:
        note(self.notes, "dispatcher.free_slot")

    def set_apart(self, worker: Any, *, is_tunnel: bool) -> None:
        worker.set_apart(is_tunnel=is_tunnel)
        note(self.notes, "dispatcher.set_apart")

    def blame(self, worker: Any) -> None:
        note(self.notes, "dispatcher.blame")

    def pause(self, worker: Any) -> None:
        note(self.notes, "dispatcher.pause")


class FakeDeadlines:
    """The clock of deadlines (deadlines.py)."""

    def __init__(self, timers: FakeTimers) -> None:
        self._timers = timers

    @property
    def now(self) -> float:
        return self._timers.time()


class FakeDesk:
    """The desk as an exchange sees it (desk.py)."""

    def __init__(self, notes: Notes, **options: Any) -> None:
        self.notes = notes
        self.settings = RouterSettings(**{"admin": "off", "access_log": "off", **options})
        self.counters = Counters()
        self.loop = FakeTimers()
        self.deadlines = FakeDeadlines(self.loop)
        self.entries: list[Any] = []

    def note(self, entry: Any, client: Any) -> None:
        self.entries.append(entry)
        note(self.notes, "desk.note")


class FakeExchange:
    """An exchange as a queue sees it."""

    def __init__(self, size_bytes: int = 100, arrived: float = 0.0) -> None:
        self.size_bytes = size_bytes
        self.queue: Any = None
        self.arrived = arrived


class FakeWaiting(FakeExchange):
    """A request as the dispatcher sees it (dispatcher.py, Waiting).

    worker: who has it
    error: what it was declined with
    waits_s: for how long it was told to wait, each time
    """

    def __init__(self, path: bytes = b"/", host: bytes = b"a", arrived: float = 0.0, size_bytes: int = 100) -> None:
        super().__init__(size_bytes, arrived)
        self.head = RequestHead(b"GET", path, path, host)
        self.wait_until = 0.0
        self.prefix = ""
        self.tried: frozenset[str] = frozenset()
        self.shunned: frozenset[str] = frozenset()
        self.is_noted = False
        self.awaits_until = 0.0
        self.cookie: StickyCookie | None = None
        self.client_address = ""
        self.is_broken_off = False
        self.worker: Worker | None = None
        self.error = ""
        self.waits_s: list[float] = []

    def __repr__(self) -> str:
        return f"<FakeWaiting {self.head.path!r}>"

    def send(self, worker: Worker) -> None:
        assert self.worker is None, "it has a worker"
        assert not self.error, "it was declined"
        fails = getattr(worker.link, "fails", None)
        if fails is not None:
            raise fails
        self.worker = worker

    def decline(self, error: HttpError) -> None:
        assert self.worker is None
        assert not self.error
        assert self.queue is None
        self.error = error.code

    def break_off(self) -> None:
        assert not self.is_broken_off
        self.is_broken_off = True
        if self.queue is not None:
            self.queue.remove(self)

    def wait(self, seconds: float) -> None:
        assert self.queue is not None
        self.waits_s.append(seconds)


def make_worker(
    name: str,
    *pools: Pool,
    capacity: int = 10,
    weight: int = 100,
    link: Any = None,
    process_id: str = "",
    terms: Terms | None = None,
) -> Worker:
    """A worker that has joined these pools."""
    worker = Worker(cast(Any, link or FakeLink(name)), capacity, 0.0, process_id)
    worker.set_name(name, terms)
    worker.set_weight(weight)
    worker.timeout_s = worker.idle_timeout_s = 60.0
    for pool in pools:
        worker.pools.append(pool)
        pool.add(worker)
    return worker

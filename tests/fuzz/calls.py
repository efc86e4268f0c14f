"""Two calls of an ASGI application that hear and say the same: one by the fast paths, one by the Python alone.

Nothing waits here: whoever would is asked again after each step, as an event loop would when something has happened.
"""

from collections.abc import Generator
from functools import partial
from random import Random
from typing import Any, cast

from tests.fuzz import material
from zerogate.wire.spdy.streams import OPEN, REPLY_DUE, Stream
from zerogate.worker.asgi import careful_receive, careful_send, receive, send
from zerogate.worker.call import COMPLETE, MAX_PENDING_BYTES, Call, CarefulCall

Answer = tuple[str, Any]

HEADERS: tuple[Any, ...] = (
    [],
    [(b"content-length", b"1")],
    [(b"content-type", b"text/event-stream")],
    ((b"X-A", b" b "), [b"set-cookie", b"c"]),
    [("a", "b")],
    [(b"a", b"b\n")],
    None,
)
BODIES: tuple[Any, ...] = (b"", b"x", b"hello" * 100, bytearray(b"y"), memoryview(b"z"), "text", None)
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]}
FIELDS = {b":method": b"POST", b":path": b"/"}
KINDS = ("start", "start", "body", "body", "body", "trailers", "pathsend", "else")


class Waiter:
    """A future, as far as a call asks."""

    def __init__(self) -> None:
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def set_result(self, _: None) -> None:
        self._is_done = True

    def __await__(self) -> Generator[str, None, None]:
        while not self._is_done:
            yield "waits"


class Owner:
    """Who has the call, its loop and its link in one: `said` is what it was told."""

    cancel_after = 1.0
    accepts: frozenset[str] = frozenset()

    def __init__(self) -> None:
        self.said: list[tuple[Any, ...]] = []
        self.calls: set[CarefulCall] = set()
        self.loop = self

    def create_future(self) -> Waiter:
        return Waiter()

    def set_apart(self, link: object) -> "Owner":
        self.said.append(("set_apart",))
        return self

    def free_slot(self, link: object) -> None:
        self.said.append(("free_slot",))

    def __getattr__(self, name: str) -> Any:
        return lambda stream, *what: self.said.append((name, *what))


class World:
    """One of the two calls."""

    def __init__(self, kind: type[CarefulCall], channel: Any, fields: dict[bytes, bytes], fin: bool) -> None:
        self.owner = Owner()
        self.stream = Stream(1, REPLY_DUE, OPEN, 1 << 16)
        self.call = kind(cast(Any, self.owner), cast(Any, self.owner), self.stream, fields, fin)
        self.receive, self.send = (partial(each, self.call) for each in channel)
        self._waiting: list[Any] = []

    def begin(self, awaitable: Any) -> Answer:
        """What becomes of it at first."""
        return self._go_on(awaitable)

    def go_on(self) -> list[Answer]:
        """And of those that wait, one after the other."""
        waiting, self._waiting = self._waiting, []
        return [self._go_on(each) for each in waiting]

    def stop(self) -> None:
        for each in self._waiting:
            each.close()

    def _go_on(self, awaitable: Any) -> Answer:
        try:
            told = awaitable.send(None)
        except StopIteration as stop:
            return "returns", stop.value
        except Exception as error:
            return type(error).__name__, str(error)
        self._waiting.append(awaitable)
        return "waits", told

    def books(self) -> dict[str, Any]:
        """All that it knows."""
        call: Any = self.call
        names = ("_body", "_has_trailers", "_head", "_is_body_told", "_is_end_told", "_wants_continue", "stage")
        return {
            **{name: getattr(call, name) for name in names},
            **{name: getattr(call, name) for name in ("has_body_ended", "is_gone", "fields", "work")},
            "waiters": len(call._waiters),
            "said": self.owner.said,
            "calls": len(self.owner.calls),
            "is heard": self.stream.handler is call,
        }


def message(random: Random) -> Any:
    """What an application may say, and may not."""
    kind = random.choice(KINDS)
    made: dict[str, Any] = {"type": f"http.response.{kind}"}
    if kind == "start":
        made["status"] = random.choice((200, 200, 200, 304, 99, "200"))
        made["headers"] = material.headers(random) if random.random() < 0.3 else random.choice(HEADERS[:3])
        if random.random() < 0.1:
            made["headers"] = random.choice(HEADERS)
        if random.random() < 0.2:
            made["trailers"] = random.choice((True, False, 0, 1))
    elif kind == "body":
        made["body"] = random.choice(BODIES[:3] if random.random() < 0.8 else BODIES)
        made["more_body"] = random.choice((True, False, False, 0, 1, None))
    elif kind == "trailers":
        made["headers"] = random.choice(HEADERS)
        made["more_trailers"] = random.choice((True, False))
    for key in [*made]:
        if random.random() < 0.03:
            del made[key]
    return made if random.random() < 0.97 else random.choice((None, "text", [("type", "http.response.body")]))


def play(random: Random) -> bool:
    """One call from its begin to its end. Tells if its reply became complete; raises where the two differ."""
    fin = random.random() < 0.5
    fields = {**FIELDS, b"expect": b"100-continue"} if random.random() < 0.1 else FIELDS
    fast = World(Call, (receive, send), fields, fin)
    careful = World(CarefulCall, (careful_receive, careful_send), fields, fin)

    def both(act: Any) -> None:
        ours, theirs = act(fast), act(careful)
        if ours != theirs or fast.books() != careful.books():
            raise AssertionError(f"calls differ:\n  {ours!r} {fast.books()}\n  {theirs!r} {careful.books()}")

    try:
        if random.random() < 0.5:
            both(lambda world: world.begin(world.send(START)))
        for _ in range(int(random.random() * 12)):
            both(_act(random))
            both(World.go_on)
        is_complete = fast.call.stage == COMPLETE
        both(lambda world: world.call.end())
    finally:
        fast.stop()
        careful.stop()
    return is_complete


def _act(random: Random) -> Any:
    choice = random.random()
    if choice < 0.6:
        said = message(random)
        return lambda world: world.begin(world.send(said))
    if choice < 0.8:
        return lambda world: world.begin(world.receive())
    if choice < 0.9:
        data, last = random.choice((b"", b"abc", b"d" * 1000)), random.random() < 0.5
        return lambda world: world.call.on_data(data, last)
    if choice < 0.94:
        pending = random.choice((0, MAX_PENDING_BYTES, MAX_PENDING_BYTES + 1))
        return lambda world: setattr(world.stream, "pending_bytes", pending)
    if choice < 0.97:
        return lambda world: world.call.on_writable()
    return lambda world: world.call.on_reset(5)

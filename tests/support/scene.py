"""One exchange among fakes, in any of its states: for tests of what an event does there."""

from typing import Any

from tests.support.fakes import FakeClient, FakeDesk, FakeDispatcher, FakeLink, Notes, make_worker
from zerogate.router.exchange import Exchange, State
from zerogate.router.forwarding import NOBODY, Forwarding, Trust
from zerogate.wire.http.request import RequestHead

COLLECTING, WAITING, DUE, OPEN, TUNNEL, HALF, DONE = State

VERSION = {b":version": b"HTTP/1.1"}
OK = {b":status": b"200", **VERSION}
SWITCH = {b":status": b"101", **VERSION}


class Scene:
    """An exchange among fakes. A POST whose client holds its body back, but for COLLECTING; an upgrade for tunnels."""

    def __init__(
        self,
        state: State,
        method: bytes = b"POST",
        *,
        has_body: bool = True,
        fields: Any = (),
        trust: Trust = NOBODY,
        **options: Any,
    ) -> None:
        self.notes: Notes = []
        self.client = FakeClient(self.notes)
        self.desk = FakeDesk(self.notes, **options)
        self.link = FakeLink("w", self.notes)
        self.worker = make_worker("w", link=self.link)
        self.worker.timeout_s, self.worker.idle_timeout_s = self.desk.settings.timeout, self.desk.settings.idle_timeout
        is_tunnel = state in (State.TUNNEL, State.HALF)
        head = RequestHead(
            *(b"GET" if is_tunnel else method, b"/", b"/", b"a"),
            fields=list(fields),
            is_chunked=has_body and not is_tunnel,
            expects_continue=has_body and not is_tunnel and state is not State.COLLECTING,
            upgrade=b"websocket" if is_tunnel else b"",
        )
        parts: tuple[Any, Any, Any] = (FakeDispatcher(self.notes), self.desk, self.client)
        self.exchange = Exchange(*parts, head, Forwarding("203.0.113.9", b"http", trust), b"id")
        self._bring_to(state)
        assert self.exchange.state is state
        self.notes.clear()
        self._counted = self.desk.counters.as_dict()

    @property
    def stream(self) -> Any:
        return self.link.streams[-1]

    def _bring_to(self, state: State) -> None:
        exchange = self.exchange
        if state in (State.DUE, State.OPEN, State.TUNNEL, State.HALF):
            exchange.send(self.worker)
            self.stream.remote = 1  # OPEN: the worker may say more
        if state is State.OPEN:
            exchange.on_reply(OK, False)
        if state in (State.TUNNEL, State.HALF):
            exchange.on_reply(SWITCH, False)
        if state is State.HALF:
            exchange.on_data(b"", True)
            self.stream.remote = 3
        if state is State.DONE:
            exchange.abandon()

    def happens(self, event: str, *args: Any) -> str:
        """What an event does, as a cell says it."""
        before = self.exchange.state
        try:
            getattr(self.exchange, event)(*args)
        except RuntimeError:
            return "RuntimeError"
        counters = self.desk.counters.as_dict()
        counted = [f"+{name}" for name, n in counters.items() if isinstance(n, int) and n != self._counted[name]]
        counted += [f"+{code}" for code in counters["errors"]]
        self._counted = counters
        after = self.exchange.state
        words = [*self.notes, *counted] + ([f"> {after.name}"] if after is not before else [])
        self.notes.clear()
        return ", ".join(words)


# How cells end, and whole ones that come often.
END = "desk.note, client.end"
FREED = "link.reset 5, dispatcher.free_slot"
CUT = f"{FREED}, client.cut, {END}, +cut, > DONE"
LOST = f"dispatcher.free_slot, client.cut, {END}, +cut, > DONE"
BAD = f"link.reset 1, dispatcher.blame, dispatcher.free_slot, client.cut, {END}, +cut, +bad_replies, > DONE"

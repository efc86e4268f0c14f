"""A client of HTTP/1 at a desk of its own, in octets, with an answer that the test gives."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_time import run_virtually
from zerogate.router.clients.http1 import Http1Client
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import QUEUE_FULL, HttpError
from zerogate.wire.http.reply import ReplyHead

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
OK = ReplyHead.of(200, [(b"content-length", b"2")])
PIECES = ReplyHead.of(200, [])


class Answered:
    """An exchange that does nothing of itself. `told` is what it heard."""

    def __init__(self, client: Any, head: Any) -> None:
        self.client = client
        self.head = head
        self.told: list[str] = []

    def begin(self) -> None:
        self.told.append("begin")

    def receive_body(self, data: bytes) -> None:
        self.told.append(f"body {len(data)}")

    def receive_pause(self) -> None:
        """A body that did not come with its head is nothing new to it."""

    def receive_end(self, trailers: Any) -> None:
        self.told.append("end")

    def reject_request(self, error: HttpError) -> None:
        self.told.append(f"reject {error.status}")
        self.client.send_error(error, b"id")
        self.client.end()

    def resume_reply(self) -> None:
        self.told.append("resume")

    def abandon(self) -> None:
        self.told.append("abandon")

    def expire(self) -> None:
        self.told.append("expire")

    def shut_down(self) -> None:
        self.told.append("shut_down")


class Visit:
    """One connection to a desk of its own. `exchanges` are those it has begun."""

    def __init__(self, peername: Any = ("203.0.113.9", 5), is_quick: bool = False, **options: Any) -> None:
        self.exchanges: list[Answered] = []
        self.loop = asyncio.get_running_loop()
        answer: Any = self._answer_at_once if is_quick else self._answer
        self.desk = Desk(RouterSettings(**options), Counters(), answer)
        self.client: Http1Client = Http1Clients(self.desk)()
        self.transport = MemoryTransport(self.client, peername)

    def _answer(self, desk: Desk, client: Any, head: Any, forwarding: Any, request_id: bytes) -> Answered:
        self.exchanges.append(Answered(client, head))
        return self.exchanges[-1]

    def _answer_at_once(self, desk: Desk, client: Any, head: Any, forwarding: Any, request_id: bytes) -> Answered:
        """Declined within `begin`, as when there is no route."""
        exchange = self._answer(desk, client, head, forwarding, request_id)

        def begin() -> None:
            client.send_error(HttpError(QUEUE_FULL), request_id)
            client.end()

        exchange.begin = begin  # type: ignore[method-assign]
        return exchange

    def connect_again(self) -> None:
        """A second client at the same desk, which is `client` from now on."""
        self.client = Http1Clients(self.desk)()
        self.transport = MemoryTransport(self.client)

    @property
    def exchange(self) -> Answered:
        return self.exchanges[-1]

    def reply(self, body: bytes = b"ok") -> None:
        self.client.send_whole(OK, body)
        self.client.end()

    def said(self) -> list[bytes]:
        """Status lines and bodies since the last time, without the fields."""
        return [part for part in self.transport.drain().split(b"\r\n") if part and b": " not in part]

    async def lost_after(self) -> float:
        began = self.loop.time()
        while not self.transport.is_lost:
            assert self.loop.time() < began + 1000
            await asyncio.sleep(0.1)
        return self.loop.time() - began


Scenario = Callable[[Visit], Awaitable[None]]


def visit(**options: Any) -> Callable[[Scenario], Callable[[], None]]:
    def decorate(scenario: Scenario) -> Callable[[], None]:
        def test() -> None:
            async def main() -> None:
                made = Visit(**options)
                await scenario(made)
                made.desk.close()

            run_virtually(main())

        test.__doc__ = scenario.__doc__
        return test

    return decorate

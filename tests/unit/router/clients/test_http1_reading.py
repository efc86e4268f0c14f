"""When an HTTP/1 client is read: property by property, whatever comes in whatever order.

Checked: reading is on exactly while nothing is unread and the exchange has credit, in every situation of the
connection; what is handed over is never more than the credit and one read; the end of a lingering connection, or of one
that is owed the rest of a body, comes though the client keeps sending; and nothing raises.
"""

import asyncio
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.virtual_time import run_virtually
from tests.support.visit import Answered, Visit
from zerogate.router.desk import LINGER_S
from zerogate.router.faces import BODY_CREDIT_BYTES
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http1 import Writing

GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
CHUNK = b"4000\r\n%b\r\n" % bytes(0x4000)
SAYS = (
    GET,
    GET * 3,
    GET[:10],
    CHUNKED,
    CHUNKED + CHUNK,
    CHUNK,
    CHUNK * 5,
    b"0\r\n\r\n",
    b"0\r\n\r\n" + GET,
    b"nonsense\r\n",
)
MOVES = (
    "say",
    "say",
    "say",
    "say",
    "credit",
    "credit",
    "hold",
    "reply",
    "begin",
    "body",
    "end",
    "pause",
    "take",
    "eof",
)


class CuttingVisit(Visit):
    """Its exchanges cut a reply that has begun, as they must."""

    def _answer(self, *args: Any) -> Answered:
        exchange = super()._answer(*args)
        reject = exchange.reject_request

        def reject_request(error: HttpError) -> None:
            if exchange.client._connection.writing is Writing.DUE:
                reject(error)
            else:
                exchange.client.cut()
                exchange.client.end()

        exchange.reject_request = reject_request  # type: ignore[method-assign]
        return exchange


class Reader:
    """A client's connection, and what its exchange has had of it."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.held: Any = None  # the exchange that has said so
        self.owed = 0
        self.seen = 0
        self.has_begun = False

    @property
    def exchange(self) -> Any:
        return self.visit.client._exchange

    def catch_up(self) -> None:
        """Count what was handed over since the last time."""
        exchanges: Any = self.visit.exchanges
        if len(exchanges) != self.seen:
            self.seen = len(exchanges)
            self.told = 0
            self.owed = 0
            self.has_begun = False
        if exchanges:
            for word in exchanges[-1].told[self.told :]:
                if word.startswith("body "):
                    self.owed += int(word.removeprefix("body "))
            self.told = len(exchanges[-1].told)

    def move(self, name: str, n: int) -> None:
        client, transport = self.visit.client, self.visit.transport
        if transport.is_closing():
            return
        if name == "say":
            transport.say(SAYS[n % len(SAYS)])
        elif name == "eof":
            if n > 90:
                transport.say_eof()
        elif name == "pause":
            transport.is_taking = False
        elif name == "take":
            transport.is_taking = True
            transport.take()
        elif self.exchange is not None:
            self.answer(name, n, client)

    def answer(self, name: str, n: int, client: Any) -> None:
        if name == "credit" and self.owed:
            credit = self.owed if n % 2 else (self.owed + 1) // 2
            self.owed -= credit
            self.held = None
            client.credit_body(credit)
        elif name == "hold" and self.owed:
            self.held = self.exchange
            client.hold_body()
        elif name == "reply" and not self.has_begun:
            client.send_whole(ReplyHead.of(200, [(b"content-length", b"2")]), b"ok")
            client.end()
        elif name == "begin" and not self.has_begun:
            self.has_begun = True
            client.send_head(ReplyHead.of(200, []), fin=False)
        elif name == "body" and self.has_begun:
            client.send_body(bytes(n * 1000 + 1))
        elif name == "end" and self.has_begun:
            client.send_end()
            client.end()

    def check(self) -> None:
        transport, client = self.visit.transport, self.visit.client
        if transport.is_closing():
            return
        assert self.owed <= BODY_CREDIT_BYTES + 5 * 0x4000
        has_credit = self.exchange is None or (self.owed < BODY_CREDIT_BYTES and self.held is not self.exchange)
        assert transport.is_reading() == (has_credit and not client._connection.has_unread), client


@settings(max_examples=3 * settings().max_examples)
@given(st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 99)), min_size=5, max_size=40))
def test_it_is_read_exactly_while_there_is_room(moves: list[tuple[str, int]]) -> None:
    async def main() -> None:
        visit = CuttingVisit()
        reader = Reader(visit)
        for name, n in moves:
            reader.move(name, n)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            reader.catch_up()
            reader.check()
        visit.transport.lose()
        await asyncio.sleep(0)
        visit.desk.close()

    run_virtually(main())


def test_a_client_that_keeps_sending_buys_no_time() -> None:
    """After the last reply, and after a refusal."""

    async def main(first: bytes) -> None:
        visit = Visit()
        visit.transport.say(first)
        if visit.exchanges:
            visit.reply()
        began = visit.loop.time()
        while not visit.transport.is_lost:
            visit.transport.say(CHUNK)
            await asyncio.sleep(0.1)
            assert visit.loop.time() - began < LINGER_S + 3.0
        visit.desk.close()

    for first in (b"nonsense\r\n\r\n", GET.replace(b"host", b"connection: close\r\nhost"), CHUNKED):
        run_virtually(main(first))

"""What every client needs of the router."""

import asyncio
import math
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.bench import Notes
from tests.support.virtual_time import run_virtually
from zerogate.router.counters import Counters
from zerogate.router.desk import STOP_IDLE_S, Desk
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import TOO_MANY_CLIENTS, HttpError
from zerogate.wire.http.request import RequestHead


class Visitor:
    """A client's connection. `told` is what it heard."""

    def __init__(self, seconds: float = math.inf) -> None:
        self.deadline = asyncio.get_running_loop().time() + seconds
        self.tick = 0
        self.told: list[str] = []

    def on_deadline(self) -> None:
        self.told.append("deadline")
        self.deadline = math.inf

    def close_if_idle(self) -> None:
        self.told.append("close_if_idle")

    def shut_down(self) -> None:
        self.told.append("shut_down")

    def abort(self) -> None:
        self.told.append("abort")


def make_desk(notes: Any = None, answer: Any = None, **options: Any) -> Desk:
    return Desk(RouterSettings(**options), Counters(), answer, notes)


def test_who_is_connected() -> None:
    async def main() -> None:
        desk = make_desk(max_clients=2)
        visitors: list[Any] = [Visitor() for _ in range(3)]
        assert [desk.add(visitor) for visitor in visitors] == [True, True, False]
        desk.remove(visitors[0])
        desk.remove(visitors[0])
        assert desk.clients == {*visitors[1:]}
        assert desk.counters.connections == 3
        desk.close()
        assert [visitor.told for visitor in visitors] == [[], ["abort"], ["abort"]]

    run_virtually(main())


def test_deadlines_are_met_of_those_who_are_connected() -> None:
    async def main() -> None:
        desk = make_desk()
        here, gone = Visitor(10.0), Visitor(10.0)
        for visitor in (here, gone):
            desk.add(visitor)
        desk.remove(gone)
        await asyncio.sleep(9.9)
        assert here.told == []
        await asyncio.sleep(2.0)
        assert (here.told, gone.told) == (["deadline"], [])
        desk.close()

    run_virtually(main())


@pytest.mark.parametrize(
    "name", ["timeout", "idle_timeout", "head_timeout", "body_timeout", "keepalive_timeout", "queue_timeout"]
)
def test_each_timeout_may_be_the_shortest(name: str) -> None:
    """Nobody with a deadline of it is told much too late."""

    async def main() -> None:
        desk = make_desk(**{name: 0.2})
        await asyncio.sleep(5.0)
        visitor = Visitor()
        desk.add(visitor)
        await asyncio.sleep(5.03)
        visitor.deadline = desk.loop.time() + 0.2
        await asyncio.sleep(0.3)
        assert visitor.told == ["deadline"]
        desk.close()

    run_virtually(main())


def test_request_ids_are_unique_and_a_trusted_proxy_s_own() -> None:
    async def main() -> None:
        made: list[bytes] = []

        def answer(desk: Desk, client: Any, head: Any, forwarding: Any, request_id: bytes) -> Any:
            made.append(request_id)

        desk, other = make_desk(answer=answer, trust=("10.0.0.0/8",)), make_desk(answer=answer)
        client: Any = None
        claims = RequestHead(b"GET", b"/", b"/", b"a", 1, [(b"x-request-id", b"theirs")])
        for address, head in (("10.1.1.1", claims), ("203.0.113.9", claims), ("10.1.1.1", RequestHead())):
            desk.make_exchange(client, head, desk.forwarding(address))
        other.make_exchange(client, claims, other.forwarding("10.1.1.1"))
        assert made[0] == b"theirs"
        ids = [*made[1:], *(desk.new_request_id() for _ in range(100))]
        assert len({*ids, b"theirs"}) == 104
        assert {len(request_id.split(b"-")[0]) for request_id in ids} == {16}
        assert (desk.counters.requests, other.counters.requests) == (3, 1)
        for one in (desk, other):
            one.close()

    run_virtually(main())


def test_what_is_over_is_counted_and_logged() -> None:
    async def main() -> None:
        notes = Notes()
        desk, silent = make_desk(notes), make_desk()
        client: Any = SimpleNamespace(address="c", bytes_out=7)
        for status in (200, 204, 101, 503, 0):
            entry: Any = SimpleNamespace(status=status, worker_name="w")
            desk.note(entry, client)
            silent.note(entry, client)
        assert desk.counters.replies == silent.counters.replies == [0, 1, 2, 0, 0, 1]
        desk.note_early_error(HttpError(TOO_MANY_CLIENTS), client, b"id")
        assert desk.counters.errors == {"queue_full": 1}
        assert [line[1] for line in notes.lines] == [200, 204, 101, 503, 0, 503]
        assert (notes.entries[-1].request_id, notes.entries[-1].error_code) == (b"id", "queue_full")
        for one in (desk, silent):
            one.reopen_log()
            one.close()
        assert (notes.n_reopened, notes.is_closed) == (1, True)

    run_virtually(main())


def test_the_idle_have_a_moment_when_the_router_stops() -> None:
    async def main() -> None:
        desk = make_desk()
        visitor = Visitor()
        desk.add(visitor)
        assert not desk.is_stopping
        desk.stop()
        assert desk.is_stopping
        await asyncio.sleep(STOP_IDLE_S * 0.9)
        assert visitor.told == []
        await asyncio.sleep(STOP_IDLE_S * 0.2)
        desk.shut_down()
        assert visitor.told == ["close_if_idle", "shut_down"]
        desk.close()

    run_virtually(main())


def test_nothing_happens_after_the_close() -> None:
    async def main() -> None:
        desk = make_desk()
        visitor = Visitor(10.0)
        desk.add(visitor)
        desk.stop()
        desk.close()
        before = desk.date.value
        await asyncio.sleep(100.0)
        assert (visitor.told, desk.date.value) == (["abort"], before)

    run_virtually(main())

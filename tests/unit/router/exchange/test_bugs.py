"""Whatever fails by a bug fails one exchange: its slot is given back, its client told or cut, and nobody else notices.

Each test makes something raise once, in the middle of one request, and looks at another that shares its link.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, cast

import pytest

from tests.support.bench import Bench
from tests.support.http1_asker import Http1Ask
from tests.support.link_peer import LinkPeer
from tests.support.virtual_time import run_virtually
from zerogate.link.link import Link
from zerogate.router.clients.http1 import Http1Client
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import REFUSAL_PAUSE_S, Dispatcher
from zerogate.router.exchange import Exchange, reply_half, request_half
from zerogate.router.exchange.body import RequestBody
from zerogate.router.exchange.collecting import LULL_S
from zerogate.wire.http1 import Connection


class Bug:
    """Makes a function raise when it is next called, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._monkeypatch = monkeypatch
        self.n_met = 0

    def put(self, where: Any, name: str) -> None:
        real = getattr(where, name)

        def buggy(*args: Any, **kwargs: Any) -> Any:
            if not self.n_met:
                self.n_met += 1
                raise ArithmeticError(f"a bug in {name}")
            return real(*args, **kwargs)

        self._monkeypatch.setattr(where, name, buggy)


@pytest.fixture
def bug(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bug]:
    made = Bug(monkeypatch)
    yield made
    assert made.n_met == 1, "nothing has failed"


Act = Callable[[Any, Any], object]
# What the worker, or the client, does when the bug is there; by the way the request and its reply have come.
ACTS: dict[str, Act] = {
    "whole": lambda ask, request: request.whole(b"body"),
    "pieces": lambda ask, request: (request.reply(), request.data(b"first"), request.data(b"last", fin=True)),
    "reset": lambda ask, request: request.end_with(6),
    "refused": lambda ask, request: request.end_with(3),
    "bad": lambda ask, request: request.whole(b"body", 99),
    "left": lambda ask, request: ask.leave(),
    "body": lambda ask, request: (ask.send(b"more"), ask.finish(), request.whole(b"body")),
}

BUGS: list[tuple[str, Any, str]] = [
    ("whole", reply_half, "reply_head"),
    ("whole", Connection, "send_whole"),
    ("whole", Http1Client, "send_whole"),
    ("whole", Http1Client, "end"),
    ("whole", Http1Client, "_await_request"),
    ("whole", Desk, "note"),
    ("pieces", Connection, "send_head"),
    ("pieces", Connection, "send_body"),
    ("pieces", Http1Client, "send_head"),
    ("pieces", Http1Client, "send_body"),
    ("pieces", Http1Client, "send_end"),
    ("pieces", Http1Client, "expect"),
    ("pieces", reply_half, "ReplyBody"),
    ("pieces", Link, "consumed"),
    ("pieces", Desk, "note"),
    ("reset", Http1Client, "send_error"),
    ("reset", Dispatcher, "blame"),
    ("reset", Desk, "note"),
    ("refused", Dispatcher, "pause"),
    ("refused", Dispatcher, "submit"),
    ("bad", Link, "reset"),
    ("bad", Exchange, "_reject_reply"),
    ("left", Link, "reset"),
    ("left", Desk, "note"),
    ("left", Exchange, "abandon"),
    ("body", RequestBody, "send"),
    ("body", Link, "send_data"),
    ("body", Http1Client, "credit_body"),
    ("body", Exchange, "receive_end"),
]


def be_careful(bench: Bench) -> None:
    """Each request has an Exchange: what is usual does not come by where the bug is."""
    bench.desk._answer = partial(Exchange, bench.dispatcher)


@pytest.mark.parametrize(
    ("act", "where", "name"), BUGS, ids=[f"{a}-{getattr(w, '__name__', w)}.{n}" for a, w, n in BUGS]
)
def test_a_bug_costs_one_exchange(act: str, where: Any, name: str, bug: Bug, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        bench = Bench()
        if act == "whole":
            be_careful(bench)
        worker = await bench.worker("w", capacity=2)
        # It holds its body back, so that a worker has the request before the body comes.
        chunked = {"has_body": True, "expects_continue": True} if act == "body" else {}
        victim = bench.ask("http1", b"POST" if chunked else b"GET", b"/victim", **chunked)
        other = bench.ask("http1", b"GET", b"/other")
        await bench.quiet()
        requests = {request.path: request for request in worker.requests}
        bug.put(where, name)
        ACTS[act](victim, requests[b"/victim"])
        await bench.quiet()
        requests[b"/other"].whole(b"for the other")
        await bench.quiet()
        assert (other.status, other.body, other.is_complete) == (200, b"for the other", True)
        await served_in_full(bench, worker)
        await bench.wait(1)
        assert victim.is_complete or cast(Http1Ask, victim).is_lost, victim
        assert len(bench.links.workers) == 1
        for found in bench.links.workers.values():
            assert found is not None
            assert found.in_flight == 0
        assert not list(bench.dispatcher.lobby.waiting)

    run_virtually(main())
    told = [record.getMessage() for record in caplog.records if record.levelname == "ERROR" and record.exc_info]
    assert len(told) == 1, told
    assert "Exchange" in told[0] or "Http1Client" in told[0], told


async def served_in_full(bench: Bench, worker: LinkPeer) -> None:
    """All of the worker's slots can be used: none has leaked."""
    await bench.wait(REFUSAL_PAUSE_S)
    before = len(worker.requests)
    asks = [bench.ask("http1", b"GET", b"/after") for _ in range(2)]
    await bench.quiet()
    # A request that was refused and came again may be among them.
    for request in worker.requests[before:]:
        request.whole(b"after")
    await bench.quiet()
    for request in worker.requests[before + 2 :]:
        request.whole(b"after")
    await bench.quiet()
    assert [ask.status for ask in asks] == [200, 200]


def test_a_bug_before_a_worker_has_the_request(bug: Bug) -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            be_careful(bench)
            worker = await bench.worker("w", capacity=1)
            bug.put(request_half, "request_block")
            victim = bench.ask("http1", b"GET", b"/victim")
            await bench.quiet()
            assert (victim.status, victim.is_complete) == (502, True)
            await served_one(bench, worker)

    run_virtually(main())


def test_a_bug_of_one_that_waits_does_not_stop_who_frees_its_place(bug: Bug) -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", capacity=1)
            asks = [bench.ask("http1", b"GET", target) for target in (b"/first", b"/victim", b"/last")]
            await bench.quiet()
            bug.put(request_half, "request_block")
            worker.requests[0].whole(b"first")
            await bench.quiet()
            worker.requests[1].whole(b"last")
            await bench.quiet()
            assert [(ask.status, ask.body) for ask in asks if ask.status == 200] == [(200, b"first"), (200, b"last")]
            assert asks[1].status == 502

    run_virtually(main())


def test_a_bug_amid_a_body_s_beginning_is_the_end_of_it(bug: Bug) -> None:
    async def main() -> None:
        async with Bench.open() as bench:
            worker = await bench.worker("w", capacity=4)
            victim = bench.ask("http1", b"POST", b"/victim", length=10)
            await bench.quiet()
            bug.put(Http1Client, "expect")
            victim.send(b"12345")
            await bench.quiet()
            assert victim.status == 502
            # Nothing is left that would send it after all.
            await bench.wait(10 * LULL_S)
            assert worker.requests == []
            assert not bench.dispatcher.anteroom
            await served_one(bench, worker)

    run_virtually(main())


async def served_one(bench: Bench, worker: LinkPeer) -> None:
    ask = bench.ask("http1", b"GET", b"/after")
    await bench.quiet()
    worker.requests[-1].whole(b"after")
    await bench.quiet()
    assert (ask.status, ask.body) == (200, b"after")

"""The ASGI host, through a real link: what an application hears, and what becomes of what it sends."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from tests.support.router_end import RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi_types import Application, Message, Receive, Scope, Send

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: Any, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def serving(application: Application, test: Callable[[RouterEnd], Awaitable[None]], **settings: Any) -> None:
    """Run a test on a router that the application's worker has joined."""

    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application, lifespan="off"), [router], **settings):
            await test(router)

    run_virtually(main())


def test_a_request_and_its_reply() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert (scope["type"], scope["method"], scope["path"]) == ("http", "POST", "/a b")
        message = await receive()
        assert message == {"type": "http.request", "body": b"hello", "more_body": False}
        await send({"type": "http.response.start", "status": 201, "headers": [(b"X-One", b"1")]})
        await send(body(message["body"][::-1]))
        # The reply is complete: there is nobody left to hear from.
        assert await receive() == {"type": "http.disconnect"}

    async def test(router: RouterEnd) -> None:
        asked = await router.get("/a%20b?c", method="POST", body=b"hello")
        assert (asked.status, asked.fields[b"x-one"], asked.body) == ("201", b"1", b"olleh")

    serving(application, test)


def test_pieces_both_ways() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(body(message["body"], more))

    async def test(router: RouterEnd) -> None:
        asked = router.ask(method="POST", body=None)
        for piece in (b"a", b"b", b"c"):
            asked.send(piece)
            await until(partial(lambda piece: asked.body.endswith(piece), piece), "the echo")
        asked.send(b"", fin=True)
        assert (await asked.over()).body == b"abc"

    serving(application, test)


def test_trailers() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send({**START, "trailers": True})
        await send(body(b"x"))
        await send({"type": "http.response.trailers", "headers": [(b"x-a", b"1")], "more_trailers": True})
        await send({"type": "http.response.trailers", "headers": [(b"X-Sum", b"1")]})

    async def test(router: RouterEnd) -> None:
        asked = await router.get()
        assert (asked.body, asked.trailers) == (b"x", {b"x-sum": b"1"})

    serving(application, test)


def test_100_continue() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        message = await receive()
        await send(START)
        await send(body(message["body"]))

    async def test(router: RouterEnd) -> None:
        asked = router.ask("/", (b"expect", b"100-continue"), method="POST", body=None)
        await until(lambda: asked.interim == [b"100"], "it is asked for the body")
        asked.send(b"here", fin=True)
        assert (await asked.over()).body == b"here"
        assert asked.interim == [b"100"]

    serving(application, test)


Act = Callable[[Receive, Send], Awaitable[None]]


async def raises(receive: Receive, send: Send) -> None:
    raise RuntimeError("as it was told to")


async def exits(receive: Receive, send: Send) -> None:
    raise SystemExit(3)


async def says_nothing(receive: Receive, send: Send) -> None: ...


async def says_nonsense(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.nonsense"})


async def says_no_type(receive: Receive, send: Send) -> None:
    await send({})


async def sends_a_body_first(receive: Receive, send: Send) -> None:
    await send(body(b"x"))


async def sends_trailers_first(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.trailers", "headers": []})


async def starts_twice(receive: Receive, send: Send) -> None:
    await send(START)
    await send(START)


async def stops_after_the_head(receive: Receive, send: Send) -> None:
    await send(START)


async def cancels_itself(receive: Receive, send: Send) -> None:
    raise asyncio.CancelledError


FAILURES: list[Act] = [
    raises,
    exits,
    says_nothing,
    says_nonsense,
    says_no_type,
    sends_a_body_first,
    sends_trailers_first,
    starts_twice,
    stops_after_the_head,
]


@pytest.mark.parametrize("act", [*FAILURES, cancels_itself])
def test_a_failure_before_the_reply_is_a_500(act: Act, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await act(receive, send)

    async def test(router: RouterEnd) -> None:
        asked = await router.get("/path?query")
        assert (asked.status, asked.body) == ("500", b"Internal Server Error\n")

    serving(application, test)
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    if act is not cancels_itself:
        assert [record.message for record in failures] == ["GET /path failed"]
        assert failures[0].exc_info


@pytest.mark.parametrize("act", [raises, exits, says_nothing, says_nonsense, starts_twice])
def test_a_failure_amid_the_reply_breaks_the_stream(act: Act) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"begun", more=True))
        await act(receive, send)

    async def test(router: RouterEnd) -> None:
        asked = await router.get()
        assert (asked.status, asked.body, asked.reset) == ("200", b"begun", RstStatus.INTERNAL_ERROR)

    serving(application, test)


def test_a_producer_goes_at_its_readers_pace() -> None:
    sent = 0

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal sent
        await send(START)
        while sent < 4 << 20:
            await send(body(bytes(1 << 16), more=True))
            sent += 1 << 16
        await send(body(b""))

    async def test(router: RouterEnd) -> None:
        asked = router.ask(gives_credit=False)
        await asyncio.sleep(1)
        assert len(asked.body) <= sent < 1 << 20
        asked.gives_credit = True
        asked.link.consumed(asked.stream, len(asked.body))
        assert len((await asked.over()).body) == 4 << 20

    serving(application, test)


def test_who_left_is_heard_of() -> None:
    heard: list[Any] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])
        heard.append((await receive())["type"])

    async def test(router: RouterEnd) -> None:
        asked = router.ask()
        await until(lambda: heard, "it has begun")
        asked.cancel()
        await until(lambda: heard == ["http.request", *["http.disconnect"] * 2], "it hears, again and again")

    serving(application, test)


def test_who_does_not_listen_is_cancelled() -> None:
    notes: list[float] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        notes.append(loop.time())
        try:
            await asyncio.sleep(1000)
        finally:
            notes.append(loop.time())

    async def test(router: RouterEnd) -> None:
        asked = router.ask()
        await until(lambda: notes, "it has begun")
        asked.cancel()
        await until(lambda: len(notes) == 2, "it is cancelled")
        assert notes[1] - notes[0] == pytest.approx(3, abs=0.1)

    serving(application, test, cancel_after=3.0)


def test_root_path() -> None:
    async def main() -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send(START)
            await send(body(scope["path"].encode()))

        host = AsgiHost(application, lifespan="off", root_path="/below")
        async with routers() as (router,), working(host, [router]):
            assert (await router.get("/x")).body == b"/below/x"

    run_virtually(main())


def test_state_is_copied_for_each_request() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            scope["state"]["made"] = "at start-up"
            while True:
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
        state = scope["state"]
        await send(START)
        await send(body(state["made"].encode()))
        state["made"] = "changed"

    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application), [router]):
            for _ in range(2):
                assert (await router.get("/x")).body == b"at start-up"

    run_virtually(main())

"""The ASGI host, through a real link: what an application hears, and what becomes of what it sends."""

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.router_end import RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi_types import Application, Message, Receive, Scope, Send
from zerogate.worker.errors import ApplicationError, ClientDisconnected

START: Message = {"type": "http.response.start", "status": 200, "headers": []}


def body(data: Any, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": data, "more_body": more}


def serving(
    application: Application,
    test: Callable[[RouterEnd], Awaitable[None]],
    *,
    run: Callable[[Any], None] = run_virtually,
    **settings: Any,
) -> None:
    """Run a test on a router that the application's worker has joined.

    Time is virtual, unless somebody is never idle: then `run` it in real time.
    """

    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application, lifespan="off"), [router], **settings):
            await test(router)

    run(main())


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
        await send(body(b"after its end"))
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


def test_what_is_to_be_awaited_is_a_coroutine_to_whoever_asks() -> None:
    """Frameworks make tasks of it, wait for it with a time limit, and cancel it."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        cancelled: asyncio.Task[Message] = asyncio.create_task(receive())  # type: ignore[arg-type]
        cancelled.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cancelled
        assert (await asyncio.create_task(receive()))["body"] == b""  # type: ignore[arg-type]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(receive(), 1.0)
        await asyncio.gather(send(START), send(body(b"x", more=True)))
        last, dropped = send(body(b"y")), send(START)
        assert inspect.iscoroutine(last)
        assert inspect.iscoroutine(dropped)
        dropped.close()
        await last
        for awaitable in (last, dropped):
            with pytest.raises(RuntimeError, match="cannot reuse already awaited coroutine"):
                await awaitable

    async def test(router: RouterEnd) -> None:
        assert (await router.get()).body == b"xy"

    serving(application, test)


def test_nothing_is_sent_before_it_is_awaited() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for forgotten in (lambda: send(START), receive):
            with pytest.warns(RuntimeWarning, match="was never awaited"):
                forgotten()
        await send(START)
        await send(body(b"x"))

    async def test(router: RouterEnd) -> None:
        assert (await router.get()).body == b"x"

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
    if act in (says_nothing, stops_after_the_head):
        assert [record.message for record in failures] == ["GET /path: the application ended without a complete reply"]
    elif act is not cancels_itself:
        assert [record.message for record in failures] == ["GET /path failed"]
        assert failures[0].exc_info


@pytest.mark.parametrize("data", ["text", None, 7, ["a"], [b"a"], 1.5], ids=repr)
@pytest.mark.parametrize("is_last", [True, False])
def test_a_body_that_is_none_costs_its_own_request_only(
    data: Any, is_last: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Replies of the same turn go out in one write: nothing of another client's is lost."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(data if scope["path"] == "/bad" else b"good", more=not is_last))
        await send(body(b"", more=False))

    async def test(router: RouterEnd) -> None:
        asked = [router.ask("/good"), router.ask("/bad"), router.ask("/good")]
        for each in asked:
            await each.over()
        good, bad, other = asked
        assert (good.body, other.body) == (b"good", b"good")
        assert (bad.status, bad.body) == ("500", b"Internal Server Error\n")

    serving(application, test)
    failures = [record for record in caplog.records if record.exc_info]
    assert [record.message for record in failures] == ["GET /bad failed"]
    assert f"a body is bytes, not {type(data).__name__}" in caplog.text


@pytest.mark.parametrize("where", ["headers", "trailers"])
def test_a_head_that_is_too_large_costs_its_own_request_only(where: str) -> None:
    """Its body has cost nothing of the link's window: what comes after it is still sent."""
    huge = [(b"x-huge", bytes(1 << 16).replace(b"\0", b"h"))]

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/good":
            await send(START)
            await send(body(bytes(1 << 17)))
        elif where == "headers":
            await send({**START, "headers": huge})
            await send(body(bytes(1 << 16)))
        else:
            await send({**START, "trailers": True})
            await send(body(b"x"))
            await send({"type": "http.response.trailers", "headers": huge})

    async def test(router: RouterEnd) -> None:
        for _ in range(40):
            bad = await router.get("/bad")
            assert bad.status == "500" if where == "headers" else bad.reset == RstStatus.INTERNAL_ERROR
        assert len((await router.get("/good")).body) == 1 << 17

    serving(application, test)


@pytest.mark.parametrize("make", [bytearray, memoryview, lambda data: memoryview(bytearray(data))])
@pytest.mark.parametrize("is_whole", [True, False])
def test_a_body_may_be_in_a_buffer_that_is_used_again(make: Callable[[bytes], Any], is_whole: bool) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        for data in (b"first", b"other"):
            buffer = make(data)
            await send(body(buffer, more=data == b"first" and not is_whole))
            if getattr(buffer, "readonly", False):
                continue
            buffer[:] = bytes(5)
            if isinstance(buffer, bytearray):
                buffer.clear()

    async def test(router: RouterEnd) -> None:
        asked = await router.get()
        assert asked.body == (b"first" if is_whole else b"firstother")

    serving(application, test)


def fails(left: bool) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while left and (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError

    return application


def ends(left: bool) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None: ...

    return application


def goes_on(left: bool) -> Application:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(b"x"))
        await send(body(b"y"))

    return application


@pytest.mark.parametrize(("make", "left"), [(fails, False), (fails, True), (ends, False), (goes_on, False)])
@pytest.mark.parametrize(
    ("method", "path", "label"),
    [
        ("GET", "/a%0d%0aERROR%20forged?b", "GET /a%0d%0aERROR%20forged"),
        ("GET", "/a\x85ERROR\x9b31m", "GET /a\\x85ERROR\\x9b31m"),
        ('G"T\x85', '/"quoted"', 'G\\"T\\x85 /\\"quoted\\"'),
    ],
)
def test_nobody_writes_lines_into_the_log(
    make: Callable[[bool], Application],
    left: bool,
    method: str,
    path: str,
    label: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def test(router: RouterEnd) -> None:
        asked = router.ask(path, method=method)
        if left:
            await asyncio.sleep(0.01)
            asked.cancel()
            await asyncio.sleep(0.01)
        else:
            await asked.over()

    with caplog.at_level(logging.DEBUG, "zerogate.worker"):
        serving(make(left), test)
    told = [record.getMessage() for record in caplog.records if record.getMessage().startswith("G")]
    assert [message.startswith(label) for message in told] == [True]


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


def test_nothing_is_begun_for_who_has_left_already() -> None:
    """Request and reset come in the same read."""
    paths: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        paths.append(scope["path"])
        await send(START)
        await send(body(b"x"))

    async def test(router: RouterEnd) -> None:
        before = router.ask("/before")
        asked = router.ask("/left")
        asked.cancel()
        await before.over()
        await router.get("/after")
        assert paths == ["/before", "/after"]

    serving(application, test)


@pytest.mark.parametrize("kind", ["start", "body", "trailers"])
def test_who_sends_to_a_client_that_has_left_hears_of_it(kind: str, caplog: pytest.LogCaptureFixture) -> None:
    """ASGI HTTP 2.4: "servers must raise an exception, if the client has disconnected, of a subclass of OSError"."""
    heard: list[BaseException] = []
    messages = {
        "start": START,
        "body": body(b"x", more=True),
        "trailers": {"type": "http.response.trailers", "headers": []},
    }

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["asgi"]["spec_version"] == "2.4"
        if kind != "start":
            await send({**START, "trailers": True})
            await send(body(b"begun", more=True))
        assert (await receive())["type"] == "http.request"
        assert (await receive())["type"] == "http.disconnect"
        try:
            await send(messages[kind])
        except OSError as error:
            heard.append(error)
            raise

    async def test(router: RouterEnd) -> None:
        asked = router.ask()
        await asyncio.sleep(0.01)
        asked.cancel()
        await until(lambda: heard, "the application hears of it")
        assert type(heard[0]) is ClientDisconnected
        await asyncio.sleep(0.01)

    serving(application, test)
    # That is no failure of the application's.
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_an_endless_producer_ends_with_its_client() -> None:
    produced = 0
    ends: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal produced
        await send(START)
        try:
            while True:
                await send(body(b"x" * 1000, more=True))
                produced += 1
        except OSError:
            ends.append("disconnected")

    async def test(router: RouterEnd) -> None:
        for number in range(1, 4):
            asked = router.ask()
            await until(partial(lambda n: produced > n + 1000, produced), "it produces")
            asked.cancel()
            await until(partial(lambda n: len(ends) == n, number), "it ends")

    serving(application, test, run=asyncio.run)


def test_a_producer_that_waits_for_credit_is_not_left_waiting() -> None:
    ends: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        try:
            await send(body(bytes(1 << 20), more=True))
        except OSError:
            ends.append("disconnected")

    async def test(router: RouterEnd) -> None:
        asked = router.ask(gives_credit=False)
        await until(lambda: asked.body, "it is begun")
        assert not ends
        asked.cancel()
        await until(lambda: ends, "it ends")

    serving(application, test)


@pytest.mark.parametrize(("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("POST", 204)])
def test_a_reply_that_has_no_body_is_produced_no_faster_than_others(method: str, status: int) -> None:
    """A router cancels it when it has the head. Until then the credit for it is as for any stream."""
    produced = 0
    ends: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal produced
        await send({**START, "status": status})
        try:
            while True:
                await send(body(bytes(1 << 12), more=True))
                produced += 1 << 12
        except OSError as error:
            ends.append(type(error).__name__)
            raise

    async def test(router: RouterEnd) -> None:
        asked = router.ask(method=method, gives_credit=False)
        await asyncio.sleep(3)
        assert asked.status == str(status)
        assert produced < 1 << 19
        assert not ends
        asked.cancel()
        await until(lambda: ends, "it hears of it")
        assert ends == ["ClientDisconnected"]
        assert not asked.link.session.streams

    serving(application, test)


def test_who_ignores_it_does_not_stop_the_worker() -> None:
    """Neither by sending nor by receiving: each costs a turn of the event loop, and is cancelled in the end."""
    ends: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/good":
            await send(START)
            await send(body(b"good"))
            return
        try:
            await send(START)
            while True:
                if scope["path"] == "/receives":
                    await receive()
                else:
                    try:
                        await send(body(b"x" * 1000, more=True))
                    except OSError:
                        continue
        finally:
            ends.append(scope["path"])

    async def test(router: RouterEnd) -> None:
        asked = [router.ask("/receives"), router.ask("/sends")]
        await asyncio.sleep(0.001)
        for each in asked:
            each.cancel()
        assert (await router.get("/good")).body == b"good"
        assert ends == []
        await until(lambda: len(ends) == 2, "they are cancelled")

    serving(application, test, run=asyncio.run, cancel_after=0.05)


def test_a_reply_that_is_complete_is_nobodys_failure() -> None:
    """All of it has been said, though not all has been taken: what the application does after it is its own matter."""
    ends: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await send(START)
        await send(body(bytes(1 << 20)))
        await send(body(b"after the end"))
        ends.append("went on")

    async def test(router: RouterEnd) -> None:
        asked = router.ask(gives_credit=False)
        await until(lambda: asked.body, "it is begun")
        asked.cancel()
        await until(lambda: ends, "it ends")

    serving(application, test)


def test_a_failure_after_the_client_has_left_is_told_to_who_wants_to_know(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        raise RuntimeError("as frameworks do")

    async def test(router: RouterEnd) -> None:
        asked = router.ask("/left")
        await asyncio.sleep(0.01)
        asked.cancel()
        await asyncio.sleep(0.01)

    with caplog.at_level(logging.DEBUG, "zerogate.worker"):
        serving(application, test)
    (record,) = (record for record in caplog.records if record.exc_info)
    assert (record.levelno, record.getMessage()) == (logging.DEBUG, "GET /left ended after its client had left")


def test_root_path() -> None:
    async def main() -> None:
        async def application(scope: Scope, receive: Receive, send: Send) -> None:
            await send(START)
            await send(body(scope["path"].encode()))

        host = AsgiHost(application, lifespan="off", root_path="/below")
        async with routers() as (router,), working(host, [router]):
            assert (await router.get("/x")).body == b"/below/x"

    run_virtually(main())


@pytest.mark.parametrize("lifespan", ["answers", "returns", "raises", "off"])
def test_there_is_always_a_state(lifespan: str) -> None:
    """Also an empty one: it is how an application knows that the server has it (ASGI Lifespan, Lifespan State)."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            assert scope["state"] == {}
            while lifespan == "answers":
                message = await receive()
                await send({"type": f"{message['type']}.complete"})
            if lifespan == "raises":
                raise NotImplementedError
            return
        assert scope["state"] == {}
        await send(START)
        await send(body(b"ok"))

    async def main() -> None:
        host = AsgiHost(application, lifespan="off" if lifespan == "off" else "auto")
        async with routers() as (router,), working(host, [router]):
            assert (await router.get("/x")).body == b"ok"

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


# Extensions


def hint(*links: bytes) -> Message:
    return {"type": "http.response.early_hint", "links": links}


def test_early_hints_go_before_the_reply_where_the_router_takes_them() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["extensions"]["http.response.early_hint"] == {}
        await send(hint(b"</a.css>; rel=preload", b"</b.js>; rel=preload"))
        await send(hint())
        await send(START)
        with pytest.raises(ApplicationError, match="after the reply was begun"):
            await send(hint(b"</c>"))
        await send(body(b"ok"))

    async def main() -> None:
        async with routers() as (router,):
            router.reply[b"accepts"] = b"id\0early-hints"
            async with working(AsgiHost(application, lifespan="off"), [router]):
                asked = await router.get()
                assert (asked.interim, asked.body) == ([b"103", b"103"], b"ok")

    run_virtually(main())


def test_there_are_no_early_hints_where_the_router_takes_none() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert "http.response.early_hint" not in scope["extensions"]
        with pytest.raises(ApplicationError, match="unexpected message"):
            await send(hint(b"</a>"))
        await send(START)
        await send(body(b"ok"))

    async def test(router: RouterEnd) -> None:
        asked = await router.get()
        assert (asked.interim, asked.body) == ([], b"ok")

    serving(application, test)


def test_a_file_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 4096)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["extensions"]["http.response.pathsend"] == {}
        await send(START)
        await send({"type": "http.response.pathsend", "path": str(path)})

    async def test(router: RouterEnd) -> None:
        assert (await router.get()).body == path.read_bytes()
        assert (await router.get("/", method="HEAD")).body == b""

    serving(application, test, run=asyncio.run)

"""One WebSocket, through a real link: what an application hears, and what becomes of what it sends."""

import asyncio
import gc
import logging
import random
import weakref
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.support.each import each
from tests.support.router_end import Asked, RouterEnd, routers, until, working
from tests.support.virtual_time import run_virtually
from tests.support.websocket_client import WebSocketClient, ask, connect
from zerogate.settings import WebSocketSettings
from zerogate.wire.spdy.frames import MAX_STREAM_ID
from zerogate.worker.asgi import AsgiHost
from zerogate.worker.asgi_types import Application, Message, Receive, Scope, Send
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.service import Worker
from zerogate.worker.websocket_connection import CLOSE_TIMEOUT_S, MAX_WAITING_BYTES, SENDS, STATE_NAMES, STATE_WORDS

ACCEPT: Message = {"type": "websocket.accept"}
CONNECT: Message = {"type": "websocket.connect"}


def disconnect(code: int, reason: str = "") -> Message:
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


def text(data: str) -> Message:
    return {"type": "websocket.send", "text": data}


def serving(
    application: Application,
    test: Callable[[RouterEnd, Worker], Awaitable[None]],
    *,
    run: Callable[[Any], None] = run_virtually,
    websocket: WebSocketSettings | None = None,
    **settings: Any,
) -> None:
    """Run a test on a router that the application's worker has joined."""

    async def main() -> None:
        host = AsgiHost(application, lifespan="off", websocket=websocket)
        async with routers() as (router,), working(host, [router], **settings) as worker:
            await test(router, worker)
            await until(lambda: not worker.calls, "all calls have ended")
            await until(lambda: not router.link.session.streams, "no stream is left")

    run(main())


class Listener:
    """An application that accepts, and notes what it hears until the end."""

    def __init__(self, *, accepts: bool = True, echoes: bool = False) -> None:
        self.accepts = accepts
        self.echoes = echoes
        self.heard: list[Message] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert await receive() == CONNECT
        if self.accepts:
            await send(ACCEPT)
        while True:
            message = await receive()
            self.heard.append(message)
            if message["type"] == "websocket.disconnect":
                return
            if self.echoes:
                await send({**message, "type": "websocket.send"})


async def answer_to(router: RouterEnd) -> Asked:
    """The answer to a handshake that is not accepted; the router resets what the client might still say."""
    asked = await ask(router).over()
    asked.cancel()
    return asked


async def hang_up(client: WebSocketClient) -> None:
    client.hang_up()
    await client.asked.over()


def test_messages_both_ways_and_a_close() -> None:
    application = Listener(echoes=True)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        assert client.asked.fields[b"sec-websocket-accept"]
        client.send("hé")
        assert (await client.recv()).decode() == "hé"
        client.send(b"\0\1")
        assert await client.recv() == b"\0\1"
        client.send("")
        assert await client.recv() == b""
        client.close(4321, "bye")
        assert await client.closed() == (4321, "bye")
        await until(lambda: client.asked.is_complete, "the worker has closed its half")
        client.hang_up()

    serving(application, test)
    assert [message.get("text", message.get("bytes")) for message in application.heard[:-1]] == ["hé", b"\0\1", ""]
    assert application.heard[-1] == disconnect(4321, "bye")


def test_fragments_make_a_message_and_a_ping_may_come_between() -> None:
    application = Listener(echoes=True)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send("é"[:0], fin=False)
        client.send_more("é".encode()[:1], False)
        client.ping(b"are you there")
        client.send_more("é".encode()[1:], True)
        assert await client.recv() == b"are you there"
        assert (await client.recv()).decode() == "é"
        client.send(b"a", fin=False)
        client.send_more(b"b", True)
        assert await client.recv() == b"ab"
        client.close()
        await hang_up(client)

    serving(application, test)


@pytest.mark.parametrize(
    ("octets", "code"),
    [
        (b"\x81\x81\0\0\0\0\xff", 1007),
        (b"\x81\x01a", 1002),  # not masked
        (b"\x83\x81\0\0\0\0a", 1002),  # no opcode
        (b"\xc1\x81\0\0\0\0a", 1002),  # a reserved bit
        (b"\x82\xff\0\0\0\0\x7f\0\0\0\0\0\0\0", 1009),
    ],
    ids=["no text", "no mask", "no opcode", "reserved", "too big"],
)
def test_who_breaks_the_rules_is_told_and_the_application_hears_of_it(octets: bytes, code: int) -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send_octets(octets)
        assert (await client.closed())[0] == code
        await until(lambda: client.asked.is_complete, "the end")
        client.hang_up()

    serving(application, test)
    assert application.heard == [disconnect(1006)]


def test_a_close_amid_fragments_is_one() -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send("a", fin=False)
        client.protocol.expect_continuation_frame = False
        client.close(1001)
        assert (await client.closed())[0] == 1001
        await hang_up(client)

    serving(application, test)
    assert application.heard == [disconnect(1001)]


@pytest.mark.parametrize("how", ["cancel", "half close", "link"])
def test_a_client_that_is_gone_is_1006(how: str) -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send("last words")
        await until(lambda: application.heard, "they are heard")
        if how == "cancel":
            client.asked.cancel()
        elif how == "half close":
            await hang_up(client)
        else:
            router.link.abort("cut")
            await until(lambda: application.heard[-1]["type"] == "websocket.disconnect", "it hears")
            await router.joined()
        await until(lambda: len(application.heard) == 2, "the application has heard")

    serving(application, test)
    assert application.heard[-1] == disconnect(1006)


def test_what_was_said_before_a_client_left_is_heard() -> None:
    """Also what had not been looked at: the application is told of the end behind it."""
    go_on = asyncio.Event()
    heard: list[Any] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        while (message := await receive())["type"] == "websocket.receive":
            heard.append(message["text"])
        # And again, for as long as it asks.
        assert await receive() == message == disconnect(1000)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send("a")
        client.send("b")
        client.close()
        await client.closed()
        go_on.set()
        await hang_up(client)

    serving(application, test)
    assert heard == ["a", "b"]


def test_sending_to_who_has_left_raises_an_oserror_and_closing_does_nothing() -> None:
    raised: list[type[BaseException]] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        assert (await receive())["type"] == "websocket.disconnect"
        for message in (text("x"), ACCEPT):
            with pytest.raises(OSError, match="left") as caught:
                await send(message)
            raised.append(caught.type)
        await send({"type": "websocket.close"})

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.close()
        await client.closed()
        await hang_up(client)

    serving(application, test)
    assert raised == [ClientDisconnected] * 2


def test_an_application_closes() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        await send({"type": "websocket.close", "code": 4000, "reason": "enough"})
        assert await receive() == disconnect(4000, "enough")
        for message in (text("x"), {"type": "websocket.close"}, ACCEPT):
            with pytest.raises(RuntimeError, match="was closed"):
                await send(message)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send("a")
        client.send("b, which is too late")
        assert await client.closed() == (4000, "enough")
        await until(lambda: client.asked.is_complete, "the worker has closed its half after our Close")
        client.hang_up()

    serving(application, test)


def test_one_that_returns_has_closed() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        assert await client.closed() == (1000, "")
        await hang_up(client)

    serving(application, test)


@pytest.mark.parametrize("error", [RuntimeError("as it was told to"), SystemExit(3)])
def test_one_that_raises_closes_with_1011(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        raise error

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, "/a?secret")
        assert await client.closed() == (1011, "")
        await hang_up(client)

    serving(application, test)
    assert "GET /a failed" in caplog.text
    assert "secret" not in caplog.text


def test_one_that_raises_because_its_client_left_has_not_failed(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await receive()
        await send(text("x"))

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.asked.cancel()

    with caplog.at_level(logging.INFO):
        serving(application, test)
    assert "failed" not in caplog.text


async def raises(receive: Receive, send: Send) -> None:
    raise RuntimeError("as it was told to")


async def says_nothing(receive: Receive, send: Send) -> None: ...


async def denies_half(receive: Receive, send: Send) -> None:
    await send({"type": "websocket.http.response.start", "status": 200, "headers": []})


async def accepts_what_was_not_offered(receive: Receive, send: Send) -> None:
    await send({**ACCEPT, "subprotocol": "mine"})


async def says_what_the_server_says(receive: Receive, send: Send) -> None:
    await send({**ACCEPT, "headers": [(b"Sec-WebSocket-Protocol", b"x")]})


async def sends_first(receive: Receive, send: Send) -> None:
    await send(text("x"))


async def speaks_http(receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})


@pytest.mark.parametrize(
    "act",
    [
        raises,
        says_nothing,
        denies_half,
        accepts_what_was_not_offered,
        says_what_the_server_says,
        sends_first,
        speaks_http,
    ],
)
def test_one_that_fails_before_it_accepts_is_500(act: Callable[[Receive, Send], Awaitable[None]]) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await act(receive, send)

    async def test(router: RouterEnd, worker: Worker) -> None:
        assert (await answer_to(router)).status == "500"

    serving(application, test)


def test_a_close_before_it_accepts_is_403() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        assert await receive() == disconnect(1006)
        with pytest.raises(ApplicationError):
            await send(ACCEPT)

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = await answer_to(router)
        assert (asked.status, asked.body) == ("403", b"")

    serving(application, test)


def test_a_denial_of_its_own() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["extensions"] == {"websocket.http.response": {}}
        await receive()
        start = {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-why", b"who are you")]}
        await send(start)
        with pytest.raises(ApplicationError, match="body is due"):
            await send(start)
        await send({"type": "websocket.http.response.body", "body": b"no", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"pe"})
        assert await receive() == disconnect(1006)

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = await answer_to(router)
        assert (asked.status, asked.fields[b"x-why"], asked.body) == ("401", b"who are you", b"nope")

    serving(application, test)


def test_a_subprotocol_and_headers() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["subprotocols"] == ["one", "two"]
        await receive()
        await send({**ACCEPT, "subprotocol": "two", "headers": [(b"X-One", b"1"), (b"set-cookie", b"a=b")]})

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, "/", (b"sec-websocket-protocol", b"one, two"))
        fields = client.asked.fields
        assert (fields[b"sec-websocket-protocol"], fields[b"x-one"], fields[b"set-cookie"]) == (b"two", b"1", b"a=b")
        await client.closed()
        await hang_up(client)

    serving(application, test)


@each(
    "message",
    [
        {"type": "websocket.send"},
        {"type": "websocket.send", "text": b"bytes"},
        {"type": "websocket.send", "bytes": "text"},
        {"type": "websocket.close", "code": 1006},
        {"type": "websocket.close", "code": 99},
        {"type": "websocket.close", "reason": "x" * 124},
        {"type": "websocket.nonsense"},
        ACCEPT,
    ],
)
def test_what_has_no_place_there_raises_and_harms_nothing(message: Message) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        with pytest.raises(RuntimeError):
            await send(message)
        await send({"type": "websocket.send", "bytes": bytearray(b"still there"), "text": None})

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        assert await client.recv() == b"still there"
        await client.closed()
        await hang_up(client)

    serving(application, test)


def test_a_client_that_leaves_before_an_answer() -> None:
    application = Listener(accepts=False)

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = ask(router)
        await until(lambda: worker.calls, "it is there")
        asked.cancel()

    serving(application, test)
    assert application.heard in ([], [disconnect(1006)])


def test_a_client_that_closed_its_half_before_the_answer() -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = ask(router)
        asked.send(b"too early, and heard by nobody", fin=True)
        await asked.over()
        assert asked.status == "101"

    serving(application, test)
    assert application.heard == [disconnect(1006)]


# Time


def test_a_client_that_does_not_answer_a_close_is_let_go() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        loop = asyncio.get_running_loop()
        began = loop.time()
        await until(lambda: client.asked.reset is not None, "it is reset", CLOSE_TIMEOUT_S + 5)
        assert CLOSE_TIMEOUT_S - 0.1 <= loop.time() - began < CLOSE_TIMEOUT_S + 1

    serving(application, test)


def test_a_client_that_has_yet_to_come_to_the_close_is_not_cut_off() -> None:
    n_bytes = 2 << 20

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.send", "bytes": bytes(n_bytes)})
        await send({"type": "websocket.close"})

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, gives_credit=False)
        link, stream = client.asked.link, client.asked.stream
        while len(client.asked.body) < n_bytes:
            assert client.asked.reset is None
            await asyncio.sleep(CLOSE_TIMEOUT_S - 1)
            link.consumed(stream, 128 * 1024)
        link.consumed(stream, 128 * 1024)
        assert await client.closed() == (1000, "")
        await hang_up(client)

    serving(application, test)


def test_pings() -> None:
    application = Listener()
    settings = WebSocketSettings(ws_ping_interval=5.0, ws_ping_timeout=2.0)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(1, 4):
            assert await client.recv() == b"zerogate"
            assert number * 5.0 - 0.1 < loop.time() - began < number * 5.0 + 0.5
        # From here on it answers nothing.
        await until(lambda: b"keepalive" in client.asked.body, "it is given up")
        assert 21.9 <= loop.time() - began < 23.0
        await until(lambda: client.asked.is_complete, "the end")
        client.hang_up()

    serving(application, test, websocket=settings)
    assert application.heard == [disconnect(1006)]


def test_pings_come_as_often_as_was_said_however_long_an_answer_may_take() -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(1, 6):
            assert await client.recv() == b"zerogate"
            assert number * 5.0 - 0.1 < loop.time() - began < number * 5.0 + 0.5
        # The first that has no answer counts.
        await until(lambda: b"keepalive" in client.asked.body, "it is given up", 60)
        assert 49.9 <= loop.time() - began < 51.0
        await until(lambda: client.asked.is_complete, "the end")
        client.hang_up()

    serving(Listener(), test, websocket=WebSocketSettings(ws_ping_interval=5.0, ws_ping_timeout=20.0))


def test_who_takes_what_it_is_sent_is_there() -> None:
    """The ping stands behind it: there is nothing yet that could be answered."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await send({"type": "websocket.send", "bytes": bytes(4 << 20)})
        assert (await receive())["type"] == "websocket.disconnect"

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, gives_credit=False)
        link, stream = client.asked.link, client.asked.stream
        for _ in range(20):
            await asyncio.sleep(4)
            link.consumed(stream, 128 * 1024)
        assert b"keepalive" not in client.asked.body
        (call,) = worker.calls
        assert repr(call.receiver) == "<WebSocket GET / OPEN>"  # type: ignore[attr-defined]
        # From here on it takes nothing.
        await until(lambda: not worker.calls, "it is given up", 60)
        client.asked.cancel()

    serving(application, test, websocket=WebSocketSettings(ws_ping_interval=5.0, ws_ping_timeout=5.0), cancel_after=1.0)


@pytest.mark.parametrize(("interval", "n_pings"), [(30.0, 3), (0.0, 0)])
def test_pings_without_an_answer_asked_for_and_none_at_all(interval: float, n_pings: int) -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        await asyncio.sleep(100)
        assert client.asked.body.count(b"zerogate") == n_pings
        await hang_up(client)

    serving(Listener(), test, websocket=WebSocketSettings(ws_ping_interval=interval, ws_ping_timeout=0.0))


def test_one_that_goes_on_after_its_client_has_closed_is_cancelled() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await asyncio.sleep(1000)

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.close()
        await client.closed()
        client.hang_up()
        began = asyncio.get_running_loop().time()
        await until(lambda: not worker.calls, "it has ended")
        assert asyncio.get_running_loop().time() - began < 3.5

    serving(application, test, cancel_after=3.0)


# Bounds


def test_a_client_is_read_no_faster_than_its_application_reads() -> None:
    go_on = asyncio.Event()
    sizes: list[int] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        while (message := await receive())["type"] == "websocket.receive":
            sizes.append(len(message["bytes"]))

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        for _ in range(100):
            client.send(bytes(20_000))
        await asyncio.sleep(5)
        stream = client.asked.stream
        # What has been taken is a window, and what may wait.
        assert stream.pending_bytes > 100 * 20_000 - 256 * 1024 - 2 * MAX_WAITING_BYTES - 64 * 1024
        go_on.set()
        await until(lambda: len(sizes) == 100, "all of it")
        client.close()
        await client.closed()
        await hang_up(client)

    serving(application, test)
    assert sizes == [20_000] * 100


def test_what_inflates_waits_as_octets_and_not_inflated() -> None:
    go_on = asyncio.Event()
    n_bytes = 0

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal n_bytes
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        while (message := await receive())["type"] == "websocket.receive":
            n_bytes += len(message["bytes"])

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, deflate=True)
        assert client.protocol.extensions
        for _ in range(16):
            client.send(bytes(1 << 20))
        await asyncio.sleep(1)
        (websocket,) = worker._host._websockets._open  # type: ignore[attr-defined]
        assert websocket._waiting_bytes <= MAX_WAITING_BYTES + (5 << 20)
        go_on.set()
        await until(lambda: n_bytes == 16 << 20, "all of it")
        await hang_up(client)

    serving(application, test, websocket=WebSocketSettings(ws_deflate=True))


def test_a_message_that_inflates_past_the_limit_is_1009() -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, deflate=True)
        client.send(bytes(1001))
        assert (await client.closed())[0] == 1009
        await hang_up(client)

    serving(application, test, websocket=WebSocketSettings(ws_deflate=True, ws_max_size=1000))
    assert application.heard == [disconnect(1006)]


def test_compression_only_where_it_is_wanted() -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, deflate=True)
        assert bool(client.protocol.extensions) is wanted
        client.send("again and again " * 100)
        assert await client.recv() == b"again and again " * 100
        assert (len(client.asked.body) < 200) is wanted
        await hang_up(client)

    for wanted in (True, False):
        serving(Listener(echoes=True), test, websocket=WebSocketSettings(ws_deflate=wanted))


def test_who_asks_for_pongs_and_reads_none_costs_no_memory() -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, gives_credit=False)
        for _ in range(20_000):
            client.ping(bytes(125))
        await asyncio.sleep(5)
        (call,) = worker.calls
        assert call.pending_bytes < 512 * 1024  # type: ignore[attr-defined]
        assert client.asked.stream.pending_bytes > 1 << 20
        client.asked.cancel()

    serving(application, test)


def test_pongs_go_on_when_they_are_taken() -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, gives_credit=False)
        for _ in range(5000):
            client.ping(bytes(125))
        await asyncio.sleep(5)
        for _ in range(10):
            client.asked.link.consumed(client.asked.stream, 128 * 1024)
            await asyncio.sleep(1)
        client.look()
        assert len(client.frames) == 5000
        (call,) = worker.calls
        assert repr(call.receiver) == "<WebSocket GET / OPEN>"  # type: ignore[attr-defined]
        client.asked.cancel()

    serving(Listener(), test, websocket=WebSocketSettings(ws_ping_interval=0.0))


def test_much_that_is_compressed_is_read_piece_by_piece() -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, deflate=True)
        data = random.Random(1).randbytes(200_000)
        client.send(data)
        assert await client.recv() == data
        await hang_up(client)

    serving(Listener(echoes=True), test, websocket=WebSocketSettings(ws_deflate=True))


def test_an_application_waits_for_a_client_that_does_not_read() -> None:
    n_sent = 0

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal n_sent
        await receive()
        await send(ACCEPT)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(10_000)})
            n_sent += 1

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router, gives_credit=False)
        await asyncio.sleep(5)
        assert n_sent < 60
        client.asked.cancel()

    serving(application, test)


def test_a_flood_of_tiny_fragments_is_kept_as_one_message() -> None:
    application = Listener()

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        client.send(b"", fin=False)
        for _ in range(5000):
            client.send_more(b"x", False)
        client.send_more(b"", True)
        await until(lambda: application.heard, "the message")
        await hang_up(client)

    serving(application, test)
    assert application.heard[0]["bytes"] == b"x" * 5000


# Leaving


def test_a_worker_that_leaves_closes_with_1012() -> None:
    application = Listener()

    async def main() -> None:
        host = AsgiHost(application, lifespan="off")
        async with routers() as (router,), working(host, [router]) as worker:
            clients = [await connect(router) for _ in range(3)]
            clients[0].send("before")
            await until(lambda: application.heard, "it is heard")
            stopping = asyncio.ensure_future(worker.stop())
            for client in clients:
                assert await client.closed() == (1012, "")
                client.hang_up()
            await stopping

    run_virtually(main())
    assert application.heard[1:] == [disconnect(1012)] * 3


def test_one_that_accepts_while_the_worker_leaves_is_closed_at_once() -> None:
    go_on = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await go_on.wait()
        await send(ACCEPT)
        assert await receive() == disconnect(1012)

    async def main() -> None:
        async with routers() as (router,), working(AsgiHost(application, lifespan="off"), [router]) as worker:
            asked = ask(router)
            await until(lambda: worker.calls, "it is there")
            stopping = asyncio.ensure_future(worker.stop())
            await until(lambda: router.goaways, "it leaves")
            go_on.set()
            await until(lambda: asked.fields, "the answer")
            client = WebSocketClient(asked)
            assert await client.closed() == (1012, "")
            client.hang_up()
            await stopping

    run_virtually(main())


def test_a_router_that_leaves_takes_no_websocket_along() -> None:
    """It would cut them when its grace is over: their clients are told, and come again by another."""

    async def main() -> None:
        host = AsgiHost(application, lifespan="off")
        async with routers(2) as (leaving, other), working(host, [leaving, other]) as worker:
            clients = [await connect(leaving) for _ in range(3)]
            kept = await connect(other)
            late = ask(leaving, "/late")
            link = leaving.link
            link.goaway()
            for client in clients:
                assert await client.closed() == (1012, "")
                client.hang_up()
            await until(lambda: len(application.heard) == 3, "the applications have heard")
            go_on.set()
            await until(lambda: late.fields, "the answer to one that was under way")
            client = WebSocketClient(late)
            assert await client.closed() == (1012, "")
            client.hang_up()
            await until(lambda: len(worker.calls) == 1, "they have ended")
            kept.send("still here")
            await until(lambda: len(application.heard) == 5, "the other is heard")
            await hang_up(kept)

    go_on = asyncio.Event()

    class Late(Listener):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            if scope["path"] == "/late":
                await go_on.wait()
            await super().__call__(scope, receive, send)

    application = Late()
    run_virtually(main())
    assert application.heard[:4] == [disconnect(1012)] * 4


def test_a_router_that_has_run_out_of_numbers_is_not_leaving() -> None:
    async def test(router: RouterEnd, worker: Worker) -> None:
        router.link.session._table.next_id = MAX_STREAM_ID - 20
        client = await connect(router)
        router.link.goaway()
        await until(lambda: len(router.links) == 2, "another link")
        client.send("still here")
        assert await client.recv() == b"still here"
        client.close()
        assert await client.closed() == (1000, "")
        client.hang_up()

    serving(Listener(echoes=True), test)


def test_each_state_has_its_words_and_its_row() -> None:
    assert len(SENDS) == len(STATE_NAMES) == len(STATE_WORDS)


def test_what_waits_in_tiny_pieces_costs_what_its_octets_say() -> None:
    """A client may send each octet by itself: an object for each would cost forty times as much."""
    n = 3000
    go_on = asyncio.Event()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(ACCEPT)
        await go_on.wait()
        while (await receive())["type"] != "websocket.disconnect":
            pass

    async def test(router: RouterEnd, worker: Worker) -> None:
        client = await connect(router)
        for _ in range(2 * MAX_WAITING_BYTES // 64):
            client.send("")
        for _ in range(n):
            client.send_octets(b"\x8a")  # a masked pong without data, an octet at a time
            client.send_octets(b"\x80")
            client.send_octets(bytes(4))
        await asyncio.sleep(1.0)
        (call,) = worker.calls
        receiver: Any = call.receiver  # type: ignore[attr-defined]
        assert sum(map(len, receiver._unread)) > 6 * n
        assert len(receiver._unread) < n / 100
        go_on.set()
        await hang_up(client)

    serving(application, test)


@pytest.mark.parametrize("how", ["close", "cancel", "no answer", "refused"])
def test_one_that_has_ended_is_gone(how: str) -> None:
    """And does not wait for the collector: what compresses is 40 KB of each."""
    gone: list[weakref.ref[Any]] = []

    async def test(router: RouterEnd, worker: Worker) -> None:
        def note() -> None:
            (websocket,) = worker._host._websockets._open  # type: ignore[attr-defined]
            gone.append(weakref.ref(websocket))
            if websocket._framing is not None:
                gone.append(weakref.ref(websocket._framing._protocol))

        if how == "refused":
            asked = ask(router)
            await until(lambda: worker.calls, "it is there")
            note()
            asked.cancel()
        else:
            client = await connect(router, deflate=True)
            note()
            if how == "close":
                client.close()
                await client.closed()
                client.hang_up()
            elif how == "cancel":
                client.asked.cancel()
            else:
                await until(lambda: client.asked.is_complete, "it is given up", 60)
                client.hang_up()
        await until(lambda: not worker.calls, "it has ended")
        await until(lambda: all(each() is None for each in gone), "it is gone")

    gc.collect()
    gc.disable()
    try:
        serving(Listener(accepts=how != "refused"), test, websocket=WebSocketSettings(ws_deflate=True))
    finally:
        gc.enable()
    assert gone

"""Requests at an attached server: how they get there, what comes back, and what becomes of them when it fails."""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from tests.support.each import each
from tests.support.http1_server import Script, Visit, answer
from tests.support.router_end import until
from tests.support.virtual_time import run_virtually
from tests.unit.worker.attach.attaching import attached
from zerogate.wire.spdy.frames import RstStatus
from zerogate.worker.call import MAX_PENDING_BYTES

CHUNKED = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"


def virtually(main: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        run_virtually(main())

    run.__name__ = main.__name__
    return run


def saying(*pieces: bytes, then_closes: bool = False) -> Script:
    """A server that says this to each request."""

    async def script(visit: Visit) -> None:
        while True:
            await visit.head()
            for piece in pieces:
                visit.say(piece)
            if then_closes:
                return

    return script


@virtually
async def test_requests_one_after_the_other_have_one_connection() -> None:
    async with attached(answer) as scene:
        for _ in range(3):
            asked = await scene.router.get("/")
            assert (asked.status, asked.body) == ("200", b"ok")
        assert [visit.n_requests for visit in scene.server.visits] == [3]


@virtually
async def test_requests_at_once_have_one_each() -> None:
    async with attached(answer) as scene:
        asked = [scene.router.ask("/") for _ in range(5)]
        for each in asked:
            assert (await each.over()).body == b"ok"
        assert len(scene.server.visits) == 5


@each(
    ("method", "reply", "status", "body", "keeps"),
    [
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "200", b"ok", True),
        ("GET", CHUNKED + b"2\r\nok\r\n0\r\n\r\n", "200", b"ok", True),
        ("GET", b"HTTP/1.0 200 OK\r\n\r\nok", "200", b"ok", False),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n", "200", b"", True),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n", "204", b"", True),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\n\r\n", "304", b"", True),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", "200", b"ok", False),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n", "200", b"ok", False),
        ("GET", b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nkeep-alive: timeout=1\r\n\r\nok", "200", b"ok", False),
    ],
)
def test_replies(method: str, reply: bytes, status: str, body: bytes, keeps: bool) -> None:
    async def main() -> None:
        closes = b"HTTP/1.0" in reply
        async with attached(saying(reply, then_closes=closes)) as scene:
            for _ in range(2):
                asked = await scene.router.get("/", method=method)
                assert (asked.status, asked.body, asked.is_complete) == (status, body, True)
            assert len(scene.server.visits) == (1 if keeps else 2)

    run_virtually(main())


@virtually
async def test_trailers() -> None:
    end = b"2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n"
    announced = CHUNKED[:-2] + b"trailer: x-sum\r\n\r\n"

    async def slowly(visit: Visit) -> None:
        for last in (end, b"2\r\nok\r\n0\r\n\r\n"):
            await visit.head()
            visit.say(announced)
            await asyncio.sleep(1)
            visit.say(last)

    async with attached(slowly, saying(CHUNKED + end)) as scene:
        asked = await scene.router.get("/")
        assert (asked.body, asked.trailers) == (b"ok", {b"x-sum": b"1"})
        # It says that there will be some, and there are none.
        asked = await scene.router.get("/")
        assert (asked.body, asked.trailers, asked.is_complete) == (b"ok", {}, True)
        await scene.server.visits[0].left()
        # They come along with the head.
        asked = await scene.router.get("/")
        assert (asked.body, asked.trailers) == (b"ok", {b"x-sum": b"1"})


@virtually
async def test_what_comes_before_the_reply() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\nx: y\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
    script = saying(hints + b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    async with attached(script, accepts=b"early-hints") as scene:
        asked = await scene.router.get("/")
        assert (asked.interim, asked.body) == ([b"103"], b"ok")
    async with attached(script) as scene:
        asked = await scene.router.get("/")
        assert (asked.interim, asked.body) == ([], b"ok")


# Bodies


async def upload(visit: Visit) -> None:
    """Says what has come."""
    while True:
        head = await visit.head()
        if "content-length: " in head:
            body = await visit.reader.readexactly(int(head.partition("content-length: ")[2].split("\r\n")[0]))
        else:
            body = await visit.chunks()
        visit.reply(body)


@virtually
async def test_a_body_of_known_length_and_one_in_chunks() -> None:
    async with attached(upload) as scene:
        for fields in ([], [(b"content-length", b"5")]):
            asked = await scene.router.get("/", *fields, method="POST", body=b"hello")
            assert (asked.status, asked.body) == ("200", b"hello")
        # The end comes apart from the last of it.
        asked = scene.router.ask("/", method="POST", body=None)
        asked.send(b"hel")
        await asyncio.sleep(1)
        asked.send(b"lo")
        await asyncio.sleep(1)
        asked.send(b"", fin=True)
        assert (await asked.over()).body == b"hello"
        assert [visit.n_requests for visit in scene.server.visits] == [3]


@virtually
async def test_a_body_that_is_not_of_its_length() -> None:
    async with attached(upload) as scene:
        for body in (b"hell", b"hello!"):
            asked = await scene.router.get("/", (b"content-length", b"5"), method="POST", body=body)
            assert asked.reset == RstStatus.INTERNAL_ERROR
        asked = await scene.router.get("/", (b"content-length", b"5"), method="POST")
        assert asked.status == "500"


@virtually
async def test_a_server_that_does_not_read_slows_the_client_down() -> None:
    may_read = asyncio.Event()

    async def script(visit: Visit) -> None:
        await visit.head()
        await may_read.wait()
        visit.reply(b"%d" % len(await visit.chunks()))

    async with attached(script) as scene:
        asked = scene.router.ask("/", method="POST", body=None)
        size = 8 << 20
        asked.send(bytes(size), fin=True)
        await until(lambda: scene.server.visits and asked.stream.pending_bytes < size, "some is on its way")
        before = -1
        while before != asked.stream.pending_bytes:
            before = asked.stream.pending_bytes
            await asyncio.sleep(1)
        assert before > size // 2
        may_read.set()
        assert (await asked.over()).body == b"%d" % size


@virtually
async def test_a_client_that_does_not_read_slows_the_server_down() -> None:
    size = 8 << 20
    has_sent: list[int] = []

    async def script(visit: Visit) -> None:
        await visit.head()
        visit.say(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % size)
        for _ in range(size >> 16):
            visit.say(bytes(1 << 16))
            await visit.writer.drain()
            has_sent.append(1 << 16)

    async with attached(script) as scene:
        asked = scene.router.ask("/", gives_credit=False)
        before = -1
        while before != len(has_sent):
            before = len(has_sent)
            await asyncio.sleep(1)
        assert sum(has_sent) < size // 2
        (call,) = scene.worker.calls
        assert call._stream.pending_bytes < MAX_PENDING_BYTES + (1 << 18)
        asked.gives_credit = True
        scene.router.link.consumed(asked.stream, len(asked.body))
        assert len((await asked.over()).body) == size


@pytest.mark.parametrize("answer_to_expect", [b"HTTP/1.1 100 Continue\r\n\r\n", b""])
def test_who_waits_for_100_continue(answer_to_expect: bytes) -> None:
    async def script(visit: Visit) -> None:
        assert "expect: 100-continue" in await visit.head()
        visit.say(answer_to_expect)
        visit.reply(await visit.reader.readexactly(5))

    async def main() -> None:
        async with attached(script) as scene:
            fields = [(b"expect", b"100-continue"), (b"content-length", b"5")]
            asked = scene.router.ask("/", *fields, method="POST", body=None)
            if answer_to_expect:
                await until(lambda: asked.interim, "it is asked for")
            else:
                await until(lambda: scene.server.visits and scene.server.visits[0].n_requests, "the head is there")
                assert not asked.interim
            asked.send(b"hello", fin=True)
            assert (await asked.over()).body == b"hello"

    run_virtually(main())


@virtually
async def test_a_body_that_the_server_does_not_want() -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        visit.reply(b"too large", status="413 Content Too Large")
        await visit.left()

    async with attached(script) as scene:
        fields = [(b"expect", b"100-continue"), (b"content-length", b"5")]
        asked = scene.router.ask("/", *fields, method="POST", body=None)
        await until(lambda: asked.fields, "a reply")
        assert (asked.status, asked.interim) == ("413", [])
        await until(lambda: not scene.worker.calls, "its end")
        await until(lambda: not scene.server.n_open, "a connection with half a request on it is closed")


# Failures


@virtually
async def test_no_connection_is_no_failure() -> None:
    async with attached(answer) as scene:
        await scene.server.close()
        for body in (b"", b"hello"):
            asked = await scene.router.get("/", method="POST", body=body)
            assert asked.reset == RstStatus.REFUSED_STREAM
        assert scene.n_refused == 2


async def close_at_once(visit: Visit) -> None:
    await visit.head()


async def reset_at_once(visit: Visit) -> None:
    await visit.head()
    visit.reset()


@pytest.mark.parametrize(
    "script",
    [
        close_at_once,
        reset_at_once,
        saying(b"SSH-2.0-x\r\n"),
        saying(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok"),
        saying(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nbad\x01: x\r\n\r\n"),
        saying(b"HTTP/1.1 200 OK\r\nx: %b\r\n\r\n" % (b"x" * 65500), then_closes=True),
        saying(b"HTTP/1.1 200 OK\r\nconte", then_closes=True),
    ],
)
def test_no_reply(script: Script, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with attached(script) as scene:
            asked = await scene.router.get("/")
            assert (asked.fields, asked.reset) == ({}, RstStatus.INTERNAL_ERROR)
            await until(lambda: not scene.server.n_open, "the connection is closed")

    caplog.set_level(logging.WARNING, "zerogate.worker")
    run_virtually(main())
    assert "GET / failed at the server" in caplog.text


@pytest.mark.parametrize("rest", [b"he", b"content-length: 5\r\n\r\nhe", b"transfer-encoding: chunked\r\n\r\n5\r\nhe"])
def test_a_reply_that_breaks(rest: bytes) -> None:
    async def script(visit: Visit) -> None:
        await visit.head()
        head = b"HTTP/1.1 200 OK\r\n"
        visit.say(head + rest if b"\r\n" in rest else head + b"\r\n" + rest)
        await asyncio.sleep(1)
        if b"\r\n" in rest:
            return
        # Without a length only a good end is the end.
        await visit.writer.drain()
        visit.reset()

    async def main() -> None:
        async with attached(script) as scene:
            asked = await scene.router.get("/")
            assert (asked.status, asked.body) == ("200", b"he")
            if b"\r\n" in rest:
                assert asked.reset == RstStatus.INTERNAL_ERROR

    run_virtually(main())


@virtually
async def test_a_kept_connection_that_is_closed_just_then() -> None:
    async def once(visit: Visit) -> None:
        await visit.head()
        visit.reply()
        await visit.head()

    async with attached(once, answer) as scene:
        await scene.router.get("/")
        # Sent again, on a new one.
        asked = await scene.router.get("/")
        assert (asked.body, asked.reset) == (b"ok", None)
        assert [visit.n_requests for visit in scene.server.visits] == [2, 1]
    for method, body in (("POST", b""), ("PUT", b"hello")):
        async with attached(once, answer) as scene:
            await scene.router.get("/")
            asked = await scene.router.get("/", method=method, body=body)
            assert asked.reset == RstStatus.INTERNAL_ERROR
            assert len(scene.server.visits) == 1


@virtually
async def test_it_is_sent_again_once() -> None:
    async def once(visit: Visit) -> None:
        await visit.head()
        visit.reply()
        await visit.head()

    async with attached(once, close_at_once) as scene:
        await scene.router.get("/")
        asked = await scene.router.get("/")
        assert asked.reset == RstStatus.INTERNAL_ERROR
        assert [visit.n_requests for visit in scene.server.visits] == [2, 1]


@virtually
async def test_a_client_that_leaves() -> None:
    async def silent(visit: Visit) -> None:
        await visit.head()
        await visit.left()

    async def amid(visit: Visit) -> None:
        await visit.head()
        visit.say(CHUNKED + b"2\r\nhe\r\n")
        await visit.left()

    for script, body in ((silent, b""), (silent, None), (amid, b"")):
        async with attached(script) as scene:
            asked = scene.router.ask("/", method="POST", body=body)
            await until(lambda scene=scene: scene.server.visits or scene.worker.calls, "it has come")  # type: ignore[misc]
            if script is amid:
                await until(lambda asked=asked: asked.body, "some of the reply")  # type: ignore[misc]
            asked.cancel()
            await until(lambda scene=scene: not scene.worker.calls, "its end")  # type: ignore[misc]
            await until(lambda scene=scene: not scene.server.n_open, "the connection is closed")  # type: ignore[misc]


@virtually
async def test_the_grace_is_over() -> None:
    async def silent(visit: Visit) -> None:
        await visit.head()
        await visit.left()

    async with attached(silent) as scene:
        asked = scene.router.ask("/")
        await until(lambda: scene.server.visits, "it is asked")
        await scene.worker.stop()
        assert (await asked.over()).reset == RstStatus.INTERNAL_ERROR


@virtually
async def test_a_client_that_has_left_just_then() -> None:
    async def silent(visit: Visit) -> None:
        await visit.head()
        await visit.left()

    for is_eof in (False, True):
        async with attached(silent) as scene:
            asked = scene.router.ask("/")
            await until(lambda scene=scene: scene.server.visits, "it is asked")  # type: ignore[misc]
            (call,) = scene.worker.calls
            exchange: Any = call.work
            if is_eof:
                exchange.on_octets_in(b"HTTP/1.1 200 OK\r\n\r\n")
            # Nobody has been told yet.
            call.on_lost("it is gone")
            if is_eof:
                exchange.on_eof_in()
            else:
                exchange.on_octets_in(b"HTTP/1.1 200 OK\r\n\r\n")
            assert not scene.worker.calls
            exchange.cancel()
            await until(lambda scene=scene: not scene.server.n_open, "the connection is closed")  # type: ignore[misc]
            asked.cancel()

"""The WSGI host, through a real link: what an application gets, and what becomes of what it does."""

import asyncio
import gc
import hashlib
import logging
import threading
import wsgiref.validate
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextvars import ContextVar
from functools import partial
from typing import Any, cast

import pytest

from tests.support.router_end import Asked, RouterEnd, routers, until, working
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.headers import encode_block
from zerogate.worker import wsgi
from zerogate.worker.errors import ClientDisconnected
from zerogate.worker.service import Worker
from zerogate.worker.wsgi import MAX_CHUNKS_BYTES, WsgiHost
from zerogate.worker.wsgi_types import Environ, StartResponse, WsgiApplication

MIB = 1024 * 1024


class Gate:
    """Something in a thread that a test waits for, and lets go on."""

    def __init__(self) -> None:
        self._reached = threading.Event()
        self._open = threading.Event()

    def wait(self) -> None:
        """In the thread."""
        self._reached.set()
        assert self._open.wait(10)

    def note(self) -> None:
        """In the thread: it has come so far."""
        self._reached.set()

    def open(self) -> None:
        self._open.set()

    @property
    def is_reached(self) -> bool:
        return self._reached.is_set()

    async def reached(self) -> None:
        await until(self._reached.is_set, "the application comes so far")


def serving(
    application: WsgiApplication,
    test: Callable[[RouterEnd, Worker], Awaitable[None]],
    *,
    n_threads: int = 4,
    root_path: str = "",
    strips_prefix: bool = False,
    **settings: Any,
) -> None:
    """Run a test on a router that the application's worker has joined."""

    async def main() -> None:
        host = WsgiHost(application, n_threads, root_path=root_path, strips_prefix=strips_prefix)
        settings.setdefault("concurrency", n_threads)
        async with routers() as (router,), working(host, [router], **settings) as worker:
            await test(router, worker)
            await until(lambda: not worker.calls, "all calls end")

    asyncio.run(main())


@pytest.fixture
def no_help() -> Iterator[None]:
    """The collector is off, and so is what keeps a record of each error."""
    gc.collect()
    gc.disable()
    logging.disable()
    yield
    logging.disable(logging.NOTSET)
    gc.enable()


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reply begins without waiting for more of it."""
    monkeypatch.setattr(wsgi, "CHUNKS_WAIT_S", 0.001)


def ok(start_response: StartResponse, *headers: tuple[str, str]) -> Callable[[bytes], None]:
    return start_response("200 OK", [*headers])


def test_a_request_and_its_reply() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        assert (environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]) == ("POST", "/a b", "c")
        assert threading.current_thread() is not threading.main_thread()
        start_response("201 Created", [("X-One", "1")])
        return [environ["wsgi.input"].read()[::-1]]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = await router.get("/a%20b?c", method="POST", body=b"hello")
        assert (asked.status, asked.fields[b"x-one"], asked.body) == ("201", b"1", b"olleh")
        assert asked.fields[b"content-length"] == b"5"

    serving(application, test)


@pytest.mark.usefixtures("hasty")
def test_pieces_both_ways() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        ok(start_response)
        while piece := environ["wsgi.input"].read(1):
            yield piece

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None)
        for piece in (b"a", b"b", b"c"):
            asked.send(piece)
            await until(partial(lambda piece: asked.body.endswith(piece), piece), "the echo")
        asked.send(b"", fin=True)
        assert (await asked.over()).body == b"abc"
        # More than all windows together.
        body = bytes(range(256)) * 16
        assert (await router.get("/much", method="PUT", body=body)).body == body

    serving(application, test)


def test_large_bodies() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        digest = hashlib.sha256()
        while piece := environ["wsgi.input"].read(100_000):
            digest.update(piece)
        ok(start_response, ("X-Sum", digest.hexdigest()))
        return iter([bytes(50_000)] * 80)

    async def test(router: RouterEnd, worker: Worker) -> None:
        body = bytes(range(256)) * (16 * 1024)
        asked = await router.get("/", method="PUT", body=body)
        assert asked.fields[b"x-sum"] == hashlib.sha256(body).hexdigest().encode()
        assert asked.body == bytes(4_000_000)

    serving(application, test)


def test_a_whole_reply_that_nobody_takes_holds_no_thread() -> None:
    """But its slot: what is not taken is in memory."""

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/large":
            ok(start_response)
            return [bytes(4 * MIB)]
        ok(start_response)
        return [b"small"]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask("/large", gives_credit=False)
        await until(lambda: asked.body, "some of it")
        assert (await router.get("/")).body == b"small"  # by the only thread that there is
        await until(lambda: len(worker.calls) == 1, "the second has its slot no more, and the first has")
        router.link.consumed(asked.stream, len(asked.body))
        asked.gives_credit = True
        assert len((await asked.over()).body) == 4 * MIB
        # And who leaves meanwhile takes it along.
        asked = router.ask("/large", gives_credit=False)
        await until(lambda: asked.body, "some of it")
        asked.cancel()

    serving(application, test, n_threads=1, concurrency=2)


def test_who_sends_much_waits_for_who_takes_it() -> None:
    sent = []
    closed = Gate()

    class Result:
        def __iter__(self) -> Iterator[bytes]:
            for _ in range(1000):
                sent.append(1)
                yield bytes(8 * 1024)

        def close(self) -> None:
            closed.note()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ok(start_response)
        return Result()

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(gives_credit=False)
        await until(lambda: len(asked.body) >= 256 * 1024, "its window is full")
        n_sent = 0
        while n_sent != len(sent):
            n_sent = len(sent)
            await asyncio.sleep(0.05)
        # A stream's window, what `Call.drain` lets wait, and what is on its way.
        assert n_sent * 8 < 256 + 64 + 64 + 2 * 8 + 1
        asked.cancel()
        await closed.reached()

    serving(application, test)


def test_upload_is_no_faster_than_it_is_read() -> None:
    gate = Gate()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        n = len(environ["wsgi.input"].read(1))
        gate.wait()
        n += len(environ["wsgi.input"].read())
        ok(start_response)
        return [b"%d" % n]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None)
        asked.send(bytes(4 * MIB), fin=True)
        await gate.reached()
        for _ in range(20):
            await asyncio.sleep(0.01)
        # What the thread was handed, and a window.
        assert 4 * MIB - asked.stream.pending_bytes <= 2 * 256 * 1024
        gate.open()
        assert (await asked.over()).body == b"%d" % (4 * MIB)

    serving(application, test)


# By the book


def test_the_validator_finds_nothing() -> None:
    def plain(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        body = environ["wsgi.input"].read(10) + environ["wsgi.input"].readline() + b"".join(environ["wsgi.input"])
        environ["wsgi.errors"].write("")
        environ["wsgi.errors"].flush()
        write = ok(start_response, ("Content-Type", "text/plain"))
        write(b"written ")
        return [body]

    application: Any = wsgiref.validate.validator(cast(Any, plain))

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = await router.get("/a/b?c", (b"x-real-ip", b"127.0.0.1"), method="POST", body=b"one two three\nfour\n")
        assert (asked.status, asked.body) == ("200", b"written one two three\nfour\n")
        asked = router.ask(method="POST", body=None)
        await asyncio.sleep(0)
        asked.send(b"late", fin=True)
        assert (await asked.over()).body == b"written late"
        assert (await router.get("/", method="HEAD")).status == "200"
        assert (await router.get("*", method="OPTIONS")).status in ("200", "500")

    serving(application, test, root_path="/root")


def test_where_it_is_mounted() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ok(start_response)
        return [f"{environ['SCRIPT_NAME']} {environ['PATH_INFO']}".encode()]

    async def test(router: RouterEnd, worker: Worker) -> None:
        assert (await router.get("/x", (b"x-forwarded-prefix", b"/shop"))).body == b"/root/shop /x"

    serving(application, test, root_path="root/", strips_prefix=True)


def test_a_file_is_sent_and_closed(tmp_path: Any) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 2048)
    files = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        files.append(path.open("rb"))
        ok(start_response)
        wrapped: Iterable[bytes] = environ["wsgi.file_wrapper"](files[0], 1000)
        return wrapped

    async def test(router: RouterEnd, worker: Worker) -> None:
        assert (await router.get()).body == path.read_bytes()
        await until(lambda: files[0].closed, "it is closed")

    serving(application, test)


def test_100_continue_is_said_when_the_body_is_wanted() -> None:
    gate = Gate()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait()
        body = environ["wsgi.input"].read() if environ["PATH_INFO"] == "/wanted" else b"no"
        ok(start_response)
        return [body]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask("/wanted", (b"expect", b"100-continue"), method="POST", body=None)
        await gate.reached()
        assert asked.interim == []
        gate.open()
        await until(lambda: asked.interim == [b"100"], "it is asked for the body")
        asked.send(b"here", fin=True)
        assert (await asked.over()).body == b"here"
        asked = router.ask("/", (b"expect", b"100-continue"), method="POST", body=None)
        await until(lambda: asked.body == b"no", "the reply")
        assert asked.interim == []
        asked.cancel()

    serving(application, test)


def test_what_a_request_leaves_in_its_context_is_no_business_of_the_next() -> None:
    user: ContextVar[str] = ContextVar("user", default="nobody")

    def application(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        before = user.get()
        user.set("somebody")
        ok(start_response)
        yield f"{before} {user.get()}".encode()

    async def test(router: RouterEnd, worker: Worker) -> None:
        for _ in range(3):
            assert (await router.get()).body == b"nobody somebody"
            await until(lambda: not worker.calls, "its one slot is free")

    serving(application, test, n_threads=1)


# What it does wrong


class Closing:
    """An iterable that is to be closed, and notes that it was."""

    def __init__(self, pieces: Iterable[Any], closed: list[str], *, fails: bool = False) -> None:
        self._pieces = pieces
        self._closed = closed
        self._fails = fails

    def __iter__(self) -> Iterator[Any]:
        yield from self._pieces

    def close(self) -> None:
        self._closed.append("closed")
        if self._fails:
            raise RuntimeError("close failed")


def breaking(*pieces: bytes) -> Iterator[bytes]:
    yield from pieces
    raise ArithmeticError("broke off")


@pytest.mark.parametrize(
    ("path", "status", "reset", "said"),
    [
        ("/raise", "500", None, "as it was told to"),
        ("/exit", "500", None, "SystemExit"),
        ("/none", "500", None, "not iterable"),
        ("/no-start", "500", None, "before start_response was called"),
        ("/text", "500", None, "a body is bytes, not str"),
        ("/short", "500", None, "shorter than its Content-Length, by 2 bytes"),
        ("/long", "500", None, "longer than its Content-Length, by 2 bytes"),
        ("/header", "500", None, "that HTTP does not allow"),
        ("/breaks-first", "500", None, "broke off"),
        ("/breaks", "200", RstStatus.INTERNAL_ERROR, "broke off"),
        ("/short-pieces", "200", RstStatus.INTERNAL_ERROR, "shorter than its Content-Length, by 2 bytes"),
        ("/long-pieces", "200", RstStatus.INTERNAL_ERROR, "longer than its Content-Length, by 2 bytes"),
        ("/close-fails", "200", None, "close failed"),
        ("/more", "200", None, "what is more was dropped"),
    ],
)
def test_each_failure_costs_its_request_and_is_told(
    caplog: pytest.LogCaptureFixture, path: str, status: str, reset: int | None, said: str
) -> None:
    closed: list[str] = []

    def application(environ: Environ, start_response: StartResponse) -> Any:
        path = environ["PATH_INFO"]
        headers = []
        if path in ("/short", "/long", "/short-pieces", "/long-pieces", "/more"):
            headers.append(("Content-Length", "5"))
        if path == "/header":
            headers.append(("X", "a\nb"))
        if path == "/raise":
            raise RuntimeError("as it was told to")
        if path == "/exit":
            raise SystemExit(3)
        if path == "/good":
            ok(start_response)
            return [b"good"]
        if path != "/no-start":
            ok(start_response, *headers)
        if path == "/none":
            return None
        pieces: dict[str, Iterable[Any]] = {
            "/no-start": [b"x"],
            "/text": ["text"],
            "/short": [b"abc"],
            "/long": [b"abcdefg"],
            "/header": [b"x"],
            "/breaks-first": breaking(),
            "/breaks": breaking(b"x"),
            "/short-pieces": [b"a", b"bc"],
            "/long-pieces": [b"abc", b"defg"],
            "/close-fails": [b"x"],
            "/more": [b"abcde", b"fg"],
        }
        if path == "/short":
            return pieces[path]
        return Closing(pieces[path], closed, fails=path == "/close-fails")

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = await router.get(path)
        assert (asked.status, asked.reset) == (status, reset)
        # What is said of it is said before its slot is free.
        await until(lambda: not worker.calls, "its slot is free")
        assert (await router.get("/good")).body == b"good"

    with caplog.at_level(logging.ERROR, "zerogate.worker"):
        serving(application, test, n_threads=1)
    assert said in caplog.text
    assert f"GET {path} failed" in caplog.text
    assert closed == ([] if path in ("/raise", "/exit", "/none", "/short") else ["closed"])


def test_a_request_that_is_none() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise AssertionError("never called")

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = Asked(router, router.link, True)
        asked.stream = router.link.open_stream(encode_block({b":method": b"GET"}), True, asked)
        assert (await asked.over()).status == "400"

    serving(application, test)


def test_chunks_that_come_soon_have_a_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wsgi, "CHUNKS_WAIT_S", 100.0)
    begun: list[Environ] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        begun.append(environ)
        ok(start_response)
        n = environ.get("CONTENT_LENGTH")
        return [b"%a %d" % (n, len(environ["wsgi.input"].read()))]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None)
        await until(lambda: worker.calls, "it has come")
        for piece in (b"one", b"two"):
            asked.send(piece)
            await asyncio.sleep(0.001)
        asked.send(b"", fin=True)
        assert (await asked.over()).body == b"'6' 6"
        # Not those that are many, and who waits for a first answer is not waited for.
        asked = router.ask(method="POST", body=None)
        asked.send(bytes(MAX_CHUNKS_BYTES))
        await until(lambda: len(begun) == 2, "it is at work")
        asked.send(b"", fin=True)
        assert (await asked.over()).body == b"None 65536"
        monkeypatch.setattr(wsgi, "CHUNKS_WAIT_S", 0.05)
        asked = router.ask(method="POST", body=None)
        await until(lambda: len(begun) == 3, "it is at work")
        asked.send(b"x", fin=True)
        assert (await asked.over()).body == b"None 1"
        # Who leaves meanwhile leaves nothing behind.
        asked = router.ask(method="POST", body=None)
        await until(lambda: worker.calls, "it has come")
        asked.cancel()

    serving(application, test)


def test_what_waits_for_its_chunks_is_not_waited_for_at_the_end() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        raise AssertionError("never called")

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None)
        await until(lambda: worker.calls, "it has come")
        await asyncio.sleep(0)
        for call in worker.calls:
            assert call.work is not None
            call.work.cancel()
        assert (await asked.over()).status == "500"
        asked.cancel()  # as a router does, where the client still sends

    serving(application, test)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_thread_that_cannot_be_had_costs_its_request(monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ok(start_response)
        return [environ["wsgi.input"].read()]

    def fail(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def test(router: RouterEnd, worker: Worker) -> None:
        body = b"" if method == "GET" else b"body"
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", fail)
            for _ in range(3):
                assert (await router.get("/", method=method, body=body)).status == "500"
        assert not worker.calls
        assert (await router.get("/", method=method, body=body)).body == body

    serving(application, test, n_threads=1)


def test_a_body_that_comes_along_with_its_request_is_asked_of_nobody() -> None:
    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ok(start_response)
        return [environ["CONTENT_LENGTH"].encode(), type(environ["wsgi.input"]).__name__.encode()]

    async def test(router: RouterEnd, worker: Worker) -> None:
        assert (await router.get("/", method="POST", body=b"body")).body == b"4BytesIO"

    serving(application, test)


# Who leaves


@pytest.mark.parametrize("what", ["read", "send", "write", "end", "fail"])
@pytest.mark.usefixtures("no_help")
def test_whatever_becomes_of_it_it_leaves_nothing_for_the_collector(what: str) -> None:
    """What a request has in its hands, which may be much, is free when it has ended, and not some time later."""
    n_alive = n_made = 0

    class Piece(bytes):
        def __init__(self, *_: object) -> None:
            nonlocal n_alive, n_made
            n_alive += 1
            n_made += 1

        def __del__(self) -> None:
            nonlocal n_alive
            n_alive -= 1

    def application(environ: Environ, start_response: StartResponse) -> Iterator[bytes]:
        piece = Piece(64 * 1024)
        if what == "read":
            environ["wsgi.input"].read()
        if what == "fail":
            raise ValueError(piece)
        write = ok(start_response)
        while what == "write":
            write(piece)
        while what == "send":
            yield piece
            piece = Piece(64 * 1024)
        yield piece

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None if what == "read" else b"", gives_credit=what == "end")
        await until(lambda: n_made, "it has begun")
        if what in ("send", "write"):
            await until(lambda: len(asked.body) >= 256 * 1024, "its window is full")
        if what in ("read", "send", "write"):
            await asyncio.sleep(0.05)  # for the thread to wait
            asked.cancel()
        await until(lambda: not worker.calls, "it has ended")
        await until(lambda: not n_alive, "nothing is kept", 1.0)

    serving(application, test)


def test_a_client_that_leaves_closes_the_iterable() -> None:
    closed: list[str] = []
    began = Gate()

    def pieces() -> Iterator[bytes]:
        while True:
            began.note()
            yield b"" if began.is_reached else b"x"

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        ok(start_response)
        return Closing(pieces(), closed)

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask()
        await began.reached()
        asked.cancel()
        await until(lambda: closed, "it is closed")

    serving(application, test)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("what", ["read", "write"])
def test_who_waits_for_a_client_that_leaves_hears_of_it(what: str, caplog: pytest.LogCaptureFixture) -> None:
    heard: list[BaseException] = []
    began = Gate()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = ok(start_response)
        began.note()
        try:
            while True:
                environ["wsgi.input"].read(1) if what == "read" else write(bytes(10_000))
        except OSError as error:
            heard.append(error)
            raise

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None, gives_credit=False)
        await began.reached()
        if what == "write":
            await until(lambda: len(asked.body) >= 256 * 1024, "its window is full")
        asked.cancel()
        await until(lambda: heard, "it hears of it")

    with caplog.at_level(logging.WARNING, "zerogate.worker"):
        serving(application, test)
    assert type(heard[0]) is ClientDisconnected
    assert caplog.text == ""


def test_nothing_is_begun_for_who_has_left() -> None:
    gate = Gate()
    called: list[str] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        called.append(environ["PATH_INFO"])
        if environ["PATH_INFO"] == "/first":
            gate.wait()
        ok(start_response)
        return []

    async def test(router: RouterEnd, worker: Worker) -> None:
        first = router.ask("/first")
        await gate.reached()
        second = router.ask("/second")  # waits for the one thread, as its slot does not
        await until(lambda: len(worker.calls) == 2, "both")
        second.cancel()
        await until(lambda: any(call.is_gone for call in worker.calls), "the worker hears of it")
        gate.open()
        await first.over()
        await until(lambda: not worker.calls, "both end")
        assert called == ["/first"]

    serving(application, test, n_threads=1, concurrency=2)


# How it ends


def test_a_stop_waits_for_threads() -> None:
    gate = Gate()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait()
        ok(start_response)
        return [b"done"]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask()
        await gate.reached()
        stopping = asyncio.ensure_future(worker.stop())
        await until(lambda: router.goaways, "it leaves")
        gate.open()
        assert (await asked.over()).body == b"done"
        await stopping

    serving(application, test)


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("what", ["read", "write", "drain", "sleep"])
def test_at_the_end_of_grace_nobody_is_waited_for(what: str) -> None:
    gate = Gate()
    heard: list[BaseException] = []

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        write = ok(start_response)
        if what == "drain":
            gate.note()
            return [bytes(4 * MIB)]
        try:
            if what == "sleep":
                gate.wait()
                write(b"x")
            gate.note()
            while True:
                environ["wsgi.input"].read(1) if what == "read" else write(bytes(10_000))
        except BaseException as error:
            heard.append(error)
            raise

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = router.ask(method="POST", body=None, gives_credit=False)
        await gate.reached()
        stopping = asyncio.ensure_future(worker.stop())
        if what == "drain":
            # It has been said, all of it: what is left is the router's to take, for as long as the link is there.
            await until(lambda: not worker.calls, "nobody waits for it")
        else:
            if what == "write":
                await until(lambda: asked.reset == RstStatus.INTERNAL_ERROR, "the reply is cut")
            else:
                await asked.over()
                assert (asked.status, asked.body) == ("500", b"Internal Server Error\n")
            if what == "sleep":
                assert len(worker.calls) == 1  # Nobody can interrupt it.
                gate.open()
            await until(lambda: heard, "it hears of it")
            assert type(heard[0]) is ClientDisconnected
        asked.cancel()
        router.look_whether_drained(asked.link)
        await stopping

    serving(application, test, grace=0.1)


def test_an_application_that_blocks_all_threads_does_not_block_the_link() -> None:
    gate = Gate()

    def application(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        gate.wait()
        ok(start_response)
        return [b"late"]

    async def test(router: RouterEnd, worker: Worker) -> None:
        asked = [router.ask() for _ in range(3)]
        await gate.reached()
        # The third is over capacity.
        assert (await asked[2].over()).reset == RstStatus.REFUSED_STREAM
        gate.open()
        for each in asked[:2]:
            assert (await each.over()).body == b"late"

    serving(application, test, n_threads=2)

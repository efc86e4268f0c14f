"""Router and Worker in a program of one's own."""

import asyncio
import gc
import json
import logging
import os
import signal
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import zerogate
from tests.support.router_end import until
from zerogate import Router, RouterSettings, StartError, UsageError, Worker, WorkerSettings
from zerogate.testing import Site

PORTS: dict[str, Any] = {"http": ("127.0.0.1:0",), "bind": ("tcp://127.0.0.1:0",), "admin": "off", "access_log": "off"}


class App:
    """An ASGI application that notes what it is told. At /hang it waits until it is cancelled."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            for event in ("startup", "shutdown"):
                assert (await receive())["type"] == f"lifespan.{event}"
                self.notes.append(event)
                await send({"type": f"lifespan.{event}.complete"})
            return
        if scope["path"] == "/hang":
            self.notes.append("hangs")
            try:
                await asyncio.sleep(3600)
            finally:
                self.notes.append("let go")
        body = scope["path"].encode()
        headers = [(b"content-length", b"%d" % len(body))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


def wsgi(environ: Any, start_response: Any) -> list[bytes]:
    body = environ["PATH_INFO"].encode()
    start_response("200 OK", [("content-length", str(len(body)))])
    return [body]


async def get(router: Router, path: str) -> bytes:
    """The whole reply."""
    host, port = router.url.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n".encode())
        return await reader.read()
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("make", [App, lambda: wsgi], ids=["asgi", "wsgi"])
def test_a_router_and_a_worker(make: Callable[[], Any]) -> None:
    async def main() -> None:
        async with Router(**PORTS) as router, Worker(make(), connect=(router.endpoint,), name="w") as worker:
            await worker.joined()
            assert worker.has_joined
            reply = await get(router, "/x")
            assert reply.startswith(b"HTTP/1.1 200 OK")
            assert reply.endswith(b"/x")
            (found,) = router.status()["workers"]
            assert found["name"] == "w"
        assert not worker.has_joined

    asyncio.run(main())


def test_start_order_is_free() -> None:
    async def main() -> None:
        with socket.socket() as held:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            held.bind(("127.0.0.1", 0))
            endpoint = f"tcp://127.0.0.1:{held.getsockname()[1]}"
            async with Worker(App(), connect=(endpoint,)) as worker:
                assert not worker.has_joined
                async with Router(**{**PORTS, "bind": (endpoint,)}) as router:
                    assert router.endpoint == endpoint
                    await worker.joined()
                await until(lambda: not worker.has_joined, "the router is gone")

    asyncio.run(main())


def test_several_in_one_loop() -> None:
    async def main() -> None:
        one, two = App(), App()
        async with (
            Router(**PORTS) as first,
            Router(**PORTS) as second,
            Worker(one, connect=(first.endpoint, second.endpoint)) as worker,
            Worker(two, connect=(second.endpoint,), route=("/two",)) as other,
        ):
            await asyncio.gather(worker.joined(), other.joined())
            await until(lambda: len(second.status()["workers"]) == 2, "both have joined the second")
            replies = await asyncio.gather(get(first, "/a"), get(second, "/b"), get(second, "/two"))
            assert [reply.rpartition(b"\r\n\r\n")[2] for reply in replies] == [b"/a", b"/b", b"/two"]
        assert one.notes == two.notes == ["startup", "shutdown"]

    asyncio.run(main())


def test_nothing_global_is_touched() -> None:
    def state() -> Any:
        numbers = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
        root = logging.getLogger("zerogate")
        return (
            [signal.getsignal(number) for number in numbers],
            (root.level, root.handlers[:], root.propagate, logging.root.handlers[:]),
            (gc.get_threshold(), gc.isenabled()),
            dict(os.environ),
            {thread.name for thread in threading.enumerate()},
        )

    async def main() -> None:
        before, n_frozen = state(), gc.get_freeze_count()
        async with Router(**PORTS) as router, Worker(wsgi, connect=(router.endpoint,)) as worker:
            await worker.joined()
            await get(router, "/")
            during = state()
        assert during[:4] == before[:4]
        assert gc.get_freeze_count() <= n_frozen  # what the tests themselves have frozen may go
        await until(lambda: state() == before, "threads have ended")

    asyncio.run(main())


def test_descriptors_are_given_back(tmp_path: Path) -> None:
    async def main() -> None:
        async def once() -> None:
            async with Router(**PORTS) as router, Worker(App(), connect=(router.endpoint,)) as worker:
                await worker.joined()
                await get(router, "/")

        await once()
        n_fds = len(os.listdir("/proc/self/fd"))
        for _ in range(3):
            await once()
        await until(lambda: len(os.listdir("/proc/self/fd")) <= n_fds, "as many as before")

    asyncio.run(main())


def test_an_exception_ends_it_at_once() -> None:
    app = App()

    async def serve() -> None:
        async with Router(**PORTS) as router, Worker(app, connect=(router.endpoint,)):
            tasks.append(asyncio.create_task(get(router, "/hang")))
            await until(lambda: "hangs" in app.notes, "it hangs")
            raise ZeroDivisionError

    tasks: list[asyncio.Task[bytes]] = []

    async def main() -> None:
        with pytest.raises(ZeroDivisionError):
            await serve()
        await asyncio.wait(tasks)

    asyncio.run(asyncio.wait_for(main(), 25))
    assert app.notes == ["startup", "hangs", "let go", "shutdown"]


def test_cancelled_twice_it_waits_for_nobody() -> None:
    """Once it ends in good order, with time for what is in flight: an hour here."""
    app = App()

    async def serve(opened: "asyncio.Future[Router]") -> None:
        async with Router(**PORTS, grace=3600.0) as router, Worker(app, connect=(router.endpoint,), grace=3600.0):
            opened.set_result(router)
            await asyncio.sleep(3600)

    async def main() -> None:
        opened: asyncio.Future[Router] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(serve(opened))
        hanging = asyncio.create_task(get(await opened, "/hang"))
        await until(lambda: "hangs" in app.notes, "it hangs")
        serving.cancel()
        await asyncio.sleep(0.1)
        assert not serving.done()
        serving.cancel()
        await asyncio.wait((serving, hanging))
        assert serving.cancelled()

    asyncio.run(asyncio.wait_for(main(), 25))
    assert app.notes == ["startup", "hangs", "let go", "shutdown"]


def test_cancelled_amid_its_start() -> None:
    async def slow(scope: Any, receive: Any, send: Any) -> None:
        await asyncio.sleep(3600)

    async def main() -> None:
        async def serve() -> None:
            async with Worker(slow):
                raise AssertionError("it has started")

        serving = asyncio.create_task(serve())
        await asyncio.sleep(0.05)
        serving.cancel()
        await asyncio.wait((serving,))
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(main())


def test_what_cannot_start() -> None:
    async def failing(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "not today"})

    async def main() -> None:
        async with Router(**PORTS) as router:
            with pytest.raises(StartError, match="is taken by"):
                await Router(**{**PORTS, "bind": (router.endpoint,)}).__aenter__()
            with pytest.raises(StartError, match="not today"):
                await Worker(failing).__aenter__()
            with pytest.raises(StartError, match="no module named 'not_there'"):
                await Worker("not_there:app").__aenter__()
            with pytest.raises(StartError, match="is 'int', not an application"):
                await Worker(7).__aenter__()

    asyncio.run(main())


def test_what_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="a Router is in one process"):
        Router(processes=2)
    with pytest.raises(UsageError, match="a Worker is in one process"):
        Worker(App(), processes=2)
    with pytest.raises(UsageError, match="--connect nonsense: not an endpoint"):
        Worker(App(), connect=("nonsense",))
    with pytest.raises(UsageError, match="no router would take this worker"):
        Worker(App(), name="a b")
    with pytest.raises(UsageError, match="--http"):
        Router(http="127.0.0.1:0")  # type: ignore[arg-type]


def test_an_option_that_is_none() -> None:
    with pytest.raises(TypeError, match=r"^no option admn: did you mean admin\?$"):
        Router(admn="off")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^no option workers: did you mean processes\?$"):
        Worker(App(), workers=2)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"^no option port: did you mean http="):
        Site(App(), port=1)  # type: ignore[call-arg]


def test_by_name_and_by_settings(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "link"
        settings = RouterSettings(http=("off",), bind=(f"ipc://{path}",), admin="off", access_log="off")
        async with Router.of(settings) as router:
            assert router.endpoint == f"ipc://{path}"
            with pytest.raises(StartError, match="at no TCP port"):
                _ = router.url
            worker = Worker.of("tests.e2e.plain_wsgi", WorkerSettings(connect=(router.endpoint,)))
            async with worker:
                await worker.joined()

    asyncio.run(main())


def test_any_address_is_reached_at_this_machine() -> None:
    async def main() -> None:
        async with Router(**{**PORTS, "http": ("0.0.0.0:0",)}) as router:
            assert router.url.startswith("http://127.0.0.1:")
            assert router.addresses.http[0].startswith("0.0.0.0:")

    asyncio.run(main())


def test_used_outside_of_its_block() -> None:
    router, worker = Router(**PORTS), Worker(App())
    assert "is not open" in repr(router)
    assert "is not open" in repr(worker)
    with pytest.raises(RuntimeError, match="is not open"):
        _ = router.url
    with pytest.raises(RuntimeError, match="is not open"):
        asyncio.run(worker.joined())

    async def main() -> None:
        async with router:
            assert "127.0.0.1" in repr(router)
            with pytest.raises(RuntimeError):
                await router.__aenter__()
        # And again.
        async with router, worker:
            json.dumps(router.status())
            with pytest.raises(RuntimeError):
                await worker.__aenter__()

    asyncio.run(main())


def test_what_the_package_has() -> None:
    for name in zerogate.__all__:
        assert getattr(zerogate, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'Server'"):
        _ = zerogate.Server  # type: ignore[attr-defined]

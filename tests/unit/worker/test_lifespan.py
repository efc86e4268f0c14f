"""An application's start-up and shutdown."""

import asyncio
import gc
from typing import Any

import pytest

from tests.support.each import each
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError
from zerogate.worker.asgi_types import Receive, Scope, Send
from zerogate.worker.lifespan import Lifespan


async def good(scope: Scope, receive: Receive, send: Send) -> None:
    scope["state"]["heard"] = []
    while True:
        message = await receive()
        scope["state"]["heard"].append(message["type"])
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def unsupported(scope: Scope, receive: Receive, send: Send) -> None:
    raise NotImplementedError("no lifespan here")


def saying(kind: str, **more: Any) -> Any:
    """An application whose answer to the first event, or after that to the second, is this."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if ".shutdown" in kind:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": kind, **more})

    return application


def test_start_up_and_shutdown() -> None:
    async def main() -> None:
        lifespan = Lifespan(good, "auto")
        await lifespan.startup()
        assert lifespan.state == {"heard": ["lifespan.startup"]}
        await lifespan.shutdown()
        assert lifespan.state == {"heard": ["lifespan.startup", "lifespan.shutdown"]}

    run_virtually(main())


def test_the_scope() -> None:
    scopes: list[Scope] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        scopes.append(scope)

    run_virtually(start(application))
    # The version is that of the lifespan's specification, not of HTTP's.
    assert scopes == [{"type": "lifespan", "asgi": {"version": "3.0", "spec_version": "2.0"}, "state": {}}]


@each("message", [{"type": "lifespan.nonsense"}, {"type": "http.response.start", "status": 200}, {}])
def test_nonsense_is_no_answer(message: Any) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send(message)

    with pytest.raises(StartError, match="lifespan failed"):
        run_virtually(start(application, "on"))


def test_off() -> None:
    async def main() -> None:
        lifespan = Lifespan(unsupported, "off")
        await lifespan.startup()
        await lifespan.shutdown()

    run_virtually(main())


def test_an_application_may_have_none() -> None:
    async def main() -> None:
        lifespan = Lifespan(unsupported, "auto")
        await lifespan.startup()
        await lifespan.shutdown()

    run_virtually(main())


def test_unless_it_is_demanded() -> None:
    with pytest.raises(StartError, match="no lifespan here"):
        run_virtually(start(unsupported, "on"))


async def start(application: Any, mode: str = "auto") -> None:
    await Lifespan(application, mode).startup()


@pytest.mark.parametrize(
    ("more", "reason"), [({"message": "the database is on holiday"}, "database is on holiday"), ({}, "no reason")]
)
def test_it_may_say_that_it_cannot_start(more: dict[str, str], reason: str) -> None:
    with pytest.raises(StartError, match=reason):
        run_virtually(start(saying("lifespan.startup.failed", **more)))


def test_a_reason_ends_where_its_words_end() -> None:
    """Starlette's is a traceback, with a line's end at its end."""
    with pytest.raises(StartError) as caught:
        run_virtually(start(saying("lifespan.startup.failed", message="Traceback:\n  KeyError: 1\n")))
    assert caught.value.reason == "the application could not start: Traceback:\n  KeyError: 1"


@pytest.mark.parametrize("mode", ["auto", "on"])
@pytest.mark.parametrize("error", [RuntimeError, SystemExit])
def test_and_then_fail_of_it_too(mode: str, error: type[BaseException], caplog: pytest.LogCaptureFixture) -> None:
    """As frameworks do. What it has said is enough."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
        raise error(3)

    async def main() -> None:
        reasons = []
        try:
            await start(application, mode)
        except StartError as failure:
            reasons.append(failure.reason)
        assert reasons == ["the application could not start: no database"]
        await asyncio.sleep(0)
        gc.collect()

    run_virtually(main())
    assert not caplog.records


def test_it_may_say_that_it_cannot_shut_down(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        lifespan = Lifespan(saying("lifespan.shutdown.failed", message="the door is stuck"), "auto")
        await lifespan.startup()
        await lifespan.shutdown()

    run_virtually(main())
    assert caplog.messages == ["the application could not shut down: the door is stuck"]


def test_it_may_fail_at_shutdown(caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        raise RuntimeError("the door is gone")

    async def main() -> None:
        lifespan = Lifespan(application, "auto")
        await lifespan.startup()
        await lifespan.shutdown()

    run_virtually(main())
    assert caplog.messages == ["the application's shutdown failed"]
    assert "the door is gone" in caplog.text


@pytest.mark.parametrize("how", ["returns", "raises"])
def test_it_may_have_ended_long_before(how: str, caplog: pytest.LogCaptureFixture) -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        if how == "raises":
            raise RuntimeError("the watchman fell asleep")

    async def main() -> None:
        lifespan = Lifespan(application, "auto")
        await lifespan.startup()
        await asyncio.sleep(1)
        await lifespan.shutdown()

    run_virtually(main())
    assert ("the watchman fell asleep" in caplog.text) == (how == "raises")


# Ends


async def never(scope: Scope, receive: Receive, send: Send) -> None:
    """Starts for ever, and notes when it is cancelled."""
    await receive()
    try:
        await asyncio.Event().wait()
    finally:
        scope["state"]["ended"] = True


def test_a_start_up_can_be_interrupted() -> None:
    states: list[Any] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        states.append(scope["state"])
        await never(scope, receive, send)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lifespan = Lifespan(application, "auto")
        starting = asyncio.ensure_future(lifespan.startup())
        await asyncio.sleep(1)
        starting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await starting
        assert states == [{"ended": True}]
        began_at = loop.time()
        await lifespan.shutdown()
        assert loop.time() == began_at

    run_virtually(main())


def test_a_shutdown_can_be_interrupted() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await never(scope, receive, send)

    async def main() -> None:
        lifespan = Lifespan(application, "auto")
        await lifespan.startup()
        stopping = asyncio.ensure_future(lifespan.shutdown())
        await asyncio.sleep(1)
        stopping.cancel()
        with pytest.raises(asyncio.CancelledError):
            await stopping
        assert lifespan.state == {"ended": True}

    run_virtually(main())


def test_who_will_not_end_is_not_waited_for() -> None:
    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        for _ in range(2):
            try:
                await receive()
                await send({"type": "lifespan.startup.complete"})
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                continue

    async def main() -> None:
        loop = asyncio.get_running_loop()
        lifespan = Lifespan(application, "auto")
        await lifespan.startup()
        began_at = loop.time()
        stopping = asyncio.ensure_future(lifespan.shutdown())
        await asyncio.sleep(1)
        stopping.cancel()
        await asyncio.wait([stopping])
        assert loop.time() - began_at < 3

    run_virtually(main())

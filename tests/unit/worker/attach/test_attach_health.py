"""Whether an attached server is well."""

import asyncio
import errno
import socket
from pathlib import Path

import pytest

from tests.support.http1_server import Script, Server, Visit, answer, serving
from tests.support.router_end import until
from tests.support.virtual_time import run_virtually
from zerogate.settings import ServerSettings
from zerogate.worker.attach.health import WELL, Finding, Judge, check, is_refusal
from zerogate.worker.attach.target import Target


def replying(status: str) -> Script:
    async def script(visit: Visit) -> None:
        head = await visit.head()
        assert head.startswith("GET /up HTTP/1.1\r\nhost: localhost\r\n")
        visit.reply(b"", status=status)

    return script


async def silent(visit: Visit) -> None:
    await visit.left()


async def garbled(visit: Visit) -> None:
    visit.say(b"SSH-2.0\r\n")


async def closing(visit: Visit) -> None:
    await visit.head()


@pytest.mark.parametrize(
    ("script", "path", "reason"),
    [
        (silent, "", ""),
        (replying("200 OK"), "/up", ""),
        (replying("302 Found"), "/up", ""),
        (replying("404 Not Found"), "/up", "/up gives 404"),
        (replying("503 Service Unavailable"), "/up", "/up gives 503"),
        (silent, "/up", "it has not answered within 2 s"),
        (garbled, "/up", "this is not HTTP/1"),
        (closing, "/up", "the connection ended before the reply"),
    ],
)
def test_a_check(tmp_path: Path, script: Script, path: str, reason: str) -> None:
    async def main() -> None:
        async with serving(tmp_path, script) as server:
            assert await check(server.target, ServerSettings(health=path)) == Finding(reason)
            await until(lambda: not server.n_open, "nothing is left open")

    run_virtually(main())


def test_nobody_listens(tmp_path: Path) -> None:
    async def main() -> None:
        certain = Finding("nobody listens there", is_certain=True)
        server = Server(tmp_path / "server", answer)
        assert await check(server.target, ServerSettings()) == certain
        (tmp_path / "folder").mkdir()
        assert (await check(Target("", path=str(tmp_path / "folder")), ServerSettings())).reason
        assert (await check(Target("", path="x" * 1000), ServerSettings())).reason

    run_virtually(main())


def test_nobody_listens_at_any_address_of_a_name() -> None:
    async def main() -> None:
        with socket.socket() as taken:
            # Bound, and nobody listens.
            taken.bind(("127.0.0.1", 0))
            target = Target("", host="localhost", port=taken.getsockname()[1])
            assert (await check(target, ServerSettings())).is_certain

    asyncio.run(main())
    refused, unreachable = (f"[Errno {number}] no" for number in (errno.ECONNREFUSED, errno.ENETUNREACH))
    assert is_refusal(OSError(f"Multiple exceptions: {refused}, {refused}"))
    assert not is_refusal(OSError(f"Multiple exceptions: {refused}, {unreachable}"))
    assert not is_refusal(OSError("something else"))


def test_several_make_a_verdict() -> None:
    bad, certain = Finding("it is ill"), Finding("nobody listens", is_certain=True)
    judge = Judge(3, 2)
    assert not judge.hear(bad)
    assert not judge.hear(certain)
    assert judge.hear(WELL)
    assert judge.is_up
    heard = [judge.hear(each) for each in (bad, bad, WELL, bad, bad, bad, WELL, bad, WELL, WELL, certain)]
    assert heard == [False, False, False, False, False, True, False, False, False, True, True]
    assert repr(judge) == "<Judge down, 0 against it>"

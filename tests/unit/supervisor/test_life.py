"""One process: what it says, what it is told, and that nothing of it stays behind."""

import asyncio
import gc
import os
import signal
from collections.abc import Awaitable, Callable

import pytest

from zerogate.child import FOUND, JOINED, PARTED, STARTED, STOPPING, WORN
from zerogate.supervisor import life as module
from zerogate.supervisor.life import Life

SAY = 'say() { printf "%s" "$1" > /dev/fd/$ZEROGATE_REPORT_FD; }; '


def living(
    monkeypatch: pytest.MonkeyPatch, script: str, test: Callable[[Life, list[bytes]], Awaitable[None]]
) -> tuple[Life, list[bytes]]:
    """A life of a shell's, real but soon there, and the words that it has said."""
    words: list[bytes] = []
    monkeypatch.setattr(module, "child_command", lambda *arguments: ["sh", "-c", SAY + script])
    gc.collect()  # what other tests have left
    n_before = len(os.listdir("/proc/self/fd"))

    async def main() -> Life:
        life = Life([], {"OF_ITS_OWN": "7"}, None, lambda life, word: words.append(word))
        running = asyncio.create_task(life.run())
        async with asyncio.timeout(20):
            await test(life, words)
            await running
        return life

    life = asyncio.run(main())
    assert len(os.listdir("/proc/self/fd")) <= n_before
    return life, words


async def nothing(life: Life, words: list[bytes]) -> None:
    await life.is_over.wait()


def test_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    script = 'say "found a:b, $OF_ITS_OWN\nstarted\njoined\nparted\njoined\nworn it is tired\nthe rest"; exit 3'
    life, words = living(monkeypatch, script, nothing)
    assert words == [FOUND, STARTED, JOINED, PARTED, JOINED, WORN]
    assert (life.found, life.worn, life.last_words, life.code) == ("a:b, 7", "it is tired", "the rest", 3)
    assert life.is_up.is_set()
    assert life.has_joined.is_set()
    assert not life.has_parted.is_set()
    assert life.reason == "the rest"


def test_what_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def tell(life: Life, words: list[bytes]) -> None:
        await life.is_up.wait()
        assert life.pid
        life.tell(STOPPING)

    script = 'say "started\n"; head -c 1 < /dev/fd/$ZEROGATE_PARENT_FD > /dev/fd/$ZEROGATE_REPORT_FD'
    life, _ = living(monkeypatch, script, tell)
    assert (life.last_words, life.code) == ("s", 0)
    life.tell(STOPPING)  # nobody hears it
    life.send_signal(signal.SIGKILL)


def test_a_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def stop(life: Life, words: list[bytes]) -> None:
        await life.is_up.wait()
        life.send_signal(signal.SIGTERM)

    life, _ = living(monkeypatch, 'trap "exit 5" TERM; say "started\n"; while :; do sleep 0.01; done', stop)
    assert (life.reason, life.code) == ("exit code 5", 5)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_one_that_is_told_to_go_before_it_is_there(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    async def stop(life: Life, words: list[bytes]) -> None:
        life.send_signal(number)
        assert life.pid is None

    life, _ = living(monkeypatch, "sleep 60", stop)
    assert life.code == -signal.SIGKILL


def test_one_that_is_told_something_else_before_it_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang_up(life: Life, words: list[bytes]) -> None:
        life.send_signal(signal.SIGHUP)

    assert living(monkeypatch, "exit 0", hang_up)[0].code == 0


def test_one_that_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> Life:
        life = Life([], {}, None, lambda life, word: None)
        await life.run()
        return life

    monkeypatch.setattr(module, "child_command", lambda *arguments: ["/nowhere/at/all"])
    gc.collect()  # what other tests have left
    n_before = len(os.listdir("/proc/self/fd"))
    life = asyncio.run(main())
    assert life.is_over.is_set()
    assert life.reason == "it could not be started: No such file or directory"
    assert len(os.listdir("/proc/self/fd")) <= n_before

"""Threads, and the way back from them into the event loop."""

import asyncio
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from tests.support.router_end import until
from zerogate.worker.threads import Threads


class Job:
    """Waits in its thread until it may go on."""

    def __init__(self) -> None:
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.thread: threading.Thread | None = None

    def __call__(self) -> None:
        self.thread = threading.current_thread()
        self.began.set()
        assert self.may_end.wait(10)


async def begun(job: Job) -> None:
    await until(job.began.is_set, "a thread has it")


def test_threads_are_made_as_they_are_needed() -> None:
    async def main() -> None:
        threads = Threads(2)
        one, two, three, four = jobs = [Job() for _ in range(4)]
        assert repr(threads) == "<Threads 0 of 0 busy, at most 2>"
        threads.start(one)
        await begun(one)
        assert repr(threads) == "<Threads 1 of 1 busy, at most 2>"
        one.may_end.set()
        assert one.thread is not None
        threads.finished()
        threads.start(two)
        await begun(two)
        assert two.thread is one.thread
        threads.start(three)
        await begun(three)
        threads.start(four)  # waits
        assert repr(threads) == "<Threads 3 of 2 busy, at most 2>"
        assert not four.began.is_set()
        three.may_end.set()
        await begun(four)
        assert four.thread is three.thread is not two.thread
        threads.stop()
        for job in jobs:
            job.may_end.set()
        for job in (two, three):
            assert job.thread is not None
            job.thread.join(10)
            assert not job.thread.is_alive()

    asyncio.run(main())


def test_a_thread_that_cannot_be_made_costs_what_asked_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        threads = Threads(2)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", fail)
            with pytest.raises(RuntimeError):
                threads.start(Job())
        job = Job()
        threads.start(job)
        await begun(job)
        job.may_end.set()
        assert repr(threads) == "<Threads 1 of 1 busy, at most 2>"
        threads.stop()

    asyncio.run(main())


def in_a_thread(work: Callable[[], None]) -> None:
    thread = threading.Thread(target=work)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_posts_come_in_order_and_wake_the_loop_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        threads = Threads(1)
        woken: list[Any] = []
        heard: list[int] = []
        wake = loop.call_soon_threadsafe
        monkeypatch.setattr(loop, "call_soon_threadsafe", lambda *words: woken.append(wake(*words)))

        def work() -> None:
            for number in range(100):
                threads.post(heard.append, number)

        in_a_thread(work)
        assert heard == []
        await until(lambda: len(heard) == 100, "all posts")
        assert heard == [*range(100)]
        assert len(woken) == 1
        in_a_thread(work)
        await until(lambda: len(heard) == 200, "all posts")
        assert len(woken) == 2

    asyncio.run(main())


def test_who_posts_on_and_on_lets_others_have_turns() -> None:
    async def main() -> None:
        threads = Threads(1)
        n_heard = 0

        def again() -> None:
            nonlocal n_heard
            n_heard += 1
            threads.post(again)

        threads.post(again)
        turns = 0
        while n_heard < 50:
            await asyncio.sleep(0)
            turns += 1
        assert turns >= 49

    asyncio.run(main())


def test_posts_that_come_while_posts_are_taken_are_taken_next() -> None:
    """Also where the one who posts sees that the event loop is woken already."""

    async def main() -> None:
        threads = Threads(1)
        heard: list[str] = []

        def first() -> None:
            in_a_thread(partial(threads.post, heard.append, "second"))
            threads._is_woken = False  # as if it had been posted a moment before

        threads.post(first)
        await until(lambda: heard == ["second"], "the second")

    asyncio.run(main())


def test_a_post_that_fails_costs_nobody_else_anything(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        threads = Threads(1)
        heard: list[int] = []
        threads.post(heard.remove, 7)
        threads.post(heard.append, 1)
        await until(lambda: heard == [1], "the other")

    with caplog.at_level(logging.ERROR, "zerogate.worker"):
        asyncio.run(main())
    assert "what a thread had to say failed" in caplog.text


def test_nobody_waits_any_more() -> None:
    async def main() -> Threads:
        return Threads(1)

    threads = asyncio.run(main())
    threads.post(print)

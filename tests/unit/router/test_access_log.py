"""The access log: what a line says, and when it is written. (How, so that nobody waits for it: test_log_writer.py.)"""

import asyncio
import logging
import re
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError
from zerogate.router import access_log
from zerogate.router.access_log import FLUSH_AFTER_S, FLUSH_AT_LINES, AccessLog
from zerogate.wire.http.request import RequestHead


class Writer:
    """Keeps what it is given, or takes nothing."""

    def __init__(self, target: str) -> None:
        self.text = ""
        self.is_full = False
        self.fails = False
        self.n_dropped = 0
        self.n_reopened = 0
        self.is_closed = False

    def write(self, data: bytes) -> bool:
        self.text += "" if self.is_full else data.decode("ascii")
        self.n_dropped += self.is_full
        return not self.is_full

    def reopen(self) -> None:
        if self.fails:
            raise StartError("--access-log: cannot write it")
        self.n_reopened += 1

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture(autouse=True)
def writers(monkeypatch: pytest.MonkeyPatch) -> list[Writer]:
    made: list[Writer] = []

    def make(target: str) -> Writer:
        made.append(Writer(target))
        return made[-1]

    monkeypatch.setattr(access_log, "LogWriter", make)
    return made


def entry(target: bytes = b"/a?b", status: int = 200, worker: str = "w", host: bytes = b"a.example") -> Any:
    head = RequestHead(b"GET", target, target, host)
    code = "timeout" if status == 504 else ""
    return SimpleNamespace(
        head=head, request_id=b"id-1", arrived=10.0, status=status, worker_name=worker, error_code=code
    )


def test_a_line(writers: list[Writer]) -> None:
    async def main() -> None:
        log = AccessLog("-")
        log.write("203.0.113.9", entry(), 1234, 10.0125)
        log.write("unix", entry(b'/\xe9"\x1b', 0, "", b""), 0, 10.0)
        log.write("c", entry(status=504), 1, 10.0)
        log.close()

    run_virtually(main())
    stamps, lines = zip(*(line.split(" ", 1) for line in writers[0].text.splitlines()), strict=True)
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}", stamp) for stamp in stamps)
    assert lines == (
        '203.0.113.9 "GET /a?b" 200 1234 12.5ms a.example w id-1 -',
        'unix "GET /\\xE9\\x22\\x1B" - 0 0.0ms - - id-1 -',
        'c "GET /a?b" 504 1 0.0ms a.example w id-1 timeout',
    )


def test_lines_are_written_together_and_soon(writers: list[Writer]) -> None:
    async def main() -> None:
        log = AccessLog("-")
        (writer,) = writers
        log.write("c", entry(), 1, 10.0)
        await asyncio.sleep(FLUSH_AFTER_S / 2)
        log.write("c", entry(), 1, 10.0)
        assert not writer.text
        await asyncio.sleep(FLUSH_AFTER_S)
        assert writer.text.count("\n") == 2
        for _ in range(FLUSH_AT_LINES - 1):
            log.write("c", entry(), 1, 10.0)
        assert writer.text.count("\n") == 2
        log.write("c", entry(), 1, 10.0)
        assert writer.text.count("\n") == FLUSH_AT_LINES + 2
        log.write("c", entry(), 1, 10.0)
        log.close()
        assert (writer.text.count("\n"), writer.is_closed) == (FLUSH_AT_LINES + 3, True)

    run_virtually(main())


def test_what_came_before_goes_to_the_old_file(writers: list[Writer], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        log = AccessLog("-")
        (writer,) = writers
        log.write("c", entry(), 1, 10.0)
        log.reopen()
        assert (writer.text.count("\n"), writer.n_reopened) == (1, 1)
        writer.fails = True
        log.reopen()
        assert "the old one is written on" in caplog.text

    run_virtually(main())


def test_that_nobody_takes_it_is_said_once(writers: list[Writer], caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        log = AccessLog("-")
        writers[0].is_full = True
        for _ in range(3):
            log.write("c", entry(), 1, 10.0)
            log.flush()
            log.flush()
        assert log.n_dropped == 3

    with caplog.at_level(logging.WARNING):
        run_virtually(main())
    assert caplog.text.count("nobody takes the access log") == 1

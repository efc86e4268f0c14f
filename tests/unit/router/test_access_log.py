"""The access log: what a line says, when it is written, and that nothing of it can stop the router."""

import asyncio
import os
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.processes import wait_for
from tests.support.virtual_time import run_virtually
from zerogate.errors import StartError
from zerogate.router.access_log import FLUSH_AFTER_S, FLUSH_AT_LINES, AccessLog
from zerogate.wire.http.request import RequestHead


def entry(
    target: bytes = b"/a?b",
    status: int = 200,
    worker: str = "w",
    host: bytes = b"a.example",
    error: str = "",
    labels: str = "",
) -> Any:
    head = RequestHead(b"GET", target, target, host)
    return SimpleNamespace(
        head=head,
        request_id=b"id-1",
        arrived=10.0,
        status=status,
        worker_name=worker,
        worker_labels=labels,
        error_code=error,
        retries=0,
    )


def test_a_line(tmp_path: Path) -> None:
    async def main() -> None:
        log = AccessLog(str(tmp_path / "log"))
        log.write("203.0.113.9", entry(labels="version=2"), 1234, 10.0125)
        log.write("unix", entry(b'/\xe9"\\\x9b', 0, "", b"", "timeout"), 0, 10.0)
        log.close()

    run_virtually(main())
    first, second = (tmp_path / "log").read_text().splitlines()
    stamp, line = first.split(" ", 1)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}", stamp)
    assert line == '203.0.113.9 "GET /a?b" 200 1234 12.5ms a.example w id-1 - 0 version=2'
    assert second.split(" ", 1)[1] == 'unix "GET /\\xE9\\x22\\x5C\\x9B" - 0 0.0ms - - id-1 timeout 0 -'


def test_lines_are_written_together_and_soon(tmp_path: Path) -> None:
    path = tmp_path / "log"

    def wait_lines(n: int) -> None:
        wait_for(lambda: path.read_text().count("\n") == n, f"{n} lines")

    async def main() -> None:
        log = AccessLog(str(path))
        log.write("c", entry(), 1, 10.0)
        await asyncio.sleep(FLUSH_AFTER_S / 2)
        log.write("c", entry(), 1, 10.0)
        assert not path.read_text()
        await asyncio.sleep(FLUSH_AFTER_S)
        wait_lines(2)
        for _ in range(FLUSH_AT_LINES - 1):
            log.write("c", entry(), 1, 10.0)
        assert path.read_text().count("\n") == 2
        log.write("c", entry(), 1, 10.0)
        wait_lines(FLUSH_AT_LINES + 2)
        log.close()

    run_virtually(main())


def test_after_it_was_moved_away_a_new_file_is_begun(tmp_path: Path) -> None:
    async def main() -> None:
        path = tmp_path / "log"
        log = AccessLog(str(path))
        log.write("before", entry(), 1, 10.0)
        path.rename(tmp_path / "old")
        log.reopen()
        log.write("after", entry(), 1, 10.0)
        log.close()

    run_virtually(main())
    assert "before" in (tmp_path / "old").read_text()
    assert (tmp_path / "log").read_text().count("after") == 1


def test_standard_output_stays_open(capfd: pytest.CaptureFixture[str]) -> None:
    async def main() -> None:
        log = AccessLog("-")
        log.write("c", entry(), 1, 10.0)
        log.reopen()
        log.flush()
        log.flush()
        log.close()
        print("still open", flush=True)

    run_virtually(main())
    out = capfd.readouterr().out
    assert out.count("\n") == 2
    assert out.endswith("still open\n")


def test_what_cannot_be_opened() -> None:
    async def main() -> None:
        with pytest.raises(StartError, match=r"^--access-log: cannot write /nowhere/log: No such file"):
            AccessLog("/nowhere/log")

    run_virtually(main())


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_stops_nothing() -> None:
    """Nor does rotating the log or stopping then: what was lost is counted, and it goes on."""

    async def main() -> None:
        log = AccessLog("/dev/full")
        for _ in range(2):
            log.write("c", entry(), 1, 10.0)
            await asyncio.sleep(2 * FLUSH_AFTER_S)
            log.reopen()
        log.write("c", entry(), 1, 10.0)
        log.close()
        assert log.n_dropped == 3

    run_virtually(main())

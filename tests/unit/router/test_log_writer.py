"""A log whose reader is slow, gone, or never was: it waits for nobody."""

import os
from pathlib import Path

import pytest

from tests.support.processes import wait_for
from zerogate.errors import StartError
from zerogate.router.log_writer import MAX_WAITING_BYTES, LogWriter

LINE = b"x" * 1023 + b"\n"


def test_everything_is_written_in_order(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))
    lines = [b"%d\n" % number for number in range(1000)]
    assert all(writer.write(line) for line in lines)
    writer.close()
    assert path.read_bytes() == b"".join(lines)
    assert writer.n_dropped == 0


def test_what_nobody_reads_is_dropped_and_counted_and_goes_on_when_somebody_does() -> None:
    read_fd, write_fd = os.pipe()
    writer = LogWriter(f"/proc/self/fd/{write_fd}")
    n_lines = 2 * MAX_WAITING_BYTES // len(LINE)
    n_taken = sum(writer.write(LINE) for _ in range(n_lines))
    assert n_taken < n_lines
    assert writer.n_dropped == n_lines - n_taken
    n_read = 0
    while n_read < n_taken * len(LINE):
        n_read += len(os.read(read_fd, 65536))
    wait_for(lambda: writer.write(b"again\n"), "room for another line")
    assert os.read(read_fd, 100) == b"again\n"
    writer.close()
    os.close(read_fd)
    os.close(write_fd)


def test_a_pipe_whose_reader_has_gone_fails_nobody() -> None:
    read_fd, write_fd = os.pipe()
    writer = LogWriter(f"/proc/self/fd/{write_fd}")
    os.close(read_fd)
    assert writer.write(b"one\ntwo\n")
    wait_for(lambda: writer.n_dropped == 2, "two lines counted")
    writer.close()
    os.close(write_fd)


@pytest.mark.slow
def test_closing_waits_for_nobody_for_ever() -> None:
    read_fd, write_fd = os.pipe()
    writer = LogWriter(f"/proc/self/fd/{write_fd}")
    while writer.write(LINE):
        pass
    writer.close()
    os.close(read_fd)
    os.close(write_fd)


def test_a_moved_file_is_opened_anew_between_two_lines(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer = LogWriter(str(path))
    writer.write(b"before\n")
    wait_for(lambda: path.read_bytes() == b"before\n", "the first line")
    path.rename(tmp_path / "old")
    writer.reopen()
    writer.write(b"after\n")
    writer.close()
    assert (tmp_path / "old").read_bytes() + path.read_bytes() == b"before\nafter\n"


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="cannot write"):
        LogWriter(str(tmp_path / "no" / "log"))
    writer = LogWriter(str(tmp_path / "log"))
    (tmp_path / "log").unlink()
    (tmp_path / "log").mkdir()
    with pytest.raises(StartError, match="Is a directory"):
        writer.reopen()
    assert writer.write(b"still\n")
    writer.close()


def test_a_fifo_that_nobody_reads_is_refused_and_keeps_nobody_waiting(tmp_path: Path) -> None:
    """Opened as other files are, it would stop the event loop until somebody reads."""
    path = tmp_path / "fifo"
    os.mkfifo(path)
    with pytest.raises(StartError, match="nobody reads"):
        LogWriter(str(path))
    read_fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LogWriter(str(path))
    os.close(read_fd)
    with pytest.raises(StartError, match="nobody reads"):
        writer.reopen()
    writer.close()


def test_a_fifo_s_slow_reader_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path)
    read_fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(read_fd, True)
    writer = LogWriter(str(path))
    n_lines = MAX_WAITING_BYTES // len(LINE) // 2
    assert all(writer.write(LINE) for _ in range(n_lines))
    n_read = 0
    while n_read < n_lines * len(LINE):
        n_read += len(os.read(read_fd, 65536))
    assert writer.n_dropped == 0
    writer.close()
    os.close(read_fd)

"""What a process has of its system."""

import ctypes
import os
import resource
import subprocess
import sys

import pytest

from zerogate.process import MAX_FDS, keep_freed_memory, open_statm, raise_fd_limit, resident_bytes

LIMITS = "import resource; from zerogate.process import raise_fd_limit; "
LIMITS += "print(raise_fd_limit(), *resource.getrlimit(resource.RLIMIT_NOFILE))"


@pytest.mark.parametrize(
    ("soft", "hard", "expected"), [(64, 256, "256 256 256\n"), (256, 256, "256 256 256\n")], ids=["lower", "equal"]
)
def test_the_soft_limit_is_raised_to_the_hard_one(soft: int, hard: int, expected: str) -> None:
    limits = f"ulimit -Sn {soft} && ulimit -Hn {hard}"
    done = subprocess.run(
        ["sh", "-c", f'{limits} && exec "$0" -c "$1"', sys.executable, LIMITS],
        capture_output=True,
        text=True,
        timeout=20,
        check=True,
    )
    assert done.stdout == expected


@pytest.mark.parametrize(
    ("limits", "wanted", "raised"),
    [
        ((1024, resource.RLIM_INFINITY), MAX_FDS, (MAX_FDS, resource.RLIM_INFINITY)),
        ((1024, 1 << 30), MAX_FDS, (MAX_FDS, 1 << 30)),
        ((1 << 29, 1 << 30), 1 << 29, None),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), MAX_FDS, None),
    ],
    ids=["no hard limit", "a hard limit of a billion", "a soft limit that is enough", "no limit"],
)
def test_it_is_not_raised_beyond_measure(
    monkeypatch: pytest.MonkeyPatch, limits: tuple[int, int], wanted: int, raised: tuple[int, int] | None
) -> None:
    calls = []
    monkeypatch.setattr(resource, "getrlimit", lambda kind: limits)
    monkeypatch.setattr(resource, "setrlimit", lambda kind, limits: calls.append(limits))
    assert raise_fd_limit() == wanted
    assert calls == ([raised] if raised else [])


def test_a_system_that_refuses_leaves_it_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(kind: int, limits: tuple[int, int]) -> None:
        raise ValueError("current limit exceeds maximum limit")

    monkeypatch.setattr(resource, "getrlimit", lambda kind: (256, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", refuse)
    assert raise_fd_limit() == 256


# How many pages the kernel has to make for 200 reads of 256 KiB, each given back before the next.
FAULTS = """
import resource, sys
from zerogate.process import keep_freed_memory
if "keep" in sys.argv:
    assert keep_freed_memory()
def read():
    pieces = [bytes(bytearray(b"x") * 100_000) for _ in range(5)]
for _ in range(50):
    read()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    read()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "gnu_get_libc_version"), reason="it is glibc's")
def test_freed_memory_is_kept_for_the_next() -> None:
    def faults(*arguments: str) -> int:
        done = subprocess.run(
            [sys.executable, "-c", FAULTS, *arguments], capture_output=True, text=True, timeout=20, check=True
        )
        return int(done.stdout)

    assert 10 * faults("keep") < faults()


def test_other_libraries_have_no_such_option(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda name: object())
    assert not keep_freed_memory()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere there is no /proc")
def test_memory_is_what_the_kernel_says() -> None:
    # The most that there was is never less, but for what the kernel counts late.
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    statm_fd = open_statm()
    assert 1 << 20 < resident_bytes(statm_fd) < most + (8 << 20)
    os.close(statm_fd)

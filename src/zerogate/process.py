"""What a process has of its system: standard streams, file descriptors, a terminal."""

import contextlib
import ctypes
import os
import resource
import sys
from typing import TextIO

from zerogate.errors import UsageError

STDIN_FD, STDOUT_FD, STDERR_FD = range(3)

# As many as Linux gives a process that asks for all (fs.nr_open). Where the hard limit is a billion, as in containers,
# a soft one of a billion would only slow down what walks through all descriptors.
MAX_FDS = 1024 * 1024


# glibc's names for its options (malloc.h), and what they are set to. Blocks of MMAP_BYTES and more are given back at
# once; 32 MiB is how far glibc would go of itself, if it were not told when to trim.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
KEPT_BYTES = 8 * 1024 * 1024
HEAP_STEP_BYTES = 1024 * 1024
MMAP_BYTES = 32 * 1024 * 1024


def open_standard_streams() -> None:
    """Make descriptors 0 to 2 valid, and sys.stdin, stdout and stderr with them.

    Whoever is started with one of them closed would hand its number to the next file that is opened: to the event
    loop's, which then closes when a library prints, or gets what it prints.
    """
    for fd, name, mode in ((STDIN_FD, "stdin", "r"), (STDOUT_FD, "stdout", "w"), (STDERR_FD, "stderr", "w")):
        if not _is_open(fd):
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one
            os.set_inheritable(fd, True)
        if getattr(sys, name) is None:
            setattr(sys, name, open(fd, mode, closefd=False))  # noqa: SIM115 (open for as long as the process is)


def write_whole(fd: int, data: bytes) -> None:
    """Write with one system call, so that what two processes write does not mix; never fatal.

    Where nobody takes it (the disk is full, the reader has gone), it is lost.
    """
    view = memoryview(data)
    with contextlib.suppress(OSError):
        while view:
            view = view[os.write(fd, view) :]


def flush_output() -> None:
    """Write what is left for standard output, or drop it: else the interpreter would try again, and fail at its end."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            _drop(stream)


def _drop(stream: TextIO) -> None:
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def keep_freed_memory() -> bool:
    """Have the C library keep what is freed, up to KEPT_BYTES, for the next who needs it. False if it is not glibc.

    Of itself it gives the top of its heap back as soon as 128 KiB of it are free. Bodies come in pieces of more, and
    for each of them the kernel would take 64 pages away, to clear 64 others for the next: half of the router's CPU.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    options = {M_TRIM_THRESHOLD: KEPT_BYTES, M_TOP_PAD: HEAP_STEP_BYTES, M_MMAP_THRESHOLD: MMAP_BYTES}
    return all(mallopt(option, value) for option, value in options.items())


def raise_fd_limit() -> int:
    """Raise the soft limit of open files as far as it goes. Returns how many this process may have open.

    A connection is a descriptor: who takes `n` connections needs as many, and some for itself.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FDS if hard == resource.RLIM_INFINITY else min(hard, MAX_FDS)
    if soft == resource.RLIM_INFINITY:
        return MAX_FDS
    if soft < wanted:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        except (OSError, ValueError):  # macOS has a lower limit than it says
            return soft
    return max(soft, wanted)


def open_statm() -> int:
    """A descriptor for `resident_bytes`. Raises OSError, for example where there is no /proc."""
    return os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)


def resident_bytes(statm_fd: int) -> int:
    """How much memory this process has now: also when it has no descriptor left to open anything with."""
    return int(os.pread(statm_fd, 256, 0).split()[1]) * resource.getpagesize()


def current_folder() -> str:
    """Where this process is. Raises UsageError if that has been taken away."""
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise UsageError("the current folder is not there any more") from None


def has_terminal() -> bool:
    """Whether there is a terminal that this process can be stopped from."""
    try:
        fd = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    os.close(fd)
    return True


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True

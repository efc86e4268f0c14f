"""What a process and the children that it starts have to know of each other.

A parent gives each child two pipes: one to hear from it, and one to be told how the child got on. On the first,
STOPPING is said when the parent stops its children one after the other; that it closes means that the parent is gone,
however it went. The second carries WORDS, each in a line, or why the child could not start.
"""

import contextlib
import functools
import os
import select
import signal
import sys

from zerogate.settings.environment import PREFIX

# Pipes of the parent's.
PARENT_FD_VARIABLE = f"{PREFIX}PARENT_FD"
REPORT_FD_VARIABLE = f"{PREFIX}REPORT_FD"

# Before that a worker may say what it has found; the line ends with it.
FOUND = b"found "

# A channel beyond what every child has, for one of several processes that are a router together.
SEAT_FD_VARIABLE = f"{PREFIX}SEAT_FD"

STARTED = b"started\n"
# Said by a worker: a router has taken it; none has it any more; and why it should be replaced by another process.
JOINED = b"joined\n"
PARTED = b"parted\n"
WORN = b"worn "

WORDS = (FOUND, STARTED, JOINED, PARTED, WORN)

STOPPING = b"s"
# Said by a router that a successor has taken over from: it will end, and is not to be started again.
REPLACED = b"replaced\n"

_PR_SET_PDEATHSIG = 1  # prctl(2)


def child_command(*arguments: str) -> list[str]:
    """The command of a child: `zerogate ARGUMENTS`, by the same Python.

    -P: `python -m` would put the current folder before all others, and a file there that is called `logging.py` would
    be everybody's logging.
    """
    return [sys.executable, "-P", "-m", "zerogate", *arguments]


def become_child() -> None:
    """Take what a parent has handed over, if there is one, and never outlive it. To be called before anything else."""
    parent_fd = parent_pipe()
    report_pipe()
    seat_channel()
    if parent_fd is not None and sys.platform == "linux":
        _die_with_parent(parent_fd)


def parent_pipe() -> int | None:
    """To hear from the parent. None if there is none that wants to be heard."""
    return _take_fd(PARENT_FD_VARIABLE)


def report_pipe() -> int | None:
    """To tell the parent. None if there is none that wants to know."""
    return _take_fd(REPORT_FD_VARIABLE)


def seat_channel() -> int | None:
    """To hear from the parent what seat this process has among others. None if it has none."""
    return _take_fd(SEAT_FD_VARIABLE)


def report(message: bytes) -> None:
    """Tell the parent, if it wants to know."""
    fd = report_pipe()
    if fd is not None:
        with contextlib.suppress(OSError):
            os.write(fd, message)


def next_word(heard: bytes) -> tuple[bytes, bytes, bytes] | None:
    """The first of WORDS in what a child has said, the rest of its line, and all behind it. None if there is none.

    What is none of WORDS, or not yet a whole line, stays.
    """
    line, end, behind = heard.partition(b"\n")
    word = next((word for word in WORDS if end and (line + end).startswith(word)), None)
    return None if word is None else (word, (line + end).removeprefix(word).removesuffix(end), behind)


@functools.cache
def _take_fd(variable: str) -> int | None:
    """A pipe of the parent's, for this process alone: what an application starts must find neither pipe nor variable.

    Cached, because the variable is gone once it has been read: which has to be before the application is imported.
    """
    try:
        fd = int(os.environ.pop(variable))
        os.set_inheritable(fd, False)
    except (KeyError, ValueError, OSError):
        return None
    return fd


def _die_with_parent(parent_fd: int) -> None:
    """Be killed with the parent, even if something blocks us so that we would not see the pipe close.

    Elsewhere than on Linux the pipe has to do.
    """
    import ctypes  # dear, and not for everybody

    with contextlib.suppress(AttributeError, OSError):  # a libc without it, or none
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    # It may have gone before that: then nobody tells us any more.
    poll = select.poll()
    poll.register(parent_fd, 0)
    if any(events & (select.POLLHUP | select.POLLERR) for _, events in poll.poll(0)):
        os.kill(os.getpid(), signal.SIGKILL)

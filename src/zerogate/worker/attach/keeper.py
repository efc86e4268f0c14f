"""Runs one command and takes its whole process group along when the parent is gone, however it went.

A program of its own, started by its path: it imports nothing of the package, which `python -I -S` does not find, and
so is up in an instant.

    keeper.py PARENT_FD COMMAND...

PARENT_FD is the end of a pipe that the parent holds the other end of, and nobody else: when that closes, the command
and everything that it has started in its group is killed. SIGTERM and SIGINT are passed on to the command alone, which
may pass them on in its own way (to be told twice means "at once" to many); what it leaves behind is killed. The exit
code is its own, or 128 and the signal that has ended it; 126 or 127 if it could not be run, as from a shell.

The kernel's PR_SET_PDEATHSIG alone would take the command, and not what `npm start` or a shell script has started. It
is set all the same, for who kills the keeper.
"""

import contextlib
import os
import select
import signal
import sys

CANNOT_RUN = 126
NOT_FOUND = 127
PR_SET_PDEATHSIG = 1  # prctl(2)


def main(parent_fd: int, command: list[str]) -> int:
    """The exit code."""
    os.set_inheritable(parent_fd, False)
    wakeup_fd, woken_fd = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else _pipe()
    signal.set_wakeup_fd(woken_fd)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        _become(command)
    # In both processes, so that neither comes too late.
    with contextlib.suppress(OSError):
        os.setpgid(child, child)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: _tell(child, number))
    # A terminal's end is the parent's matter.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    while True:
        readable, _, _ = select.select([parent_fd, wakeup_fd], [], [])
        if parent_fd in readable:
            _kill(child)
        elif wakeup_fd in readable:
            os.read(wakeup_fd, 512)
        found, status = os.waitpid(child, 0 if parent_fd in readable else os.WNOHANG)
        if found:
            _kill(child)
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


def _become(command: list[str]) -> None:
    """Be the command, in the child."""
    try:
        os.setpgid(0, 0)
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGCHLD, signal.SIGPIPE, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        _die_with_parent()
        os.execvp(command[0], command)
    except FileNotFoundError as error:
        _complain(command, error)
        os._exit(NOT_FOUND)
    except OSError as error:
        _complain(command, error)
    finally:
        os._exit(CANNOT_RUN)


def _complain(command: list[str], error: OSError) -> None:
    os.write(2, f"zerogate: {command[0]}: {error.strerror}\n".encode("utf-8", "backslashreplace"))


def _die_with_parent() -> None:
    if sys.platform == "linux":
        import ctypes

        with contextlib.suppress(AttributeError, OSError):  # a libc without it
            ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _tell(child: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(child, number)


def _kill(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for fd in ends:
        os.set_blocking(fd, False)
    return ends


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))

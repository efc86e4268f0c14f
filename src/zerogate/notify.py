"""Telling the service manager how it goes (sd_notify(3)), where there is one that wants to know.

Only the process that it has started speaks: what that one starts finds no variable.
"""

import contextlib
import functools
import os
import socket
from collections.abc import Callable

VARIABLE = "NOTIFY_SOCKET"
WATCHDOG_VARIABLES = ("WATCHDOG_USEC", "WATCHDOG_PID")

READY = "READY=1"
STOPPING = "STOPPING=1"
WATCHDOG = "WATCHDOG=1"


def notify(*lines: str) -> None:
    """Say it, if somebody wants to know. Never fatal, and waits for nobody."""
    address = _address()
    if not address:
        return
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        # A name with an @ has no file: the kernel's own form begins with a NUL (unix(7)).
        sock.sendto("\n".join(lines).encode(), f"\0{address[1:]}" if address.startswith("@") else address)


def main_pid(pid: int) -> str:
    """Which process the unit is about from now on: a router that has taken over from another one."""
    return f"MAINPID={pid}"


def notify_reloading(monotonic_ns: int) -> None:
    """What it runs with is about to change (SIGHUP); `READY` ends it. The time tells one reload from another."""
    notify("RELOADING=1", f"MONOTONIC_USEC={monotonic_ns // 1000}")


@functools.cache
def watchdog_s() -> float:
    """How often to say WATCHDOG: half of what the unit allows (sd_watchdog_enabled(3)). 0.0 if it does not ask."""
    usec, pid = (os.environ.pop(name, "") for name in WATCHDOG_VARIABLES)
    if not usec.isdigit() or (pid and pid != str(os.getpid())):
        return 0.0
    return int(usec) / 2_000_000


def take() -> None:
    """Take the variables out of the environment, before anything is started that would believe they are for it."""
    _address()
    watchdog_s()


def keep_alive(call_later: Callable[..., object]) -> None:
    """Say WATCHDOG from now on, if the unit asks for it: for as long as the event loop goes on."""
    seconds = watchdog_s()
    if seconds:
        notify(WATCHDOG)
        call_later(seconds, keep_alive, call_later)


@functools.cache
def _address() -> str:
    return os.environ.pop(VARIABLE, "")

"""Every setting, once: its default, its unit and its help. The command line and the environment are made from these.

`--queue-timeout` on the command line is `queue_timeout` here and `ZEROGATE_QUEUE_TIMEOUT` in the environment.
"""

import dataclasses
import os
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from zerogate.errors import UsageError

KIB = 1024
MIB = 1024 * KIB

_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?", re.ASCII)
_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, None: 1.0}
_SIZE = re.compile(r"(\d+)\s*(?:([kmg])(?:i?b)?|b)?", re.ASCII | re.IGNORECASE)
_SIZE_UNITS = {"k": KIB, "m": MIB, "g": 1024 * MIB, None: 1}


def parse_duration(text: str) -> float:
    """Seconds in `30`, `30s`, `500ms`, `2m` or `1h`. Raises UsageError."""
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a duration: write seconds, or a number with ms, s, m or h")
    return float(match[1]) * _DURATION_UNITS[match[2]]


def parse_size(text: str) -> int:
    """Bytes in `65536`, `64k`, `16M` or `1GiB` (powers of 1024). Raises UsageError."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise UsageError(f"{text!r} is not a size: write bytes, or a number with k, M or G")
    return int(match[1]) * _SIZE_UNITS[match[2].lower() if match[2] else None]


def parse_count(text: str) -> int:
    """A whole number, 0 or more. Raises UsageError."""
    if not text.isascii() or not text.isdigit():
        raise UsageError(f"{text!r} is not a whole number")
    return int(text)


def option(
    default: Any,
    help: str,
    *,
    parse: Callable[[str], Any] | None = None,
    choices: tuple[str, ...] = (),
    hidden: bool = False,
) -> Any:
    """A dataclass field that is also a command-line option. `parse` makes the value from text."""
    metadata = {"help": help, "parse": parse, "choices": choices, "hidden": hidden}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def duration(default: float, help: str) -> Any:
    return option(default, help, parse=parse_duration)


def count(default: int, help: str, *, hidden: bool = False) -> Any:
    return option(default, help, parse=parse_count, hidden=hidden)


def size(default: int | None, help: str) -> Any:
    return option(default, help, parse=parse_size)


@dataclass(frozen=True)
class LinkSettings:
    """What both ends of a link can set."""

    suspect_after: float = duration(3.0, "Silence after which a link is suspect: no new streams.")
    lost_after: float = duration(15.0, "Silence after which a link is lost.")
    handshake_timeout: float = duration(5.0, "Time for the ZMTP handshake and the join.")
    stream_window: int = size(256 * KIB, "Bytes of one stream that may be under way unread.")
    session_window: int = size(16 * MIB, "Bytes of one link that may be under way unread.")
    loop: str = option(
        "auto", "Event loop: auto (uvloop if installed), uvloop or asyncio.", choices=("auto", "uvloop", "asyncio")
    )
    log_level: str = option("info", "What is logged, to standard error.", choices=("debug", "info", "warning", "error"))
    last_stream_id: int = count(2**31 - 1, "Stream ids end here; a new link takes over.", hidden=True)


@dataclass(frozen=True)
class RouterSettings(LinkSettings):
    """`zerogate router`."""

    http: tuple[str, ...] = option(("127.0.0.1:9000",), "HOST:PORT to take HTTP on. Repeatable.")
    bind: tuple[str, ...] = option(
        ("tcp://127.0.0.1:8000",), "Endpoint that workers dial: tcp://HOST:PORT or ipc://PATH. Repeatable."
    )
    admin: str = option("127.0.0.1:9001", "HOST:PORT of status and metrics, or off.")
    name: str = option(lambda: f"{socket.gethostname()}-{os.getpid()}", "What workers and logs call this router.")
    advertise: tuple[str, ...] = option((), "Endpoint of another router that workers should dial as well. Repeatable.")
    access_log: str = option("-", "Where requests are logged: - (standard output), a PATH, or off.")
    trust: tuple[str, ...] = option(
        (), "Address or network of a proxy whose x-forwarded-* and x-request-id are believed. Repeatable."
    )
    insecure: bool = option(False, "Take workers without keys on any address.")

    timeout: float = duration(60.0, "Time for a worker to begin its reply: 504 after it.")
    idle_timeout: float = duration(60.0, "Silence amid a reply before it is cut.")
    head_timeout: float = duration(10.0, "Time for a client to send a request's head: 408 after it.")
    body_timeout: float = duration(60.0, "Silence amid a request's body before the client is cut off.")
    min_body_rate: int = count(
        500, "Bytes a second that a client must send of a body, or take of a reply, on average; 0 for no such limit."
    )
    keepalive_timeout: float = duration(75.0, "Time between requests before the connection is closed.")
    queue_timeout: float = duration(30.0, "Time a request may wait for a worker: 503 after it.")
    queue_size: int = count(1024, "Requests that may wait for a worker of one route.")
    queue_bytes: int = size(64 * MIB, "Bytes of requests that may wait for a worker of one route.")
    hold: float = duration(60.0, "Time that a route waits for a worker after its last one left.")
    settle: float = duration(5.0, "Time after the start in which requests wait for unknown routes.")
    grace: float = duration(30.0, "Time to finish what is in flight when stopping.")
    retries: int = count(2, "How often a request is sent to another worker after a loss.")
    retry_bytes: int = size(64 * KIB, "Bytes of a request's body kept for that.")
    max_failures: int = count(5, "Failures in a row after which a worker is passed over.")
    rest: float = duration(30.0, "How long it is passed over, the first time; 30 s longer each further time.")

    max_head: int = size(64 * KIB, "Bytes of a request's head: 431 past it.")
    max_fields: int = count(100, "Fields of a request: 431 past it.")
    max_target: int = size(16 * KIB, "Bytes of a request's target: 414 past it.")
    max_body: int | None = size(None, "Bytes of a request's body: 413 past it. Default: no limit.")
    max_clients: int = count(10_000, "Client connections at once; more get 503.")
    max_links: int = count(1024, "Links at once; more are turned away.")
    max_routes: int = count(128, "Routes that one worker may serve.")


@dataclass(frozen=True)
class WorkerSettings(LinkSettings):
    """`zerogate worker`, `zerogate hello`."""

    connect: tuple[str, ...] = option(
        ("tcp://127.0.0.1:8000",), "Endpoint of a router: tcp://HOST:PORT or ipc://PATH. Repeatable."
    )
    name: str = option(lambda: f"{socket.gethostname()}-{os.getpid()}", "What routers and logs call this worker.")
    route: tuple[str, ...] = option(("*",), "What it serves: *, host, host/prefix, /prefix, *.host/prefix. Repeatable.")
    weight: int = count(100, "Share of the requests, 1 to 1000, relative to other workers.")
    concurrency: int = count(100, "Requests taken at once.")
    processes: int = count(1, "Worker processes.")
    grace: float = duration(30.0, "Time to finish what is in flight when stopping.")
    cancel_after: float = duration(5.0, "Time for the application to hear of a client that left, before its task ends.")
    lifespan: str = option("auto", "The application's start-up and shutdown events.", choices=("auto", "on", "off"))
    root_path: str = option("", "ASGI root_path: the prefix that the application is mounted at.")
    redial_min: float = duration(0.05, "Shortest wait before dialling again.")
    redial_max: float = duration(1.0, "Longest wait before dialling again.")


def environment_name(setting: str) -> str:
    """The environment variable of a setting."""
    return f"ZEROGATE_{setting.upper()}"


def to_environment(settings: LinkSettings) -> dict[str, str]:
    """The settings as environment variables, for a child process."""
    environment = {}
    for f in dataclasses.fields(settings):
        value = getattr(settings, f.name)
        if value is not None:
            environment[environment_name(f.name)] = " ".join(value) if isinstance(value, tuple) else str(value)
    return environment


def options_of(settings: type[LinkSettings]) -> list["dataclasses.Field[Any]"]:
    """The fields of a settings class that are command-line options, those of its own before the link's."""
    fields = list(dataclasses.fields(settings))
    own = [f for f in fields if f.name in settings.__annotations__]
    return own + [f for f in fields if f not in own]

"""What a worker can set, noun by noun."""

import re
import sys
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.cores import n_cores
from zerogate.settings.endpoint import parse_endpoint
from zerogate.settings.kinds import MIB
from zerogate.settings.link import LinkSettings, ProcessSettings
from zerogate.settings.option import (
    Settings,
    announced_duration,
    choice,
    count,
    duration,
    flag,
    percentage,
    size,
    text,
    texts,
)
from zerogate.settings.renewal import ReloadSettings, RenewalSettings
from zerogate.settings.router import DEFAULT_BIND, process_name

# protocol.md, Joining.
MAX_WEIGHT = 1000
MAX_LABELS = 16
_LABEL = re.compile(r"[A-Za-z0-9._-]{1,64}=[A-Za-z0-9._-]{1,64}", re.ASCII)
_STICKY = re.compile(r"cookie|client|header:[A-Za-z0-9-]{1,64}", re.ASCII)
# A session takes 65,536 streams of its peer's, and requests are among them (wire/spdy/session.py).
MAX_TUNNELS = 60_000
# More processes than any machine has cores are a slip of the finger, and a machine that does not answer any more.
MAX_PROCESSES = 1024
# What uvicorn and gunicorn call them.
PROCESSES_VARIABLE = "WEB_CONCURRENCY"
PROCESSES_ALIASES = ("--workers", "-w")
# Threads mostly wait, for a database or a client, so there are more than cores; but each costs memory, and each that
# computes takes turns with all others at one interpreter.
THREADS_PER_CORE = 4
MAX_DEFAULT_THREADS = 32
MAX_THREADS = 1024


def default_threads() -> int:
    return min(THREADS_PER_CORE * n_cores(), MAX_DEFAULT_THREADS)


def check_prefix(text: str) -> None:
    """Raises UsageError for what could not be the beginning of a path."""
    try:
        text.encode()
    except UnicodeEncodeError:  # it came as octets of something else
        raise UsageError("not a text in UTF-8") from None
    if text and not text.startswith("/"):
        raise UsageError(f"a path begins with /: write /{text}")


@dataclass(frozen=True, eq=False, repr=False)
class DialSettings(Settings):
    """Dialling."""

    connect: tuple[str, ...] = texts(
        (DEFAULT_BIND,),
        "Endpoint of a router: tcp://HOST:PORT or ipc://PATH.",
        metavar="ENDPOINT",
        check=parse_endpoint,
    )
    key: str = text(
        "",
        "File with this worker's secret key; in the environment also the key itself.",
        metavar="FILE",
        is_secret=True,
    )
    router_key: str = text("", "The router's public key, which goes with --key.", metavar="KEY")
    redial_min: float = duration(0.05, "Shortest wait before dialling again.")
    redial_max: float = duration(1.0, "Longest wait before dialling again.")
    redial_refused: float = duration(
        30.0, "Longest wait where a router refuses this worker, or what listens says nothing."
    )
    state: str = text(
        "",
        "Folder to remember routers in that others have named, for the next start; or off.",
        metavar="DIR",
        default_words="~/.local/state/zerogate",
    )
    own_router: int = count(
        0,
        "1: one command starts router and workers, and says itself what becomes of them.",
        zero="no",
        high=1,
        is_hidden=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.redial_max < self.redial_min:
            raise UsageError(f"{self.written('redial_max')}: at least {self.written('redial_min')}")
        if self.redial_refused < self.redial_min:
            raise UsageError(f"{self.written('redial_refused')}: at least {self.written('redial_min')}")
        if bool(self.key) is not bool(self.router_key):
            raise UsageError(
                "--key and --router-key go together: a worker and its router know each other by their keys"
            )


@dataclass(frozen=True, eq=False, repr=False)
class ServeSettings(Settings):
    """Serving."""

    name: str = text(process_name, "What routers and logs call this worker.", metavar="NAME", default_words="HOST-PID")
    route: tuple[str, ...] = texts(
        ("*",), "What it serves: *, host, host/prefix, /prefix or *.host/prefix.", metavar="ROUTE"
    )
    weight: int = count(100, "Share of the requests, relative to other workers.", high=MAX_WEIGHT)
    share: float | None = percentage(
        "Of the route's requests, whatever the load: all workers with the same labels have it together.",
        off="as everybody, by weight",
    )
    label: tuple[str, ...] = texts(
        (), "What it is, for people and for --share: version=2. Shown wherever the worker is.", metavar="NAME=VALUE"
    )
    sticky: str = text(
        "",
        "Clients come back to the worker that has had them, known by a cookie, by a header, or by their address. "
        "Default: they do not.",
        metavar="cookie|header:NAME|client",
    )
    concurrency: int = count(100, "Requests taken at once by each process, unless its application is WSGI.")
    threads: int = count(
        default_threads,
        "Threads of a WSGI application, in each process: so many requests are taken at once.",
        high=MAX_THREADS,
        default_words="4 for each core, at most 32",
    )
    max_tunnels: int = count(
        10_000,
        "WebSockets and event streams of each process that count for themselves; more count as requests.",
        zero="all are requests",
        high=MAX_TUNNELS,
    )
    processes: int = count(
        1,
        "Worker processes.",
        high=MAX_PROCESSES,
        auto=n_cores,
        auto_words="the number of cores",
        variable=PROCESSES_VARIABLE,
        aliases=PROCESSES_ALIASES,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        names = [label.partition("=")[0] for label in self.label]
        if wrong := [label for label in self.label if not _LABEL.fullmatch(label)]:
            raise UsageError(f"--label {wrong[0]}: NAME=VALUE, each up to 64 of A-Z a-z 0-9 . _ -")
        if len(names) > MAX_LABELS or len(set(names)) < len(names):
            raise UsageError(f"--label: at most {MAX_LABELS}, and each name once")
        if self.sticky and not _STICKY.fullmatch(self.sticky):
            raise UsageError(f"--sticky {self.sticky}: cookie, client or header:NAME")


@dataclass(frozen=True, eq=False, repr=False)
class ApplicationSettings(Settings):
    """Application."""

    app_dir: str = text(
        "", "Folder to find APP in, before all others. Default: the current one, after all others.", metavar="DIR"
    )
    interface: str = choice("auto", "How APP is called; auto finds out.", words=("auto", "asgi3", "asgi2", "wsgi"))
    factory: bool = flag("APP is called to make the application, as MODULE:ATTRIBUTE() says too.")
    env_file: str = text(
        "", "File of NAME=value lines, set for the application where the environment has no NAME.", metavar="PATH"
    )
    lifespan: str = choice("auto", "The application's start-up and shutdown events.", words=("auto", "on", "off"))
    strip_prefix: bool = flag("Take the route's prefix off the path; the application hears of it as its root path.")
    root_path: str = text(
        "",
        "The prefix that the application is mounted at: ASGI's root_path, WSGI's SCRIPT_NAME.",
        metavar="PREFIX",
        check=check_prefix,
    )
    cancel_after: float = duration(
        5.0, "Time for the application to hear of a client that left, before its task ends.", zero="none"
    )


@dataclass(frozen=True, eq=False, repr=False)
class WebSocketSettings(Settings):
    """WebSocket."""

    ws_max_size: int = size(16 * MIB, "Bytes of a message, inflated: closed with 1009 past it.")
    ws_ping_interval: float = duration(20.0, "Time between pings to a client.", off="no pings")
    ws_ping_timeout: float = duration(
        20.0, "Time for a client to say or take anything after a ping: closed with 1011 after it.", off="no limit"
    )
    ws_deflate: bool = flag("Compress messages for clients that offer it (permessage-deflate).")


@dataclass(frozen=True, eq=False, repr=False)
class AnnouncedSettings(Settings):
    """What routers are told."""

    timeout: float | None = announced_duration(
        "Time for this worker to begin a reply: 504 after it.", off="no limit", default_words="the router's"
    )
    idle_timeout: float | None = announced_duration(
        "Silence amid a reply of this worker before it is cut.", off="no limit", default_words="the router's"
    )
    max_body: int | None = size(None, "Bytes of a request's body that this worker takes: 413 past it.", off="no limit")


@dataclass(frozen=True, eq=False, repr=False)
class WorkerSettings(
    DialSettings,
    ServeSettings,
    ApplicationSettings,
    WebSocketSettings,
    AnnouncedSettings,
    RenewalSettings,
    ReloadSettings,
    LinkSettings,
    ProcessSettings,
):
    """`zerogate worker`."""

    @property
    def needs_supervisor(self) -> bool:
        """Whether there is something to do for somebody who outlives a worker process."""
        return self.processes > 1 or self.reload or self.max_requests < sys.maxsize or self.max_memory is not None

"""What the other commands can set."""

import math
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.cores import n_cores, n_router_processes
from zerogate.settings.endpoint import parse_address, parse_endpoint
from zerogate.settings.files import StaticSettings
from zerogate.settings.option import Settings, count, duration, flag, text, texts
from zerogate.settings.router import (
    DEFAULT_ADMIN,
    DEFAULT_BIND,
    DEFAULT_HTTP,
    MAX_ROUTER_PROCESSES,
    RouterSettings,
    check_token,
)
from zerogate.settings.worker import MAX_PROCESSES, PROCESSES_ALIASES, PROCESSES_VARIABLE, WorkerSettings

# Where one binds, and nobody dials.
EVERY_ADDRESS = ("", "0.0.0.0", "::")


@dataclass(frozen=True, eq=False, repr=False)
class RunSettings(RouterSettings, WorkerSettings, StaticSettings):
    """`zerogate run`: other than for a router or a worker alone."""

    bind: tuple[str, ...] = texts(
        (),
        "Endpoint for more workers to dial: tcp://HOST:PORT or ipc://PATH. Default: none.",
        metavar="ENDPOINT",
        check=parse_endpoint,
    )
    # An application of one's own, and nobody else's: how long it takes is its own matter.
    timeout: float = duration(math.inf, "Time for a worker to begin its reply: 504 after it.", off="no limit")
    idle_timeout: float = duration(math.inf, "Silence amid a reply before it is cut.", off="no limit")
    processes: int = count(
        n_cores,
        "Worker processes.",
        high=MAX_PROCESSES,
        auto=n_cores,
        auto_words="the number of cores",
        variable=PROCESSES_VARIABLE,
        aliases=PROCESSES_ALIASES,
    )
    router_processes: int = count(
        n_router_processes,
        "Router processes, which share the addresses.",
        high=MAX_ROUTER_PROCESSES,
        auto=n_router_processes,
        auto_words="by the cores: 1 below 4, else a quarter, and at least 2",
    )


@dataclass(frozen=True, eq=False, repr=False)
class DemoSettings(Settings):
    """`zerogate demo`."""

    http: str = text(DEFAULT_HTTP, "Address to take HTTP on.", metavar="HOST:PORT", check=parse_address)
    bind: str = text(DEFAULT_BIND, "Endpoint that workers dial.", metavar="ENDPOINT", check=parse_endpoint)
    admin: str = text(DEFAULT_ADMIN, "Address of the router's status.", metavar="HOST:PORT", check=parse_address)
    once: bool = flag("End after the last step.")


def check_dialled(text: str) -> None:
    """Where another machine would dial. Raises UsageError for what is only where one binds."""
    endpoint = parse_endpoint(text)
    if not endpoint.path and (endpoint.host in EVERY_ADDRESS or not endpoint.port):
        raise UsageError("that is where a router binds: write the name or address, and the port, that workers dial")


@dataclass(frozen=True, eq=False, repr=False)
class KeySettings(Settings):
    """Keys."""

    keys: str = text(
        "",
        "Folder with the router's key and the list of its workers' (`zerogate keys`).",
        metavar="DIR",
        default_words="~/.config/zerogate/keys",
    )


@dataclass(frozen=True, eq=False, repr=False)
class WorkerKeySettings(KeySettings):
    """A worker's key."""

    route: tuple[str, ...] = texts(
        ("*",), "What the key is for: *, host, host/prefix, /prefix or *.host/prefix, and all below.", metavar="ROUTE"
    )
    connect: str = text(
        "tcp://ROUTER:8000", "Where the worker will find the router.", metavar="ENDPOINT", check=check_dialled
    )


@dataclass(frozen=True, eq=False, repr=False)
class RotationSettings(KeySettings):
    """A change of the router's key."""

    finish: bool = flag("Every worker has the new key: forget the old one.")


@dataclass(frozen=True, eq=False, repr=False)
class CheckSettings(Settings):
    """`zerogate check`."""

    answer_timeout: float = duration(1.0, "Time for each process to answer.")


@dataclass(frozen=True, eq=False, repr=False)
class StatusSettings(Settings):
    """`zerogate status`."""

    admin: str = text(DEFAULT_ADMIN, "Address of the router's status.", metavar="HOST:PORT", check=parse_address)
    admin_token: str = text("", "The router's --admin-token, if it has one.", metavar="TOKEN", is_secret=True)
    json: bool = flag("The whole of it, for scripts.")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_token(self.admin_token)

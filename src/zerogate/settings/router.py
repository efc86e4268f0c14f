"""What a router can set, noun by noun."""

import math
import os
import re
import socket
import sys
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.cores import n_cores
from zerogate.settings.endpoint import parse_address, parse_endpoint, parse_listening
from zerogate.settings.kinds import KIB, MIB, OFF_WORD
from zerogate.settings.link import LinkSettings, ProcessSettings
from zerogate.settings.option import Settings, count, duration, flag, size, text, texts

DEFAULT_HTTP = "127.0.0.1:9000"
DEFAULT_BIND = "tcp://127.0.0.1:8000"
DEFAULT_ADMIN = "127.0.0.1:9001"

# A request's head has to fit into one block of the link, which has as much (protocol.md).
MAX_HEAD_BYTES = 64 * KIB
# Below, hardly any browser's request would pass.
MIN_HEAD_BYTES = KIB
MIN_TARGET_BYTES = 64
# A head has no room for more.
MAX_FIELDS = 16 * KIB
# Clients wait meanwhile, and the kernel's queue has room for BACKLOG of them (link/bind.py).
MAX_TAKEOVER_WAIT_S = 60.0
_TOKEN = re.compile(r"[!-~]*", re.ASCII)
_MODE = re.compile(r"0?[0-7]{3}", re.ASCII)
# Each worker has a link to each of them, and each process of a worker a pulse (and a thread) for each.
MAX_ROUTER_PROCESSES = 64
# A client that waits longer has no use for what its worker remembers; and whoever has left is remembered as long.
MAX_STICKY_WAIT_S = 60.0
# Each retry is a worker lost: past so many it is the request that kills them.
MAX_RETRIES = 100


def check_listening(text: str) -> None:
    """Where clients connect to. Raises UsageError."""
    if text != OFF_WORD:
        parse_listening(text)


def check_admin(text: str) -> None:
    """Where people look. Raises UsageError."""
    if text != OFF_WORD:
        parse_address(text)


def check_token(token: str) -> None:
    """Raises UsageError for what cannot be in a field of a request, or not alike for everybody. It is not repeated."""
    if not _TOKEN.fullmatch(token):
        raise UsageError("--admin-token: letters, digits and signs of ASCII, and no blanks or line ends")


def process_name() -> str:
    """A name that no other process of this network has."""
    return f"{socket.gethostname()}-{os.getpid()}"


@dataclass(frozen=True, eq=False, repr=False)
class ListenSettings(Settings):
    """Listening."""

    http: tuple[str, ...] = texts(
        (DEFAULT_HTTP,),
        "Address to take HTTP on, or unix:PATH, or off.",
        metavar="HOST:PORT",
        check=check_listening,
    )
    https: tuple[str, ...] = texts(
        (),
        "Address to take HTTP over TLS on, or unix:PATH. Default: none.",
        metavar="HOST:PORT",
        check=check_listening,
    )
    bind: tuple[str, ...] = texts(
        (DEFAULT_BIND,),
        "Endpoint that workers dial: tcp://HOST:PORT or ipc://PATH.",
        metavar="ENDPOINT",
        check=parse_endpoint,
    )
    insecure: bool = flag("Take workers without keys on any address.")
    admin: str = text(
        DEFAULT_ADMIN, "Address of /status, /healthz and /readyz, or off.", metavar="HOST:PORT", check=check_admin
    )
    admin_token: str = text(
        "",
        "What /status must be asked with, as a bearer token. Needed beyond loopback.",
        metavar="TOKEN",
        is_secret=True,
    )
    access_log: str = text(
        "-",
        "Where requests are logged: - (standard output), a PATH, or off.",
        metavar="PATH",
        aliases=("--access-logfile",),
    )
    http_mode: str = text("666", "Who may connect to a unix: socket: its file's mode, in octal.", metavar="MODE")
    ipc_mode: str = text("600", "Who may dial an ipc:// socket: its file's mode, in octal.", metavar="MODE")
    replace: bool = flag("Take over from the router that has these addresses, if there is one.")
    takeover_wait: float = duration(
        2.0,
        "Time for workers to come over from a router that is replaced; clients wait that long.",
        zero="none",
        high=MAX_TAKEOVER_WAIT_S,
    )
    processes: int = count(
        1,
        "Router processes, which share the addresses.",
        high=MAX_ROUTER_PROCESSES,
        auto=n_cores,
        auto_words="the number of cores",
    )
    command_pid: int = count(0, "The command that the router belongs to.", zero="itself", is_hidden=True)
    drain_delay: float = duration(
        0.0, "Time in which a router that stops goes on as ever, and only /readyz says that it will.", zero="none"
    )
    own_workers: int = count(0, "Workers to wait for before a router is replaced.", zero="none", is_hidden=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_token(self.admin_token)
        if OFF_WORD in self.http and len(self.http) > 1:
            raise UsageError("--http off goes with no other")
        for name in ("http_mode", "ipc_mode"):
            if not _MODE.fullmatch(getattr(self, name)):
                raise UsageError(f"{self.written(name)}: not a mode: write it in octal, as 600 or 660")


@dataclass(frozen=True, eq=False, repr=False)
class TlsSettings(Settings):
    """TLS."""

    tls_cert: tuple[str, ...] = texts(
        (), "Certificate, with those above it. A client gets the one that has the name it asks for.", metavar="FILE"
    )
    tls_key: tuple[str, ...] = texts(
        (), "Its key; as many as certificates. Default: in the certificates' files.", metavar="FILE"
    )
    tls_client_ca: str = text("", "Clients have to show a certificate that one of these has signed.", metavar="FILE")
    redirect_https: bool = flag("Send whoever comes without TLS to the same place with it (308).")


@dataclass(frozen=True, eq=False, repr=False)
class ClientSettings(Settings):
    """Clients."""

    max_clients: int = count(10_000, "Client connections at once; more get 503.")
    head_timeout: float = duration(10.0, "Time for a client to send a request's head: 408 after it.", off="no limit")
    body_timeout: float = duration(60.0, "Silence amid a request's body before the client is cut off.", off="no limit")
    min_body_rate: int = count(
        500, "Bytes a second that a client must send of a body, or take of a reply, on average.", zero="no limit"
    )
    keepalive_timeout: float = duration(
        75.0,
        "Time between requests before the connection is closed.",
        off="no limit",
        aliases=("--timeout-keep-alive", "--keep-alive"),
    )
    trust: tuple[str, ...] = texts(
        ("loopback", "unix"),
        "Whose forwarded, x-forwarded-* and x-request-id are believed: addresses, networks, loopback, unix, * or none.",
        metavar="NETWORK",
        variable="FORWARDED_ALLOW_IPS",
        aliases=("--forwarded-allow-ips",),
    )
    proxy_protocol: bool = flag("Whom --trust names begins each connection with a PROXY header, version 1 or 2.")
    underscores: bool = flag("Hand on fields with an underscore in their name.")


@dataclass(frozen=True, eq=False, repr=False)
class RequestSettings(Settings):
    """Requests."""

    max_head: int = size(64 * KIB, "Bytes of a request's head: 431 past it.", low=MIN_HEAD_BYTES, high=MAX_HEAD_BYTES)
    max_fields: int = count(
        100, "Fields of a request: 431 past it.", high=MAX_FIELDS, aliases=("--limit-request-fields",)
    )
    max_target: int = size(
        16 * KIB, "Bytes of a request's target: 414 past it.", low=MIN_TARGET_BYTES, high=MAX_HEAD_BYTES
    )
    max_body: int | None = size(None, "Bytes of a request's body: 413 past it.", off="no limit")


@dataclass(frozen=True, eq=False, repr=False)
class QueueSettings(Settings):
    """Waiting for a worker."""

    queue_timeout: float = duration(30.0, "Time a request may wait for a worker: 503 after it.", off="no limit")
    queue_size: int = count(1024, "Requests that may wait for workers of one route.", zero="none")
    queue_bytes: int = size(64 * MIB, "Bytes of requests that may wait for workers of one route.", low=MAX_HEAD_BYTES)
    hold: float = duration(60.0, "Time that a route waits for a worker after its last one left.", zero="none")
    settle: float = duration(5.0, "Time after the start in which requests wait for unknown routes.", zero="none")
    sticky_wait: float = duration(
        1.0,
        "Time that a client waits for the worker that it comes back to: another has it then.",
        zero="none",
        high=MAX_STICKY_WAIT_S,
    )


@dataclass(frozen=True, eq=False, repr=False)
class ReplySettings(Settings):
    """Replies."""

    timeout: float = duration(60.0, "Time for a worker to begin its reply: 504 after it.", off="no limit")
    idle_timeout: float = duration(
        60.0, "Silence amid a reply, or in a tunnel that one end has closed, before it is cut.", off="no limit"
    )
    max_timeout: float = duration(math.inf, "The most that a worker may ask for as its own --timeout.", off="no limit")
    max_idle_timeout: float = duration(
        math.inf, "The most that a worker may ask for as its own --idle-timeout.", off="no limit"
    )


@dataclass(frozen=True, eq=False, repr=False)
class RetrySettings(Settings):
    """Losses."""

    retries: int = count(
        2, "How often a request is sent to another worker after a loss.", zero="never", high=MAX_RETRIES
    )
    retry_bytes: int = size(64 * KIB, "Bytes of a request's body kept for that.", zero="none")
    max_failures: int = count(5, "Failures in a row after which a worker is passed over.", off="never")
    rest: float = duration(30.0, "How long it is passed over, the first time; 30 s longer each further time.")


@dataclass(frozen=True, eq=False, repr=False)
class JoinSettings(Settings):
    """Workers."""

    name: str = text(process_name, "What workers and logs call this router.", metavar="NAME", default_words="HOST-PID")
    advertise: tuple[str, ...] = texts(
        (), "Endpoint of another router that workers should dial as well.", metavar="ENDPOINT", check=parse_endpoint
    )
    keys: str = text(
        "",
        "Folder with the router's key and the list of its workers' (`zerogate keys`).",
        metavar="DIR",
        default_words="~/.config/zerogate/keys, if there is a key",
    )
    max_links: int = count(1024, "Links at once; more are turned away.")
    max_links_per_key: int = count(sys.maxsize, "Links at once by one key.", off="no limit")
    max_routes: int = count(128, "Routes that one worker may serve.")


@dataclass(frozen=True, eq=False, repr=False)
class RouterSettings(
    ListenSettings,
    TlsSettings,
    ClientSettings,
    RequestSettings,
    QueueSettings,
    ReplySettings,
    RetrySettings,
    JoinSettings,
    LinkSettings,
    ProcessSettings,
):
    """`zerogate router`."""

    @property
    def stop_s(self) -> float:
        return super().stop_s + self.drain_delay

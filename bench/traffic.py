"""The kinds of traffic: one row each. What the clients ask for, and how it is handed to wrk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import browsers
import orders
import replies
from request import Request

# More than any cache of whole requests would hold; a point of a few seconds goes through them once or twice.
N_DISTINCT = 20_000
# What each contender must answer rightly before it is measured: enough to meet every kind of reply.
N_SAMPLES = 64
# Neither a head nor a body of the benchmark has one in it.
DIVIDER = b"\0"
DEFAULT_SEED = 1


@dataclass(frozen=True)
class Kind:
    """One row: its name on the command line, what it is in words, and its requests for a seed.

    Without `requests` wrk makes its own request, the same each time. `clients` are its own numbers of them, whatever
    the command line says, and `n_slow` of them are slow. With `body_mib` each request or its reply is so large: then
    `count` requests are a point, however long they take, and CPU is for each MiB.
    """

    name: str
    title: str
    requests: Callable[[int], list[Request]] | None
    clients: tuple[int, ...] | None = None
    n_slow: int = 0
    body_mib: int = 0
    count: int = 0


@dataclass(frozen=True)
class Traffic:
    """A kind made ready: `path` for wrk's own request, or a file of `prepared` ones, and some `samples` of them."""

    kind: Kind
    path: str
    prepared: Path | None
    samples: tuple[Request, ...]
    scheme: str = "http"


MAIN = "varied"
HOST = (("Host", "127.0.0.1"),)
N_MIXED, N_SLOW = 200, 20


def _varied(seed: int) -> list[Request]:
    return browsers.requests(seed, N_DISTINCT)


def _api(seed: int) -> list[Request]:
    return orders.requests(seed, N_DISTINCT)


def _download(_: int) -> list[Request]:
    return [Request("GET", replies.FILE, HOST)]


def _upload(_: int) -> list[Request]:
    body = b"x" * replies.FILE_BYTES
    return [Request("POST", replies.UPLOAD, (*HOST, ("Content-Length", str(len(body)))), body)]


def _replies(_: int) -> list[Request]:
    return [Request("GET", "/1m", HOST)]


KINDS = {
    kind.name: kind
    for kind in (
        Kind(MAIN, f"{N_DISTINCT:,} requests as browsers send them, and replies, all different", _varied),
        Kind("api", f"{N_DISTINCT:,} orders of 300 octets of JSON, answered with 2 KiB, all different", _api),
        Kind(
            "mixed", f"the varied ones, from {N_MIXED} clients of whom {N_SLOW} are slow", _varied, (N_MIXED,), N_SLOW
        ),
        Kind("download", "a file of 64 MiB, in pieces of 64 KiB", _download, (4,), body_mib=64, count=16),
        Kind("upload", "a body of 64 MiB, which the application counts", _upload, (4,), body_mib=64, count=16),
        Kind("replies1m", "replies of 1 MiB in one piece", _replies, (4,), body_mib=1, count=1024),
        Kind("same", "one small request, octet for octet the same each time", None),
    )
}


def prepare(kind: Kind, seed: int, path: str, directory: Path) -> Traffic:
    """Make the requests and put them where wrk reads them; `path` is for the kind that has but one."""
    if kind.requests is None:
        return Traffic(kind, path, None, (Request("GET", path, (("Host", "127.0.0.1"),)),))
    requests = kind.requests(seed)
    prepared = directory / f"{kind.name}.requests"
    prepared.write_bytes(DIVIDER.join(request.encode() for request in requests))
    return Traffic(kind, "/", prepared, tuple(requests[:N_SAMPLES]))

"""The kinds of traffic: one row each. What the clients ask for, and how it is handed to wrk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import browsers
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

    Without `requests` wrk makes its own request, the same each time.
    """

    name: str
    title: str
    requests: Callable[[int], list[Request]] | None


@dataclass(frozen=True)
class Traffic:
    """A kind made ready: `path` for wrk's own request, or a file of `prepared` ones, and some `samples` of them."""

    kind: Kind
    path: str
    prepared: Path | None
    samples: tuple[Request, ...]


MAIN = "varied"

KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            MAIN,
            f"{N_DISTINCT:,} requests as browsers send them, all different, and so are the replies",
            lambda seed: browsers.requests(seed, N_DISTINCT),
        ),
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

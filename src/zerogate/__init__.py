"""zerogate: a reverse proxy with no list of backends.

    zerogate.run("mypkg.app:app")                               # as `zerogate run` does

    async with (
        zerogate.Router(http=("127.0.0.1:0",)) as router,
        zerogate.Worker(app, connect=(router.endpoint,)),
    ):
        ...                                                     # in a program of one's own

docs/library.md has the rest. What is named here is imported when it is asked for.
"""

from typing import TYPE_CHECKING

from zerogate.lazy import importer
from zerogate.version import __version__

if TYPE_CHECKING:
    from zerogate.errors import StartError, UsageError, ZerogateError
    from zerogate.library import Router, Worker
    from zerogate.running import run
    from zerogate.settings import RouterSettings, RunSettings, WorkerSettings

__all__ = [
    "Router",
    "RouterSettings",
    "RunSettings",
    "StartError",
    "UsageError",
    "Worker",
    "WorkerSettings",
    "ZerogateError",
    "__version__",
    "run",
]

_HOMES = {
    **dict.fromkeys(("Router", "Worker"), "zerogate.library"),
    **dict.fromkeys(("RouterSettings", "RunSettings", "WorkerSettings"), "zerogate.settings"),
    **dict.fromkeys(("StartError", "UsageError", "ZerogateError"), "zerogate.errors"),
    "run": "zerogate.running",
}

if not TYPE_CHECKING:  # of whatever else is asked for, a type checker shall say that it is not there
    __getattr__ = importer(__name__, _HOMES)

"""What `zerogate attach` can set beyond what every worker can."""

import re
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.option import Settings, count, duration, text
from zerogate.settings.worker import WorkerSettings

_is_path = re.compile(r"/[!-~]*").fullmatch


@dataclass(frozen=True, eq=False, repr=False)
class ServerSettings(Settings):
    """Attached server."""

    health: str = text(
        "",
        "Path that gives 2xx or 3xx while the server is well. Default: it takes a connection.",
        metavar="PATH",
    )
    health_interval: float = duration(5.0, "Time between checks.")
    health_timeout: float = duration(2.0, "Time for the server to answer one.")
    health_failures: int = count(3, "Checks that fail running before it counts as down. One, if nobody listens.")
    health_passes: int = count(1, "Checks that pass running before it counts as up again.")
    pool_idle: float = duration(
        4.0, "Time that an idle connection to the server is kept; less if the server says so.", zero="none is kept"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.health and not _is_path(self.health):
            raise UsageError(f"{self.written('health')}: a path begins with /, and has visible ASCII only")


@dataclass(frozen=True, eq=False, repr=False)
class AttachSettings(ServerSettings, WorkerSettings):
    """`zerogate attach`."""

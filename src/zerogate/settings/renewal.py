"""When a worker's processes are replaced, and when its application is reloaded."""

import sys
from dataclasses import dataclass

from zerogate.settings.option import Settings, count, duration, flag, size, texts


@dataclass(frozen=True, eq=False, repr=False)
class RenewalSettings(Settings):
    """Replacing processes."""

    max_requests: int = count(
        sys.maxsize,
        "Requests after which a process is replaced; the next one has joined by then.",
        off="never",
        aliases=("--limit-max-requests",),
    )
    max_requests_jitter: int = count(
        0,
        "Up to so many requests more, by chance: not all processes are due at once.",
        zero="none",
        aliases=("--limit-max-requests-jitter",),
    )
    max_memory: int | None = size(
        None, "Resident memory past which a process is replaced, looked at each second.", off="no limit"
    )


@dataclass(frozen=True, eq=False, repr=False)
class ReloadSettings(Settings):
    """Reloading."""

    reload: bool = flag("Restart the application when its files change; requests wait meanwhile.")
    reload_dir: tuple[str, ...] = texts(
        (), "Folder to watch, with all below. Default: the current one, and --app-dir.", metavar="DIR"
    )
    reload_include: tuple[str, ...] = texts(
        (), "Names of files that count, beside *.py; or a folder to watch, too.", metavar="PATTERN"
    )
    reload_exclude: tuple[str, ...] = texts(
        (),
        "Names of files that do not count, beside .*, .py[cod], .sw.* and ~*; or a folder to leave out.",
        metavar="PATTERN",
    )
    reload_grace: float = duration(
        1.0, "Time for event streams to end by themselves before a restart; requests have --grace.", zero="none"
    )

"""What `zerogate files` can set beyond what every worker can."""

from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.option import Settings, text, texts
from zerogate.settings.worker import WorkerSettings


@dataclass(frozen=True, eq=False, repr=False)
class StaticSettings(Settings):
    """Static files."""

    static: tuple[str, ...] = texts(
        (), "Serve the files of DIR below PREFIX, beside the application: /static=DIR.", metavar="PREFIX=DIR"
    )
    cache_control: str = text(
        "", "What is said to caches of each file, for example `public, max-age=3600`. Default: nothing.", metavar="TEXT"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.cache_control.isascii() and self.cache_control.isprintable()):
            raise UsageError(f"{self.written('cache_control')}: visible ASCII only")


@dataclass(frozen=True, eq=False, repr=False)
class FilesSettings(StaticSettings, WorkerSettings):
    """`zerogate files`."""

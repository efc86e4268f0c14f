"""What both ends can set: the link between them, and the process."""

from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.kinds import KIB, MIB
from zerogate.settings.option import MAX_COUNT, Settings, choice, count, duration, flag, size, text

# What a peer may have sent before it hears of any window (SPDY draft 3.1, 2.6.8): no window can be smaller.
MIN_WINDOW_BYTES = 64 * KIB
MAX_WINDOW_BYTES = 2**31 - 1
# Whoever looks more often than every few hundredths of a second is busy with that.
MIN_STALL_S = 0.1
# A link is looked at three times in this time: below, pings would be the traffic, and a busy neighbour a loss.
MIN_SILENCE_S = 0.05


@dataclass(frozen=True, eq=False, repr=False)
class LinkSettings(Settings):
    """Links."""

    suspect_after: float = duration(3.0, "Silence after which a link is suspect: no new streams.", low=MIN_SILENCE_S)
    lost_after: float = duration(15.0, "Silence after which a link is lost.", low=MIN_SILENCE_S)
    handshake_timeout: float = duration(5.0, "Time for the ZMTP handshake and the join.")
    stream_window: int = size(
        256 * KIB, "Bytes of one stream that may be under way unread.", low=MIN_WINDOW_BYTES, high=MAX_WINDOW_BYTES
    )
    session_window: int = size(
        16 * MIB, "Bytes of one link that may be under way unread.", low=MIN_WINDOW_BYTES, high=MAX_WINDOW_BYTES
    )
    discover: bool = flag(
        "Announce a router's port, or look for such routers, on the local network by mDNS. Keys decide who joins whom."
    )
    last_stream_id: int = count(MAX_COUNT, "Stream ids end here; a new link takes over.", is_hidden=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lost_after < self.suspect_after:
            raise UsageError(f"{self.written('lost_after')}: at least {self.written('suspect_after')}")


@dataclass(frozen=True, eq=False, repr=False)
class ProcessSettings(Settings):
    """Process."""

    grace: float = duration(
        30.0,
        "Time to finish what is in flight when stopping.",
        zero="none",
        aliases=("--timeout-graceful-shutdown", "--graceful-timeout"),
    )
    loop: str = choice("auto", "Event loop: auto is uvloop if it is installed.", words=("auto", "uvloop", "asyncio"))
    stall_report: float = duration(
        2.0,
        "Time that the event loop may be held up before the log says by which requests, and where.",
        low=MIN_STALL_S,
        off="never said",
    )
    log_level: str = choice(
        "info", "What is logged, to standard error.", words=("debug", "info", "warning", "error", "critical")
    )
    log_config: str = text(
        "", "File for Python's logging.config, .json, .yaml or .ini, instead of our own format.", metavar="FILE"
    )

    @property
    def stop_s(self) -> float:
        """How long a stop may take before what is left is cut."""
        return self.grace

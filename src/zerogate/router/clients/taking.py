"""Whether a slow client still takes what is left to send, after its last reply."""

from zerogate.router.faces import TAKING_WINDOW_S
from zerogate.settings import RouterSettings


def window_s(settings: RouterSettings) -> float:
    """How long a client has to take something, in seconds."""
    return min(TAKING_WINDOW_S, settings.idle_timeout)


def is_taking(before_bytes: int, unsent_bytes: int, settings: RouterSettings) -> bool:
    """Whether it has taken enough within a window: `--min-body-rate`, or anything at all without one."""
    enough_bytes = max(1, settings.min_body_rate * window_s(settings))
    return unsent_bytes > 0 and (not before_bytes or before_bytes - unsent_bytes >= enough_bytes)

"""What the router counts: plain integers that the hot path bumps and exposition reads."""

from typing import Any

from zerogate.native.compiled import slots
from zerogate.router.state import CountersState

_NAMES = (
    *("connections", "requests", "replies", "errors", "retries", "refused", "aborted", "cut", "held", "bad_replies"),
    *("tunnels", "event_streams", "joined", "drained", "lost", "links", "pulses", "links_failed"),
)


class Counters(CountersState):
    """Totals since the start.

    replies: by the first digit of their status
    errors: by their code
    """

    __slots__ = slots(CountersState, *_NAMES)

    connections: int
    requests: int
    replies: list[int]
    errors: dict[str, int]
    retries: int
    refused: int
    aborted: int
    cut: int
    held: int
    bad_replies: int
    tunnels: int
    event_streams: int
    joined: int
    drained: int
    lost: int
    links: int
    pulses: int
    links_failed: int

    def __init__(self) -> None:
        self.replies = [0] * 6
        self.errors = {}
        for name in _NAMES:
            if name not in ("replies", "errors"):
                setattr(self, name, 0)

    def count_error(self, code: str) -> None:
        self.errors[code] = self.errors.get(code, 0) + 1

    def as_dict(self) -> dict[str, Any]:
        """A copy, in JSON's types."""
        found = {name: getattr(self, name) for name in _NAMES}
        return found | {
            "replies": {str(digit): n for digit, n in enumerate(self.replies) if digit},
            "errors": dict(self.errors),
        }

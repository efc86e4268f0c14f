"""What the router counts: plain integers that the hot path bumps and exposition reads."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Counters:
    """Totals since the start."""

    connections: int = 0
    requests: int = 0
    replies: dict[int, int] = field(default_factory=lambda: dict.fromkeys(range(1, 6), 0))
    errors: dict[str, int] = field(default_factory=dict)
    retries: int = 0
    refused: int = 0
    aborted: int = 0
    cut: int = 0
    held: int = 0
    bad_replies: int = 0
    tunnels: int = 0
    event_streams: int = 0
    joined: int = 0
    drained: int = 0
    lost: int = 0
    links: int = 0
    pulses: int = 0
    links_failed: int = 0

    def count_error(self, code: str) -> None:
        self.errors[code] = self.errors.get(code, 0) + 1

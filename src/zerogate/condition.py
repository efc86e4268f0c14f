"""How a service is, for whoever probes it (`zerogate check`)."""

from typing import NamedTuple


class Condition(NamedTuple):
    """Of one service.

    kind: `router`, or `worker`
    words: what it does, or what is wrong, behind its name: `has joined router r`
    """

    kind: str
    name: str
    is_well: bool
    words: str

    def __str__(self) -> str:
        return f"{self.kind} {self.name} {self.words}"

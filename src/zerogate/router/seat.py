"""One process's place among those that are one router together (`--processes`)."""

from typing import NamedTuple


class Seat(NamedTuple):
    """Whoever is started anew in a place has the same seat.

    id: what the process is called in marks and in replies to JOIN
    processes: the ids of all seats, in order; empty if it is the only one
    number: counted from 1; 0 if it is the only one
    """

    id: str
    processes: tuple[str, ...] = ()

    @property
    def number(self) -> int:
        return self.processes.index(self.id) + 1 if self.processes else 0

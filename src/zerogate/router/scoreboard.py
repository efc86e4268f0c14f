"""Who takes the next connection, of several processes that accept from the same sockets.

One queue, from which all take, loses nobody when one of them dies; but left to themselves one process may take all that
has come since it looked last, and an idle client's connection stays where it is. So each says in shared memory what it
has, and leaves a connection to whoever has clearly fewer; and among equals to whoever has taken clearly fewer, so that
connections that come one by one, and go, are shared as well. Clearly, because to leave one costs: whoever does looks
away for a moment, and those that went strictly in turns would wait for it. Nothing else is agreed upon: each writes its
own numbers only, and a number that is a moment old costs a connection in the second-best place. A moment, and no more:
whoever leaves is taken off at once, or an idle process would be left out for what it had last.
"""

import mmap
import os
import tempfile
from collections.abc import Callable
from struct import Struct
from typing import BinaryIO

CLIENTS, LINKS = range(2)

# Of each seat: whether it accepts; and for clients and links what is open, and how many were taken since the start.
_SEAT = Struct("=I 2I 2I")
_COUNT = Struct("=2I")
_OPEN = Struct("=I")
_WRAP = 1 << 32

# So many more than another one has are no reason yet: two, or an eighth of what that one has.
SLACK = 2
SLACK_SHIFT = 3
# And so many more that were taken since the start.
TAKEN_SLACK = 8


def make_memory(n_seats: int) -> BinaryIO:
    """A file that no name leads to, with room for so many seats."""
    if hasattr(os, "memfd_create"):
        file: BinaryIO = os.fdopen(os.memfd_create("zerogate-seats"), "r+b", buffering=0)
    else:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (the caller closes it)
    file.truncate(n_seats * _SEAT.size)
    return file


class Scoreboard:
    """The numbers of all seats. `own` is ours, counted from 0; who only looks on has none."""

    def __init__(self, fd: int, n_seats: int, own: int | None = None) -> None:
        self._memory = mmap.mmap(fd, n_seats * _SEAT.size)
        self._offset = 0 if own is None else own * _SEAT.size
        self._others = [number * _SEAT.size for number in range(n_seats) if number != own]
        self._taken = [0, 0]

    def lane(self, kind: int, count: Callable[[], int]) -> "Lane":
        """For one kind of connection, of which we have `count()`."""
        return Lane(self, kind, count)

    def open(self) -> None:
        """We accept from now on. Who comes back has not to make up for what others have taken meanwhile."""
        others = [offset for offset in self._others if self._is_open(offset)]
        for kind in (CLIENTS, LINKS):
            least = min((self._read(offset, kind)[1] for offset in others), default=0)
            self._taken[kind] = max(self._taken[kind], least)
            self._write(kind, 0)
        _OPEN.pack_into(self._memory, self._offset, 1)

    def close(self) -> None:
        """We do not accept: nobody shall wait for us."""
        _OPEN.pack_into(self._memory, self._offset, 0)

    def clear(self, number: int) -> None:
        """The process in this seat, counted from 0, is gone."""
        _OPEN.pack_into(self._memory, number * _SEAT.size, 0)

    def is_least(self, kind: int, n_open: int) -> bool:
        """Say how many we have, and find out whether nobody has clearly less to do."""
        self._write(kind, n_open)
        n_taken = self._taken[kind]
        for offset in self._others:
            if self._is_open(offset):
                its_open, its_taken = self._read(offset, kind)
                if n_open > its_open + max(SLACK, its_open >> SLACK_SHIFT):
                    return False
                if n_open >= its_open and n_taken > its_taken + TAKEN_SLACK:
                    return False
        return True

    def take(self, kind: int, n_open: int) -> None:
        """We have taken one more."""
        self._taken[kind] = (self._taken[kind] + 1) % _WRAP
        self._write(kind, n_open + 1)

    def tell(self, kind: int, n_open: int) -> None:
        """Say how many we have."""
        self._write(kind, n_open)

    def _is_open(self, offset: int) -> bool:
        return bool(_OPEN.unpack_from(self._memory, offset)[0])

    def _read(self, offset: int, kind: int) -> tuple[int, int]:
        n_open, n_taken = _COUNT.unpack_from(self._memory, offset + _OPEN.size + kind * _COUNT.size)
        return n_open, n_taken

    def _write(self, kind: int, n_open: int) -> None:
        _COUNT.pack_into(self._memory, self._offset + _OPEN.size + kind * _COUNT.size, n_open, self._taken[kind])


class Lane:
    """Clients, or links (`listeners.Tally`)."""

    def __init__(self, board: Scoreboard, kind: int, count: Callable[[], int]) -> None:
        self._board = board
        self._kind = kind
        self._count = count

    def is_ours(self) -> bool:
        return self._board.is_least(self._kind, self._count())

    def taken(self) -> None:
        self._board.take(self._kind, self._count())

    def left(self) -> None:
        """One of ours is gone: the next may be for us."""
        self._board.tell(self._kind, self._count())

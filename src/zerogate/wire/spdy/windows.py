"""Flow control windows: how much may be sent, and how much of what came in is owed back (draft 3.1, 2.6.8).

What may be sent is a number: what the peer lets us send, less than 0 if it has taken back what it had let us. What may
come is a ReceiveWindow. Either is the same for a stream and for the whole session.
"""

from typing import Final

from zerogate.native.compiled import slots
from zerogate.wire.spdy.state import WindowState

DEFAULT_WINDOW_BYTES: Final = 64 * 1024  # Until SETTINGS say otherwise.
MAX_WINDOW_BYTES: Final = 0x7FFFFFFF


class ReceiveWindow(WindowState):
    """What we let the peer send, and the credit that it is owed.

    `limit` is the size we announced. A peer that has not heard of it yet sends as if it were 64 KiB, and there is no
    telling when it has: a smaller limit only sets when credit is given, not what is accepted.
    """

    __slots__ = slots(WindowState, "_limit", "available", "owed")

    def __init__(self, limit: int) -> None:
        self.available = max(limit, DEFAULT_WINDOW_BYTES)
        self.owed = 0
        self._limit = limit

    def __repr__(self) -> str:
        return f"<ReceiveWindow {self.available}, owes {self.owed}>"

    def take(self, size: int) -> bool:
        """The peer announces `size` bytes. False, and nothing is changed, if they are too many."""
        if size > self.available:
            return False
        self.available -= size
        return True

    def pass_on(self, size: int) -> int:
        """Take and give in one, where `size` is no more than `available`."""
        owed = self.owed + size
        if owed << 1 < self._limit:
            self.owed = owed
            self.available -= size
            return 0
        self.available += self.owed
        self.owed = 0
        return owed

    def give(self, size: int) -> int:
        """`size` bytes have gone on. Returns the credit to send now: 0 until half a window is owed.

        Half, not each piece as it comes: a WINDOW_UPDATE costs both ends as much as a DATA frame.
        """
        owed = self.owed + size
        if owed << 1 < self._limit or not owed:
            self.owed = owed
            return 0
        self.owed = 0
        self.available += owed
        return owed

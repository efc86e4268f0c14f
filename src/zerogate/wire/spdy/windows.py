"""Flow control windows: how much may be sent, and how much of what came in is owed back (draft 3.1, 2.6.8).

One class for each direction, the same for a stream and for the whole session.
"""

from typing import Final

DEFAULT_WINDOW_BYTES: Final = 64 * 1024  # Until SETTINGS say otherwise.
MAX_WINDOW_BYTES: Final = 0x7FFFFFFF


class SendWindow:
    """What the peer lets us send. It may be negative: the peer can take back what it has let us."""

    __slots__ = ("available",)

    def __init__(self, available: int) -> None:
        self.available = available

    def __repr__(self) -> str:
        return f"<SendWindow {self.available}>"

    def take(self, size: int) -> None:
        """`size` bytes are sent: no more than `available`."""
        self.available -= size

    def widen(self, delta: int) -> bool:
        """The peer gives, or takes back. False, and nothing is changed, past 2^31-1: a flow control error."""
        widened = self.available + delta
        if widened > MAX_WINDOW_BYTES:
            return False
        self.available = widened
        return True


class ReceiveWindow:
    """What we let the peer send, and the credit that it is owed.

    `limit` is the size we announced. A peer that has not heard of it yet sends as if it were 64 KiB, and there is no
    telling when it has: a smaller limit only sets when credit is given, not what is accepted.
    """

    __slots__ = ("_limit", "available", "owed")

    def __init__(self, limit: int) -> None:
        # Not max(): half the time of this call, which each stream makes.
        self.available = limit if limit > DEFAULT_WINDOW_BYTES else DEFAULT_WINDOW_BYTES  # noqa: FURB136
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


# A half that has ended, or never was, has no window of its own. Nobody looks at it either: the state says no before.
NO_SEND_WINDOW: Final = SendWindow(0)
NO_RECEIVE_WINDOW: Final = ReceiveWindow(0)

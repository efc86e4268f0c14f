"""Streams and their states (draft 3.1, 2.3).

A stream is two halves: what we send, and what the peer sends. Both go the same way, so there is one table for them:

    REPLY_DUE   the half of the end that did not open the stream: before SYN_REPLY only HEADERS may come, as an interim
                reply (HTTP's 1xx, of which the draft says nothing)
    OPEN        SYN_STREAM or SYN_REPLY has gone by
    ENDING      ours only: FIN is asked for, but waits behind data that the windows hold back
    DONE        FIN has gone by
    RESET       either end gave the stream up; what is still said about it is not heard

A stream is gone when both halves are DONE or RESET.
"""

from collections import deque
from typing import Any, Final

from zerogate.native.compiled import slots
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.state import StreamState
from zerogate.wire.spdy.windows import ReceiveWindow

# States and moves are plain integers: they are compared and added for every frame (see frames.DATA).
REPLY_DUE: Final = 0
OPEN: Final = 1
ENDING: Final = 2
DONE: Final = 3
RESET: Final = 4
STATE_NAMES: Final = ("REPLY_DUE", "OPEN", "ENDING", "DONE", "RESET")

# What a half can do. With FIN it is the next number, so that `move + fin` is the column.
REPLY: Final = 0
HEADERS: Final = 2
DATA: Final = 4
MOVE_NAMES: Final = ("SYN_REPLY", "SYN_REPLY+FIN", "HEADERS", "HEADERS+FIN", "DATA", "DATA+FIN")

_TOO_EARLY: Final = -RstStatus.PROTOCOL_ERROR.value
_IN_USE: Final = -RstStatus.STREAM_IN_USE.value
_CLOSED: Final = -RstStatus.STREAM_ALREADY_CLOSED.value

# TRANSITIONS[state][move + fin] is the state after it, or the negated RST_STREAM status that it earns.
# fmt: off
TRANSITIONS: Final[tuple[tuple[int, ...], ...]] = (
    #  SYN_REPLY  +FIN      HEADERS     +FIN        DATA        +FIN
    (  OPEN,      DONE,     REPLY_DUE,  _TOO_EARLY, _TOO_EARLY, _TOO_EARLY),  # REPLY_DUE: 2.2.2 "before receiving"
    (  _IN_USE,   _IN_USE,  OPEN,       DONE,       OPEN,       DONE),        # OPEN: 2.6.2 "multiple SYN_REPLY frames"
    (  _CLOSED,   _CLOSED,  _CLOSED,    _CLOSED,    _CLOSED,    _CLOSED),     # ENDING: 2.3.6, as DONE
    (  _CLOSED,   _CLOSED,  _CLOSED,    _CLOSED,    _CLOSED,    _CLOSED),     # DONE: 2.3.6 "MUST NOT send"
    (  RESET,     RESET,    RESET,      RESET,      RESET,      RESET),       # RESET: 2.3.7, frames cross on the way
)
# fmt: on


class HeldBlock:
    """A raw name/value block that waits behind data. It is wrapped when it goes: zlib streams have an order too.

    Its length is 0, as windows see it.
    """

    __slots__ = ("block",)

    def __init__(self, block: bytes) -> None:
        self.block = block

    def __len__(self) -> int:
        return 0


Pending = deque[bytes | memoryview | HeldBlock]


class Stream(StreamState):
    """One stream. `handler` is for whoever uses the session; everything else is for the session to write.

    `pending_bytes` is the data that was given to the session and not framed yet: who sends looks at it, and stops.
    `send_window` is what the peer lets us send; `receive_window` is made when data comes, as most streams need none.
    """

    __slots__ = slots(
        StreamState,
        "handler",
        "id",
        "is_queued",
        "local",
        "pending",
        "pending_bytes",
        "receive_window",
        "remote",
        "send_window",
    )

    def __init__(self, stream_id: int, local: int, remote: int, send_window: int) -> None:
        self.id = stream_id
        self.handler: Any = None
        self.local = local
        self.remote = remote
        self.send_window = send_window
        self.receive_window: ReceiveWindow | None = None
        self.pending: Pending | None = None  # Made when first needed: most streams never wait.
        self.pending_bytes = 0
        self.is_queued = False

    def __repr__(self) -> str:
        pending = f", {self.pending_bytes} bytes pending" if self.pending_bytes else ""
        return f"<Stream {self.id}, we are {STATE_NAMES[self.local]}, peer is {STATE_NAMES[self.remote]}{pending}>"

    @property
    def is_gone(self) -> bool:
        """Nothing more will be sent or received on it."""
        return self.local >= DONE and self.remote >= DONE


class StreamStateError(RuntimeError):
    """We tried to send what the stream's state forbids: a bug of ours, never the peer's doing."""

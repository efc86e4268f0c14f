"""What a link keeps count of: the compiled classes below it, or nothing; and its usual ways (native/link.pyx)."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from zerogate.native.compiled import Base, decline, find
from zerogate.transports import write_pieces
from zerogate.wire.spdy import events

__all__ = ["LinkState", "LivenessState", "take_message", "write_batch"]

if TYPE_CHECKING:
    LinkState = Base
    LivenessState = Base
else:
    LinkState = find("link", "LinkState", Base)
    LivenessState = find("link", "LivenessState", Base)

# Of a link: whether it is done, or declined.
take_message: Callable[[Any, bytes], bool | None] = find("link", "take_message_of")
write_batch: Callable[[Any], bool | None] = find("link", "write_batch")

_set_events: Callable[..., None] = find("link", "set_events", decline)
_set_events(events.Data, events.StreamOpened, events.Reply, events.WholeReply, events.Writable)
_set_parts: Callable[..., None] = find("link", "set_parts", decline)
_set_parts(write_pieces)

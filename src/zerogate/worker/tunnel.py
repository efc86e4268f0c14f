"""A call whose client asks to switch protocols: until the host opens its tunnel it is a call like any other.

In a tunnel both ways carry octets. What comes goes to the `receiver` at once, which owes `consumed` for it: that is
what slows the client down. What goes is `send_body`, and `drain` as ever; `send_body(b"", False)` closes our half.
"""

from typing import Protocol

from zerogate.link.handlers import Fields
from zerogate.link.link import Link
from zerogate.wire.spdy.frames import RstStatus
from zerogate.wire.spdy.streams import Stream
from zerogate.worker.call import BODY, NEW, Call, CallOwner
from zerogate.worker.errors import ApplicationError
from zerogate.worker.request_block import RequestFields


class Receiver(Protocol):
    """Who speaks the protocol that was switched to."""

    def on_octets(self, data: bytes, fin: bool) -> None:
        """The client has sent something; with `fin` it has closed its half."""

    def on_room(self) -> None:
        """All that was sent has gone on to the router."""

    def on_gone(self) -> None:
        """The client has left, or the link has, maybe before there was a tunnel."""


class UpgradeCall(Call):
    """See the module.

    receiver: who hears of the tunnel; set by the host
    is_open: the tunnel is there
    has_half_closed: the client had closed its half before that
    """

    __slots__ = ("has_half_closed", "is_open", "receiver")

    def __init__(self, owner: CallOwner, link: Link, stream: Stream, fields: RequestFields, fin: bool) -> None:
        super().__init__(owner, link, stream, fields, fin)
        self.receiver: Receiver | None = None
        self.is_open = False
        self.has_half_closed = fin

    @property
    def is_over(self) -> bool:
        """Both ways have ended, or nobody is at the other end any more."""
        return self.is_gone or self._stream.is_gone

    @property
    def pending_bytes(self) -> int:
        """What was sent and has no credit yet."""
        return self._stream.pending_bytes

    def open_tunnel(self, block: bytes) -> None:
        """Switch protocols; `block` is the raw name/value block of the 101. Raises as `begin_reply` does."""
        if self.stage != NEW:
            self._check_not_gone()
            raise ApplicationError("the reply was begun twice")
        self.link.send_reply(self._stream, block, False)
        self.stage = BODY
        self.is_open = True
        self._owner = self._owner.set_apart(self.link)
        if self.has_half_closed:
            self._tell(b"", True)

    def consumed(self, n_bytes: int) -> None:
        """So much of what came has gone on: the client may send as much again."""
        self.link.consumed(self._stream, n_bytes)

    async def changed(self) -> None:
        """Wait until something has happened: `wake` says so, too."""
        await self._wait()

    def wake(self) -> None:
        """Something has happened."""
        if self._waiters:
            self._wake()

    def let_end(self) -> None:
        """The client has left in its protocol's own way: the work has as long as after any other leaving."""
        if self._timer is None and self.work is not None:
            self._timer = self._owner.loop.call_later(self._owner.cancel_after, self.work.cancel)

    def end(self) -> None:
        if self.is_open and not self.is_over:
            # Nobody is to blame if the client's half is still open.
            self._complete()
            self.link.reset(self._stream, RstStatus.CANCEL)
        super().end()

    # The link's side

    def on_headers(self, fields: Fields, fin: bool) -> None:
        if fin:
            self.on_data(b"", True)

    def on_data(self, data: bytes, fin: bool) -> None:
        if self.is_open:
            self._tell(data, fin)
            return
        # Who sends before the 101 speaks to nobody.
        self.consumed(len(data))
        self.has_half_closed = self.has_half_closed or fin

    def on_writable(self) -> None:
        super().on_writable()
        if self.receiver is not None:
            self.receiver.on_room()

    def _leave(self) -> None:
        super()._leave()
        if self.receiver is not None:
            self.receiver.on_gone()

    def _tell(self, data: bytes, fin: bool) -> None:
        if self.receiver is not None:
            self.receiver.on_octets(data, fin)
        else:
            self.consumed(len(data))

"""What an exchange asks of its client, whatever version of HTTP that speaks."""

from typing import TYPE_CHECKING, Protocol

from zerogate.link.handlers import Fields
from zerogate.wire.http.errors import HttpError

if TYPE_CHECKING:
    from zerogate.router.interim import Interim, NoInterim


class Client(Protocol):
    """The client's side of an exchange, whatever version of HTTP it speaks."""

    is_writable: bool
    address: str
    interim: "Interim | NoInterim"

    def begin_reply(self, fields: Fields, fin: bool) -> None:
        """Send the reply's head, and expect its body. Raises ReplyError, having sent nothing.

        After a 101 bytes are passed on as they are, and without time-outs.
        """

    def send_reply(self, fields: Fields, body: bytes) -> None:
        """Send a whole reply. Raises ReplyError, having sent nothing."""

    def send_body(self, data: bytes, fin: bool) -> None:
        """Send a piece of the reply's body. Raises ReplyError."""

    def send_trailers(self, trailers: Fields) -> None:
        """End the reply with trailers. Raises ReplyError."""

    def fail(self, error: HttpError) -> None:
        """Send an error reply; the exchange is over."""

    def cut(self) -> None:
        """The reply cannot be completed: end so that the client sees that. The exchange is over."""

    def end_exchange(self) -> None:
        """The reply is complete; the exchange is over."""

    def pause_body(self) -> None:
        """Take no more of the request's body for now."""

    def resume_body(self) -> None:
        """Take it again."""

    def expect(self, seconds: float) -> None:
        """Call `Exchange.on_deadline` if nothing more comes within `seconds`."""

    def unsent_bytes(self) -> int:
        """What the client has not taken yet."""

"""The two faces between a client and what answers it, in HTTP's words, whatever version of HTTP carries them.

A **client** (`Client`) is one client's side of one exchange at a time: of HTTP/1 that is the connection, of a version
that multiplexes it is a stream of it. An **exchange** (`ClientExchange`) is what answers: the router's own (`admin.py`)
or a worker by way of a link (`exchange.py`). Neither knows more of the other than this.

What goes by, in order; nothing but `cut`, `send_error` and the events below may come between:

    client    begin, (receive_body)*, receive_end; receive_pause where the end did not come along with the beginning
    exchange  (send_interim)*, then one of
                send_whole                              a reply that is all there
                send_head, (send_body)*, send_end       a reply in pieces
                open_tunnel, (send_body)*, send_end     a tunnel: from here both ways carry octets, and each end is half
                send_error                              nobody answered, or not in time
                cut                                     the reply cannot be completed
              then `end`, always, and once: the client may begin its next exchange

**Body credit.** A client may hand over BODY_CREDIT_BYTES of a request's body (or of a tunnel) beyond what it has been
credited: the exchange credits bytes when they have gone on. This is what slows a client down to its worker's pace. An
exchange that has no room for even that much says `hold_body`.

**Reply credit.** While `is_writable` is false the client takes no more; `resume_reply` follows. This is what slows a
worker down to its client's pace.
"""

from collections.abc import Sequence
from typing import Protocol

from zerogate.wire.http.errors import HttpError
from zerogate.wire.http.reply import ReplyHead

Pairs = Sequence[tuple[bytes, bytes]]

# So much of a request's body may wait for a worker or its credit before the client is slowed down.
BODY_CREDIT_BYTES = 64 * 1024

# A client that does not keep up with what it is sent is looked at this often, or every `--idle-timeout` if that is
# less: long enough for a line that is down for a moment.
TAKING_WINDOW_S = 30.0


class Client(Protocol):
    """What an exchange asks of its client.

    address: the peer's, for logs
    is_writable: whether the client takes more of its reply
    bytes_out: octets sent for this exchange, heads and framing included
    """

    address: str
    is_writable: bool
    bytes_out: int

    def send_interim(self, status: int, fields: Pairs) -> None:
        """Send an interim reply (1xx), to clients that can be told so."""

    def send_head(self, head: ReplyHead, *, fin: bool) -> None:
        """Begin the reply; with `fin` that was all of it."""

    def send_whole(self, head: ReplyHead, body: bytes) -> None:
        """Send a whole reply, whose length is right."""

    def send_body(self, data: bytes) -> None:
        """Send a piece of the reply's body, or of what goes through a tunnel."""

    def send_end(self, trailers: Pairs = ()) -> None:
        """The body is complete; of a tunnel: nothing more comes this way."""

    def open_tunnel(self, head: ReplyHead) -> None:
        """Switch protocols: octets pass from here on, and no time-outs run."""

    def send_error(self, error: HttpError, request_id: bytes) -> None:
        """Send an error reply."""

    def cut(self) -> None:
        """The reply cannot be completed: end so that the client sees that."""

    def credit_body(self, n_bytes: int) -> None:
        """`n_bytes` of the request's body have gone on: as many more may come."""

    def hold_body(self) -> None:
        """Whatever credit there is: nothing more may come until the next is given."""

    def expect(self, seconds: float) -> None:
        """Call `ClientExchange.expire` if nothing more comes within `seconds`. The last word counts."""

    def unsent_bytes(self) -> int:
        """What the client has not taken yet."""

    def end(self) -> None:
        """The exchange is over."""


class ClientExchange(Protocol):
    """What a client asks of an exchange, after `begin`. Whatever comes after the exchange's end is ignored."""

    def begin(self) -> None:
        """The client has the exchange, and can be answered."""

    def receive_body(self, data: bytes) -> None:
        """A piece of the request's body, or of what the client sends through a tunnel. Is to be credited."""

    def receive_pause(self) -> None:
        """What came together with the request's head has been handed over, and its body's end was not there."""

    def receive_end(self, trailers: Pairs) -> None:
        """The request's body is complete; or the client has closed its half of a tunnel."""

    def resume_reply(self) -> None:
        """The client has taken what was sent to it, and `is_writable` again."""

    def reject_request(self, error: HttpError) -> None:
        """The rest of the request is malformed: say so if that can still be said."""

    def abandon(self) -> None:
        """The client has left."""

    def expire(self) -> None:
        """Nothing has come for as long as was allowed (`Client.expect`)."""

    def shut_down(self) -> None:
        """The router stops, and the time to finish is over."""

    def break_off(self) -> None:
        """A bug of ours has stopped it midway: end, saying what can still be said. Never raises."""


class Connection(Protocol):
    """What the router asks of a client's connection, which carries one exchange or many."""

    def close_if_idle(self) -> None:
        """End, unless an exchange is in progress."""

    def shut_down(self) -> None:
        """End each exchange with what can still be said."""

    def abort(self) -> None:
        """End at once."""

"""Makes the clients of one desk that speak HTTP/1."""

from zerogate.router import sockets
from zerogate.router.clients.http1 import Http1Client
from zerogate.router.desk import Desk
from zerogate.wire.http.errors import HttpError
from zerogate.wire.http1 import Connection, HttpLimits


class Http1Clients:
    """Makes the clients of one desk: what they have in common."""

    def __init__(self, desk: Desk) -> None:
        of = desk.settings
        self._desk = desk
        self._limits = HttpLimits(of.max_head, of.max_fields, of.max_target, max_body_bytes=of.max_body)

    def __call__(self, ends: sockets.Ends | None = None, refusal: HttpError | None = None) -> Http1Client:
        """`ends`: where the transport does not know them; `refusal`: why the client is not served, as it is told."""
        return Http1Client(self._desk, Connection(self._limits), ends, refusal)

"""`--redirect-https`: whoever comes without TLS is sent to the same place with it."""

from collections.abc import Callable

from zerogate.router.desk import Answer, Desk
from zerogate.router.faces import Client, ClientExchange
from zerogate.router.forwarding import Forwarding
from zerogate.router.own import OwnExchange
from zerogate.wire.http.hosts import is_valid_host
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead

HTTP_PORT = b":80"
HTTPS_PORT = 443


class Redirect:
    """Stands before another answer (`desk.Answer`). `tls_port` is where TLS is spoken, 0 for nowhere that is known."""

    def __init__(self, answer: Answer, tls_port: Callable[[], int]) -> None:
        self._answer = answer
        self._tls_port = tls_port

    def __call__(
        self, desk: Desk, client: Client, head: RequestHead, forwarding: Forwarding, request_id: bytes
    ) -> ClientExchange:
        told = forwarding.told(head) if forwarding.is_trusted else None
        if (forwarding.scheme if told is None else told.scheme) == b"https":
            return self._answer(desk, client, head, forwarding, request_id)
        host = told.host if told is not None and is_valid_host(told.host) else head.host
        location = self._location(host or forwarding.local_host, head, forwarding.local_host)
        return OwnExchange(desk, client, head, request_id, lambda: _send_to(location))

    def _location(self, host: bytes, head: RequestHead, local_host: bytes) -> bytes:
        """The same place, at our port for TLS.

        Who names no port has come to port 80. If that is not ours, somebody before us maps ports: 443 as well, then.
        """
        name, colon, port = host.rpartition(b":")
        has_port = colon and not port.endswith(b"]")
        tls_port = self._tls_port() if has_port or local_host.endswith(HTTP_PORT) else HTTPS_PORT
        place = name if has_port else host
        if tls_port not in (0, HTTPS_PORT):
            place = b"%b:%d" % (place, tls_port)
        return b"https://%b%b" % (place, head.target if head.target.startswith(b"/") else b"/")


def _send_to(location: bytes) -> tuple[ReplyHead, bytes]:
    body = b"308: %b\n" % location
    fields = [
        (b"location", location),
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", b"%d" % len(body)),
    ]
    return ReplyHead.of(308, fields), body

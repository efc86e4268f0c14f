"""A WebSocket client at the router's end of a link, made of `websockets`' sans-I/O protocol."""

import base64
from typing import Any

from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from websockets.frames import Frame
from websockets.headers import parse_extension
from websockets.protocol import CLIENT, Protocol

from tests.support.router_end import Asked, RouterEnd, until

KEY = base64.b64encode(b"0123456789abcdef")
HANDSHAKE = (
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", KEY),
)
DEFLATE = ClientPerMessageDeflateFactory()


class WebSocketClient:
    """`asked` is the request on its stream, `frames` what has come."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.protocol = Protocol(CLIENT, max_size=None)
        self.frames: list[Frame] = []
        self._n_read = 0

    def look(self) -> None:
        """Take what has come into account."""
        body = self.asked.body
        data, self._n_read = body[self._n_read :], len(body)
        if self._n_read == len(body) and data:
            self.protocol.receive_data(data)
        self.frames += [frame for frame in self.protocol.events_received() if isinstance(frame, Frame)]
        self._flush()

    async def recv(self) -> Any:
        """The next message or control frame's data."""

        def has_come() -> bool:
            self.look()
            return bool(self.frames)

        await until(has_come, "a frame")
        return bytes(self.frames.pop(0).data)

    async def closed(self) -> tuple[int, str]:
        """Wait for the Close frame, answered by now. Returns its code and reason."""

        def has_come() -> bool:
            self.look()
            return self.protocol.close_rcvd is not None

        await until(has_come, "a Close frame")
        assert self.protocol.close_rcvd is not None
        return int(self.protocol.close_rcvd.code), self.protocol.close_rcvd.reason

    def send(self, message: str | bytes, fin: bool = True) -> None:
        if isinstance(message, str):
            self.protocol.send_text(message.encode(), fin)
        else:
            self.protocol.send_binary(message, fin)
        self._flush()

    def send_more(self, data: bytes, fin: bool) -> None:
        self.protocol.send_continuation(data, fin)
        self._flush()

    def send_octets(self, octets: bytes, fin: bool = False) -> None:
        """Whatever they are."""
        self.asked.send(octets, fin)

    def ping(self, data: bytes) -> None:
        self.protocol.send_ping(data)
        self._flush()

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.protocol.send_close(code, reason)
        self._flush()

    def hang_up(self) -> None:
        """Close our half, as a client does who has closed its connection."""
        self.asked.send(b"", fin=True)

    def _flush(self) -> None:
        if data := b"".join(self.protocol.data_to_send()):
            self.asked.send(data)


def ask(router: RouterEnd, path: str = "/", *pairs: tuple[bytes, bytes], **more: Any) -> Asked:
    """Send a handshake."""
    return router.ask(path, *(HANDSHAKE + pairs), body=None, **more)


async def connect(
    router: RouterEnd, path: str = "/", *pairs: tuple[bytes, bytes], deflate: bool = False, **more: Any
) -> WebSocketClient:
    """A handshake that is accepted."""
    if deflate:
        pairs += ((b"sec-websocket-extensions", b"permessage-deflate; client_max_window_bits"),)
    asked = ask(router, path, *pairs, **more)
    await until(lambda: asked.fields or asked.is_over, "an answer to the handshake")
    assert asked.status == "101", asked.status
    client = WebSocketClient(asked)
    for name, parameters in parse_extension(asked.fields.get(b"sec-websocket-extensions", b"").decode() or "x"):
        if name == DEFLATE.name:
            client.protocol.extensions = [DEFLATE.process_response_params(parameters, [])]
    return client

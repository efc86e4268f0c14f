"""Asks a real `Http1Client` in octets, over a transport in memory, and reads its reply."""

from tests.support.memory_transport import MemoryTransport
from zerogate.router.clients.http1_clients import Http1Clients

WEBSOCKET_KEY = b"AAAAAAAAAAAAAAAAAAAAAA=="


class Http1Connection:
    """One client's connection."""

    def __init__(self, clients: Http1Clients) -> None:
        self.client = clients()
        self.transport = MemoryTransport(self.client)

    def request(
        self,
        method: bytes = b"GET",
        target: bytes = b"/",
        fields: "list[tuple[bytes, bytes]] | None" = None,
        *,
        host: bytes = b"a.example",
        version: bytes = b"HTTP/1.1",
        length: int | None = None,
        has_body: bool = False,
        expects_continue: bool = False,
        upgrade: bytes = b"",
        window_bytes: int | None = None,
    ) -> "Http1Ask":
        lines = [b"%b %b %b" % (method, target, version), b"host: " + host]
        lines += [name + b": " + value for name, value in fields or []]
        if length is not None:
            lines.append(b"content-length: %d" % length)
        is_chunked = has_body and length is None
        if is_chunked:
            lines.append(b"transfer-encoding: chunked")
        if expects_continue:
            lines.append(b"expect: 100-continue")
        if upgrade:
            lines += [b"connection: upgrade", b"upgrade: " + upgrade]
            lines += [b"sec-websocket-version: 13", b"sec-websocket-key: " + WEBSOCKET_KEY]
        if window_bytes is not None:
            self.transport.is_taking = False
            self.transport.set_write_buffer_limits(high=window_bytes)
        ask = Http1Ask(self.transport, method, is_chunked=is_chunked, is_upgrade=bool(upgrade))
        self.transport.say(b"\r\n".join([*lines, b"", b""]))
        return ask


class Http1Ask:
    """One request over it, and what came of it, read anew whenever it is looked at."""

    def __init__(self, transport: MemoryTransport, method: bytes, *, is_chunked: bool, is_upgrade: bool) -> None:
        self._transport = transport
        self._method = method
        self._is_chunked = is_chunked
        self._is_upgrade = is_upgrade
        self._begin = len(transport.octets)

    def __repr__(self) -> str:
        return f"<Http1Ask {bytes(self._transport.octets[self._begin :])[:200]!r}>"

    def send(self, data: bytes) -> None:
        self._transport.say(b"%x\r\n%b\r\n" % (len(data), data) if self._is_chunked else data)

    def finish(self, trailers: "list[tuple[bytes, bytes]] | tuple[()]" = ()) -> None:
        if self._is_chunked:
            lines = [b"0", *(name + b": " + value for name, value in trailers), b"", b""]
            self._transport.say(b"\r\n".join(lines))
        elif self._is_upgrade:
            self._transport.say_eof()

    def leave(self) -> None:
        self._transport.lose()

    def take(self) -> None:
        self._transport.take()

    def take_slowly(self, n_bytes: int) -> None:
        self._transport.take(n_bytes)

    @property
    def is_writable(self) -> bool:
        return not self._transport._is_protocol_paused

    @property
    def interims(self) -> list[int]:
        return self._read()[0]

    @property
    def status(self) -> int:
        return self._read()[1]

    @property
    def fields(self) -> dict[bytes, bytes]:
        return self._read()[2]

    @property
    def body(self) -> bytes:
        return self._read()[3]

    @property
    def trailers(self) -> list[tuple[bytes, bytes]]:
        return self._read()[4]

    @property
    def is_complete(self) -> bool:
        return self._read()[5]

    @property
    def is_cut(self) -> bool:
        """The connection ended, and not as it should."""
        is_reset = self._transport.sock.is_set_to_reset
        return self._transport.is_lost and bool(self.status) and (is_reset or not self.is_complete)

    @property
    def is_lost(self) -> bool:
        """The connection is gone."""
        return self._transport.is_lost

    @property
    def has_tunnel_ended(self) -> bool:
        return self._transport.is_eof_written

    @property
    def error(self) -> str:
        return self.fields.get(b"zerogate-error", b"").decode()

    def _read(self) -> tuple[list[int], int, dict[bytes, bytes], bytes, list[tuple[bytes, bytes]], bool]:
        octets = bytes(self._transport.octets[self._begin :])
        interims: list[int] = []
        while True:
            head, end, rest = octets.partition(b"\r\n\r\n")
            if not end:
                return interims, 0, {}, b"", [], False
            first, *lines = head.split(b"\r\n")
            status = int(first.split(b" ")[1])
            if status == 101 or status >= 200:
                break
            interims.append(status)
            octets = rest
        fields = {name: value for name, _, value in (line.partition(b": ") for line in lines)}
        body, trailers, is_complete = rest, list[tuple[bytes, bytes]](), False
        if status == 101:
            is_complete = self._transport.is_lost and self._transport.is_eof_written
        elif self._method == b"HEAD" or status in (204, 304):
            assert not rest
            is_complete = True
        elif b"content-length" in fields:
            assert len(rest) <= int(fields[b"content-length"])
            is_complete = len(rest) == int(fields[b"content-length"])
        elif fields.get(b"transfer-encoding") == b"chunked":
            body, trailers, is_complete = _unchunk(rest)
        else:
            is_complete = self._transport.is_closing() or self._transport.is_eof_written
        return interims, status, fields, body, trailers, is_complete


def _unchunk(octets: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bool]:
    body = b""
    while octets:
        size, end, octets = octets.partition(b"\r\n")
        if not end:
            break
        if int(size, 16):
            body += octets[: int(size, 16)]
            octets = octets[int(size, 16) + 2 :]
            continue
        assert octets.endswith(b"\r\n")
        lines = [line.partition(b": ") for line in octets[:-2].split(b"\r\n") if line]
        return body, [(name, value) for name, _, value in lines], True
    return body, [], False

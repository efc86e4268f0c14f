"""One WebSocket between its client and an ASGI application (ASGI 3, WebSocket connection scope 2.4).

    CONNECTING  the application has neither accepted nor refused
    DENYING     it refuses with a reply of its own, whose body is going out (websocket.http.response)
    OPEN        accepted: messages go both ways
    CLOSED      by the application, or refused by it
    LEFT        the client has closed or is gone; or we have closed without being told by the application

**Credit.** What the client sends is read, and credited to it, while few messages wait for the application and little of
ours waits for the client: that slows a client down to its application's pace, and one that asks for pongs to its own.
So a connection keeps at most a window of octets, MAX_WAITING_BYTES of messages, and one message of `--ws-max-size`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from zerogate.link.link import Link
from zerogate.settings import WebSocketSettings
from zerogate.wire.pieces import JOINED_BYTES, add_piece
from zerogate.worker.asgi_types import Message
from zerogate.worker.call import MAX_PENDING_BYTES
from zerogate.worker.errors import ApplicationError, ClientDisconnected
from zerogate.worker.reply_block import reply_block
from zerogate.worker.tunnel import Receiver, UpgradeCall
from zerogate.worker.websocket_frames import Framing
from zerogate.worker.websocket_handshake import FORBIDDEN_BLOCK, accept_block, negotiate_deflate
from zerogate.worker.websocket_pings import Pings

logger = logging.getLogger("zerogate.worker")

CONNECTING: Final = 0
DENYING: Final = 1
OPEN: Final = 2
CLOSED: Final = 3
LEFT: Final = 4
STATE_NAMES: Final = ("CONNECTING", "DENYING", "OPEN", "CLOSED", "LEFT")

# RFC 6455, 7.4.1.
NORMAL: Final = 1000
NO_STATUS: Final = 1005
ABNORMAL: Final = 1006
INTERNAL_ERROR: Final = 1011
SERVICE_RESTART: Final = 1012

# Of messages that wait for the application before the client is read no further; and what each counts for, however
# short: objects have a size.
MAX_WAITING_BYTES: Final = 64 * 1024
MESSAGE_BYTES: Final = 64

# What is compressed is read in such pieces, since each may become a thousand times as much (RFC 1951): 4 MiB here.
DEFLATED_PIECE_BYTES: Final = JOINED_BYTES

# For a client to answer our Close, and to close its connection (RFC 6455, 7.1.1: the server waits "a reasonable time");
# and to take more of what stands before our Close.
CLOSE_TIMEOUT_S: Final = 10.0


class WebSocketOwner(Protocol):
    """Who has WebSockets. `is_draining`: the worker is leaving, and its stop has a time of its own."""

    loop: asyncio.AbstractEventLoop
    settings: WebSocketSettings
    is_draining: bool

    def is_leaving(self, link: Link) -> bool:
        """Whether nothing is to go on for long over this link."""


class WebSocket(Receiver):
    """See the module. `call` is its request, and the way to the client."""

    __slots__ = (
        "_disconnect",
        "_framing",
        "_has_given_up",
        "_is_connect_told",
        "_is_eof",
        "_is_fin_sent",
        "_owner",
        "_piece_bytes",
        "_pings",
        "_put_bytes",
        "_timer",
        "_unread",
        "_waiting",
        "_waiting_bytes",
        "call",
        "state",
    )

    def __init__(self, owner: WebSocketOwner, call: UpgradeCall) -> None:
        self._owner = owner
        self.call = call
        self.state = CONNECTING
        self._framing: Framing | None = None
        self._disconnect: Message | None = None
        self._is_connect_told = False
        # What has come and was not looked at; messages that wait for the application.
        self._unread: deque[bytes] = deque()
        self._is_eof = False
        self._piece_bytes = 0
        self._waiting: deque[str | bytes] = deque()
        self._waiting_bytes = 0
        self._is_fin_sent = False
        self._put_bytes = 0
        self._pings = Pings(owner.settings, owner.loop)
        self._has_given_up = False
        self._timer: asyncio.TimerHandle | None = None
        call.receiver = self

    def __repr__(self) -> str:
        return f"<WebSocket {self.call.label} {STATE_NAMES[self.state]}>"

    # The application's side

    async def receive(self) -> Message:
        """ASGI receive: `websocket.connect`, messages as they come, then `websocket.disconnect` for ever."""
        if not self._is_connect_told:
            self._is_connect_told = True
            return {"type": "websocket.connect"}
        while True:
            if self._waiting:
                return self._take()
            if self._disconnect is not None:
                # Who asks again and again must not stop the event loop, and can be cancelled here.
                await asyncio.sleep(0)
                return {**self._disconnect}
            await self.call.changed()

    async def send(self, message: Message) -> None:
        """ASGI send. Raises ClientDisconnected, and ApplicationError for a message that has no place here."""
        act = SENDS[self.state].get(message["type"])
        if act is None:
            if self.state == LEFT:
                await asyncio.sleep(0)
                raise ClientDisconnected("the client has left")
            raise ApplicationError(f"{message['type']!r} has no place here: {STATE_WORDS[self.state]}")
        if act(self, message):
            await self.call.drain()

    def _accept(self, message: Message) -> bool:
        call = self.call
        fields = call.fields
        answers, extensions = negotiate_deflate(fields) if self._owner.settings.ws_deflate else ([], [])
        block = accept_block(fields, message.get("subprotocol"), message.get("headers") or (), answers)
        self._framing = Framing(self._owner.settings.ws_max_size, extensions)
        self._piece_bytes = DEFLATED_PIECE_BYTES if extensions else 0
        self.state = OPEN
        call.open_tunnel(block)
        if self._owner.is_leaving(call.link):
            self.drain()
        else:
            self._pings.start(self)
        return False

    def _refuse(self, message: Message) -> bool:
        self.call.begin_reply(FORBIDDEN_BLOCK)
        self.call.send_body(b"", False)
        self._leave(CLOSED, ABNORMAL, "")
        return False

    def _deny(self, message: Message) -> bool:
        self.call.begin_reply(reply_block(message["status"], message.get("headers") or ()))
        self.state = DENYING
        return False

    def _deny_on(self, message: Message) -> bool:
        more = message.get("more_body", False)
        is_full = self.call.send_body(message.get("body", b""), more)
        if not more:
            self._leave(CLOSED, ABNORMAL, "")
        return is_full

    def _send(self, message: Message) -> bool:
        data = message.get("text")
        if data is None:
            data = message.get("bytes")
            if isinstance(data, bytearray | memoryview):
                data = bytes(data)
            if not isinstance(data, bytes):
                raise ApplicationError(f"a message has a text, or bytes, and not {type(data).__name__}")
        elif not isinstance(data, str):
            raise ApplicationError(f"a message's text is a str, not {type(data).__name__}")
        assert self._framing is not None
        return self._put(self._framing.send(data))

    def _close(self, message: Message) -> bool:
        code = message.get("code")
        self._send_close(NORMAL if code is None else code, message.get("reason") or "", CLOSED)
        self._waiting.clear()
        return False

    def _ignore(self, message: Message) -> bool:
        return False

    # Ways out

    def finish(self) -> None:
        """The application has returned."""
        if self.state == OPEN:
            self._send_close(NORMAL, "", CLOSED)
        elif self.state <= DENYING:
            logger.error("%s: the application ended, and had neither accepted nor refused", self.call.label)
            self.call.break_off()

    def fail(self) -> None:
        """The application has raised."""
        if self.state == OPEN:
            self._send_close(INTERNAL_ERROR, "", CLOSED)
        elif self.state <= DENYING:
            self.call.break_off()

    def drain(self) -> None:
        """The worker is leaving, or its router."""
        if self.state == OPEN:
            self._send_close(SERVICE_RESTART, "", LEFT)

    async def see_off(self) -> None:
        """Wait until the client has closed, too, or its time for it is over."""
        if not self.call.is_open or self.call.is_over:
            return
        self._waiting.clear()
        self._read()
        self._await_close()
        while not self.call.is_over and not self._has_given_up:
            await self.call.changed()
        self._stop_timer()

    def end(self) -> None:
        """No work goes on."""
        self._stop_timer()
        self._pings.stop()
        if self._framing is not None:
            self._framing.release()
        self.call.receiver = None
        self.call.end()

    # The client's side (Receiver)

    def on_octets(self, data: bytes, fin: bool) -> None:
        self._pings.has_heard = True
        self._is_eof = self._is_eof or fin
        size = self._piece_bytes
        if not size or len(data) <= size:
            add_piece(self._unread, data)
        else:
            self._unread.extend(data[at : at + size] for at in range(0, len(data), size))
        self._read()

    def on_room(self) -> None:
        self._read()

    def on_gone(self) -> None:
        self._unread.clear()
        self._leave(LEFT, ABNORMAL, "")

    # Whether it is there (websocket_pings.Pinged)

    @property
    def has_unread(self) -> bool:
        return bool(self._unread)

    @property
    def pending_bytes(self) -> int:
        return self.call.pending_bytes

    @property
    def taken_bytes(self) -> int:
        return self._put_bytes - self.call.pending_bytes

    def ping(self) -> None:
        assert self._framing is not None
        self._put(self._framing.ping())

    def give_up(self) -> None:
        assert self._framing is not None
        self._framing.fail(INTERNAL_ERROR, "keepalive ping timeout")
        self._say()

    # Inside

    def _take(self) -> Message:
        message = self._waiting.popleft()
        self._waiting_bytes -= len(message) + MESSAGE_BYTES
        if self._unread:
            self._read()
        if isinstance(message, str):
            return {"type": "websocket.receive", "text": message}
        return {"type": "websocket.receive", "bytes": message}

    def _read(self) -> None:
        """Look at what has come, as far as there is room for what it may become."""
        framing = self._framing
        if framing is None:
            return
        call = self.call
        unread = self._unread
        while unread and call.pending_bytes <= MAX_PENDING_BYTES:
            if self.state == OPEN and self._waiting_bytes > MAX_WAITING_BYTES:
                break
            data = unread.popleft()
            messages = framing.receive(data)
            call.consumed(len(data))
            if self.state == OPEN:
                self._waiting.extend(messages)
                self._waiting_bytes += sum(len(message) + MESSAGE_BYTES for message in messages)
            self._say()
        if self._is_eof and not unread:
            self._is_eof = False
            framing.receive_eof()
            self._say()
        call.wake()

    def _say(self) -> None:
        """Send what follows from what has come: pongs, a Close, the end."""
        framing = self._framing
        assert framing is not None
        octets, is_end = framing.take_output()
        if self._is_fin_sent or self.call.is_gone:
            return
        if octets:
            self._put(octets)
        if is_end:
            self._is_fin_sent = True
            self.call.send_body(b"", False)
        if (self.state == OPEN and framing.is_closing) or is_end:
            code, reason = framing.close or (ABNORMAL, "")
            self._leave(LEFT, code, reason)

    def _send_close(self, code: int, reason: str, state: int) -> None:
        assert self._framing is not None
        self._put(self._framing.send_close(code, reason))
        self._leave(state, code, reason)

    def _leave(self, state: int, code: int, reason: str) -> None:
        """It is over for the application: what it was told first counts."""
        if self.state in (CLOSED, LEFT):
            return
        self.state = state
        self._disconnect = {"type": "websocket.disconnect", "code": code, "reason": reason}
        self._pings.stop()
        if state == LEFT and not self._owner.is_draining:
            self.call.let_end()
        self.call.wake()

    def _put(self, octets: bytes) -> bool:
        """Send them. Whether to wait for the client before the next."""
        self._put_bytes += len(octets)
        return self.call.send_body(octets, True)

    def _await_close(self) -> None:
        self._timer = self._owner.loop.call_later(CLOSE_TIMEOUT_S, self._look_for_close, self.taken_bytes)

    def _look_for_close(self, taken_bytes: int) -> None:
        if self.pending_bytes and self.taken_bytes > taken_bytes:
            self._await_close()  # It has yet to come to it.
            return
        self._has_given_up = True
        self.call.wake()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


Act = Callable[[WebSocket, Message], bool]

# What an application may send, when. What a row lacks raises; each returns whether to wait for the client.
SENDS: Final[tuple[dict[str, Act], ...]] = (
    {
        "websocket.accept": WebSocket._accept,
        "websocket.close": WebSocket._refuse,
        "websocket.http.response.start": WebSocket._deny,
    },
    {"websocket.http.response.body": WebSocket._deny_on},
    {"websocket.send": WebSocket._send, "websocket.close": WebSocket._close},
    {},
    {"websocket.close": WebSocket._ignore},
)
STATE_WORDS: Final = (
    "a handshake is accepted, closed, or denied",
    "the denial's body is due",
    "the connection is open",
    "the connection was closed",
    "the client has left",
)

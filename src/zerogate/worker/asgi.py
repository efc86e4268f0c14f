"""The ASGI host: one call of the application for each request (ASGI 3, HTTP connection scope 2.4).

`receive` hands out the request's body as it has come. The reply goes out as the application sends it; `await send()`
returns late if the client reads slowly.
"""

import asyncio
import logging
from types import MethodType
from urllib.parse import unquote_to_bytes

from zerogate.link.link import Link
from zerogate.native.compiled import find, prefer
from zerogate.settings import WebSocketSettings
from zerogate.wire.http.join import EARLY_HINTS
from zerogate.worker.asgi_types import EARLY_HINT, Application, Message, Scope
from zerogate.worker.call import GONE, Call
from zerogate.worker.errors import ApplicationError
from zerogate.worker.host import Host
from zerogate.worker.lifespan import Lifespan
from zerogate.worker.pathsend import send_file
from zerogate.worker.reply_block import early_hints_block, reply_block, trailers_block
from zerogate.worker.scope import http_scope
from zerogate.worker.tunnel import UpgradeCall
from zerogate.worker.websocket import WebSockets

logger = logging.getLogger("zerogate.worker")

# What is usual, compiled.
take_body = find("asgi", "take_body")
take_message = find("asgi", "take_message")


class AsgiHost(Host):
    """Hosts an ASGI application in the running event loop.

    lifespan: `auto` (an application without one is fine), `on` or `off`
    root_path: where the application is mounted
    strips_prefix: it is mounted below that, at the prefix which the router has taken off the path
    """

    upgrades = frozenset({b"websocket"})

    def __init__(
        self,
        application: Application,
        *,
        lifespan: str = "auto",
        root_path: str = "",
        strips_prefix: bool = False,
        websocket: WebSocketSettings | None = None,
    ) -> None:
        self._application = application
        self._lifespan = Lifespan(application, lifespan)
        self._root_path = root_path
        self._strips_prefix = strips_prefix
        self._loop = asyncio.get_running_loop()
        self._websockets = WebSockets(application, websocket or WebSocketSettings())

    async def start(self) -> None:
        await self._lifespan.startup()

    async def stop(self) -> None:
        await self._lifespan.shutdown()

    def begin(self, call: Call) -> None:
        root_path = self._root_path_of(call) if self._strips_prefix else self._root_path
        scope = http_scope(call.fields, root_path, self._lifespan.state)
        if EARLY_HINTS in call.link.accepts:
            scope["extensions"][EARLY_HINT] = {}
        # What: not loop.create_task. Why, benchmark: that makes up a name for each task, 0.85 µs instead of 1.0.
        call.work = asyncio.Task(self._run(call, scope), loop=self._loop, name="request")

    def upgrade(self, call: UpgradeCall) -> None:
        self._websockets.begin(call, self._root_path_of(call), self._lifespan.state)

    def drain(self, link: Link | None = None) -> None:
        self._websockets.drain(link)

    def _root_path_of(self, call: Call) -> str:
        root_path = self._root_path
        if self._strips_prefix:
            prefix = call.fields.get(b"x-forwarded-prefix", b"")
            root_path += (unquote_to_bytes(prefix) if b"%" in prefix else prefix).decode("utf-8", "replace")
        return root_path

    async def _run(self, call: Call, scope: Scope) -> None:
        """Call the application and see the reply through, whatever it does."""
        try:
            if not call.is_gone:  # Nothing is begun for who has left already.
                # What: functions bound by hand. Why: a class for the two would be one more object a request.
                await self._application(scope, MethodType(_receive, call), MethodType(_send, call))
        except asyncio.CancelledError:
            call.break_off()
        except (Exception, SystemExit):
            if call.stage == GONE:
                # Whatever an application makes of ClientDisconnected or http.disconnect: it is no failure.
                logger.debug("%s ended after its client had left", call.label, exc_info=True)
            else:
                logger.exception("%s failed", call.label)
                call.break_off()
        finally:
            call.end()


async def receive(call: Call) -> Message:
    """ASGI receive: the body's next piece; `http.disconnect` once the client has left or the reply is complete."""
    return take_body(call) or await careful_receive(call)


async def careful_receive(call: Call) -> Message:
    """The same, whatever there is to receive."""
    data = call.take_body()
    if data is None:
        data = await call.read_body()
        if data is None:
            return {"type": "http.disconnect"}
    return {"type": "http.request", "body": data, "more_body": not call.has_body_ended}


async def send(call: Call, message: Message) -> None:
    """ASGI send. Raises ClientDisconnected, and ApplicationError for a message that has no place here."""
    is_much: bool | None = take_message(call, message)
    if is_much is None:
        await careful_send(call, message)
    elif is_much:
        await call.drain()


async def careful_send(call: Call, message: Message) -> None:
    """The same, whatever is said."""
    if call.stage == GONE:
        # Who sends on and on must not stop the event loop, and can be cancelled here.
        await asyncio.sleep(0)
    kind = message["type"]
    if kind == "http.response.body":
        if call.send_body(message.get("body", b""), message.get("more_body", False)):
            await call.drain()
    elif kind == "http.response.start":
        block = reply_block(message["status"], message.get("headers", ()))
        call.begin_reply(block, message.get("trailers", False))
    elif kind == "http.response.trailers":
        call.send_trailers(trailers_block(message.get("headers", ())), message.get("more_trailers", False))
    elif kind == "http.response.pathsend":
        await send_file(call, message["path"])
    elif kind == EARLY_HINT and EARLY_HINTS in call.link.accepts:
        call.send_interim(early_hints_block(message["links"]))
    else:
        raise ApplicationError(f"unexpected message {kind!r}")


_receive = prefer(receive, careful_receive)
_send = prefer(send, careful_send)

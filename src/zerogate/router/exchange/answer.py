"""What makes an exchange of a request that workers are to answer."""

from collections.abc import Callable
from typing import Any

from zerogate.errors import ReplyError
from zerogate.native.compiled import find
from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange.exchange import Exchange
from zerogate.router.faces import Client, ClientExchange
from zerogate.router.forwarding import Forwarding
from zerogate.router.request_block import request_block
from zerogate.wire.http.request import RequestHead

_make_usual: Callable[..., Any] = find("exchange", "usual_exchange")
find("exchange", "set_parts")(Exchange, ReplyError, request_block)


def make_exchange(
    dispatcher: Dispatcher, desk: Desk, client: Client, head: RequestHead, forwarding: Forwarding, request_id: bytes
) -> ClientExchange:
    """An Exchange, or what takes a shorter way as long as nothing unusual happens."""
    usual: ClientExchange | None = _make_usual(dispatcher, desk, client, head, forwarding, request_id)
    return Exchange(dispatcher, desk, client, head, forwarding, request_id) if usual is None else usual

"""What makes an exchange of a request that workers are to answer."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import find
from zerogate.router.exchange.exchange import Exchange
from zerogate.router.request_block import request_block
from zerogate.wire.http.reply import ReplyBody

# Where there is something compiled, one that gives way to an Exchange, with most requests (native/exchange.pyx).
if TYPE_CHECKING:
    make_exchange = Exchange
else:
    find("exchange", "set_parts")(Exchange, ReplyBody, request_block)
    make_exchange = find("exchange", "make_exchange", otherwise=Exchange)

"""One request and its reply, from the client's first byte to its last: see exchange.py, which has the table."""

from zerogate.router.exchange.answer import make_exchange
from zerogate.router.exchange.exchange import Exchange
from zerogate.router.exchange.passage import State

__all__ = ["Exchange", "State", "make_exchange"]

"""Which requests begin as a usual exchange: those whose heads were read natively, and have no body."""

from typing import Any

from tests.support.fakes import FakeClient, FakeDesk, FakeTimers
from zerogate.native import compiled
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.exchange import Exchange, State, make_exchange
from zerogate.router.forwarding import Forwarding
from zerogate.settings import RouterSettings
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1.heads import native_reader
from zerogate.wire.http1.limits import HttpLimits


def made_of(head: RequestHead | None) -> Any:
    dispatcher = Dispatcher(RouterSettings(), Counters(), FakeTimers())
    parts: tuple[Any, Any] = (FakeDesk([]), FakeClient([]))
    assert head is not None
    return make_exchange(dispatcher, *parts, head, Forwarding("203.0.113.9", b"http"), b"id")


def test_a_head_that_was_made_otherwise_has_an_exchange() -> None:
    assert type(made_of(RequestHead(b"GET", b"/", b"/", b"a"))) is Exchange


def test_a_usual_one_gives_way() -> None:
    if not compiled.IS_ON:
        return
    read = native_reader(HttpLimits())
    assert type(made_of(read(b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\n"))) is Exchange
    usual = made_of(read(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"))
    assert type(usual) is not Exchange
    assert (usual.status, usual.worker_name, usual.error_code, usual.retries) == (0, "", "", 0)
    assert "nobody" in repr(usual)
    assert usual.state is State.WAITING  # which only an Exchange has
    assert usual.size_bytes == usual.head.size_bytes

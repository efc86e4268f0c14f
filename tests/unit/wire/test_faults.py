"""What a peer's fault leaves behind: nothing that only the collector of cycles would free."""

import gc
import weakref
from collections.abc import Callable, Iterator

import pytest

from zerogate.wire import zmtp
from zerogate.wire.http1 import Connection, HttpLimits
from zerogate.wire.spdy.session import Session

pytestmark = pytest.mark.fast


class Holder:
    """Owns one protocol's state, as links and clients do; a weak reference to it says when all of that is gone."""

    def __init__(self, receive: Callable[[bytes], object]) -> None:
        self.receive = receive


def zmtp_connection() -> Callable[[bytes], object]:
    return zmtp.Connection(socket_type=b"ROUTER", accepts=frozenset({b"DEALER"})).receive


def session() -> Callable[[bytes], object]:
    return Session(opens_odd=True).receive


def http1_connection() -> Callable[[bytes], object]:
    return Connection(HttpLimits()).receive


FAULTS = {
    "zmtp": (zmtp_connection, b"\xff" + bytes(8) + b"\x7f\x02" + bytes(62)),
    "spdy": (session, b"\x80\x02\x00\x01\x00\x00\x00\x0a" + bytes(10)),
    "spdy block": (session, b"\x80\x03\x00\x01\x00\x00\x00\x12" + b"\x00\x00\x00\x02" + bytes(6) + b"no zlib!"),
    "http1": (http1_connection, b"GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n"),
    "http1 banner": (http1_connection, b"SSH-2.0-x\r\n"),
    "http1 chunk": (http1_connection, b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nx\r\n"),
}


@pytest.fixture
def no_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collector")
@pytest.mark.parametrize("name", FAULTS)
def test_its_connection_is_freed_at_once(name: str) -> None:
    make, octets = FAULTS[name]
    holder = Holder(make())
    # What it receives with knows the state that must go: `receive` is bound to it.
    state = holder.receive.__self__  # type: ignore[attr-defined]
    holder.receive(octets)
    assert state.error is not None
    assert gc.get_referrers(state) != []
    error = state.error
    assert (error.__traceback__, error.__context__, error.__cause__) == (None, None, None)
    gone = weakref.ref(holder)
    del holder, state
    assert gone() is None

"""A link over a transport that only notes what is written."""

import asyncio
from typing import Any

from tests.support.virtual_time import run_virtually
from tests.zmtp_peer import GREETING, READY_ROUTER, router_end
from zerogate.link.link import Link
from zerogate.settings import LinkSettings
from zerogate.wire.spdy.events import StreamOpened
from zerogate.wire.spdy.headers import encode_block
from zerogate.wire.spdy.session import Session


class Transport:
    def __init__(self) -> None:
        self.written = b""

    def set_write_buffer_limits(self, high: int) -> None: ...

    def get_extra_info(self, name: str) -> None: ...

    def write(self, data: bytes) -> None:
        self.written += data

    def get_write_buffer_size(self) -> int:
        return 0

    def close(self) -> None: ...


class Owner:
    """Opens a stream as soon as it may, as a worker does."""

    def on_connected(self, link: Link) -> None: ...

    def on_ready(self, link: Link) -> None:
        handler: Any = None
        link.open_stream(encode_block({b":method": b"JOIN"}), True, handler)


def test_the_first_message_does_not_overtake_the_handshake() -> None:
    """The peer's greeting and its READY may come in one read: nothing of ours but the greeting is written by then."""

    async def main() -> bytes:
        owner: Any = Owner()
        transport: Any = Transport()
        link = Link(owner, LinkSettings(), is_router=False)
        link.connection_made(transport)
        link.data_received(GREETING + READY_ROUTER)
        await asyncio.sleep(0.1)
        written: bytes = transport.written
        return written

    peer = router_end()
    pieces = peer.receive(run_virtually(main()))
    assert peer.error is None
    assert peer.is_ready
    opened = [event for event in Session(opens_odd=True).receive(b"".join(pieces)) if isinstance(event, StreamOpened)]
    assert [event.fields for event in opened] == [{b":method": b"JOIN"}]


def test_a_peer_that_fails_with_its_handshake_was_never_there() -> None:
    """What came between the two in the same read is for nobody: no owner has heard that the link is ready."""

    class Noting(Owner):
        def __init__(self) -> None:
            self.heard: list[str] = []

        def on_ready(self, link: Link) -> None:
            self.heard.append("ready")

        def on_stream(self, link: Link, *what: Any) -> None:
            self.heard.append("stream")

    async def main() -> list[str]:
        owner: Any = Noting()
        transport: Any = Transport()
        link = Link(owner, LinkSettings(), is_router=False)
        link.connection_made(transport)
        hello = GREETING + READY_ROUTER
        session = Session(opens_odd=True)
        session.open_stream(encode_block({b":method": b"GET"}), True)
        request = b"".join(session.take_output())
        link.data_received(hello + bytes([0, len(request)]) + request + b"\xff" * 9)
        assert not link.is_ready
        assert link.has_failed
        heard: list[str] = owner.heard
        return heard

    assert run_virtually(main()) == []

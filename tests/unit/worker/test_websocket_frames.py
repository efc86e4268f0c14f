"""WebSocket's framing: what websockets' own client says is understood in any cutting, and garbage ends in a Close."""

import gc
import weakref
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Frame
from websockets.protocol import CLIENT, Protocol

from tests.support.each import each
from zerogate.worker.errors import ApplicationError
from zerogate.worker.websocket_frames import Framing, frames_logger

Parts = list[str | bytes]


def deflate() -> list[PerMessageDeflate]:
    return [PerMessageDeflate(False, False, 12, 12, {"memLevel": 5})]


def client(is_deflated: bool = False) -> Protocol:
    made = Protocol(CLIENT, max_size=None)
    made.extensions = list(deflate()) if is_deflated else []
    return made


def octets(protocol: Protocol) -> bytes:
    return b"".join(protocol.data_to_send())


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    ends = sorted({*(cut % (len(data) + 1) for cut in cuts), len(data)})
    starts = [0, *ends]
    return [data[start:end] for start, end in zip(starts, ends, strict=False)]


def send_parts(protocol: Protocol, message: str | bytes, cuts: list[int]) -> None:
    """A message in fragments, with a ping between them."""
    data = message.encode() if isinstance(message, str) else message
    first, *more = pieces(data, cuts)
    send = protocol.send_text if isinstance(message, str) else protocol.send_binary
    send(first, not more)
    for number, part in enumerate(more, 1):
        protocol.send_ping(b"")
        protocol.send_continuation(part, number == len(more))


@given(
    st.lists(st.one_of(st.text(), st.binary(max_size=300)), max_size=6),
    st.lists(st.integers(0, 1000), max_size=6),
    st.lists(st.integers(0, 5000), max_size=8),
    st.booleans(),
)
def test_any_messages_in_any_fragments_and_any_cutting(
    messages: Parts, fragments: list[int], cuts: list[int], is_deflated: bool
) -> None:
    sender = client(is_deflated)
    for message in messages:
        send_parts(sender, message, fragments)
    sender.send_close(1000)
    framing = Framing(1 << 20, deflate() if is_deflated else ())
    received: Parts = []
    for piece in pieces(octets(sender), cuts):
        received += framing.receive(piece)
    assert received == messages
    assert framing.close == (1000, "")
    assert framing.is_closing
    answer, is_end = framing.take_output()
    assert is_end
    assert answer.endswith(b"\x88\x02\x03\xe8")


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=5), st.booleans())
def test_garbage_raises_nothing(data: bytes, cuts: list[int], is_deflated: bool) -> None:
    framing = Framing(100, deflate() if is_deflated else ())
    for piece in pieces(data, cuts):
        framing.receive(piece)
        framing.take_output()
    framing.receive_eof()
    assert framing.is_closing


@given(st.lists(st.one_of(st.text(), st.binary(max_size=300)), max_size=6), st.booleans())
def test_what_is_sent_is_what_a_client_understands(messages: Parts, is_deflated: bool) -> None:
    framing = Framing(1 << 20, deflate() if is_deflated else ())
    receiver = client(is_deflated)
    for message in messages:
        receiver.receive_data(framing.send(message))
    receiver.receive_data(framing.ping())
    receiver.receive_data(framing.send_close(4000, "bye"))
    *frames, ping, close = (frame for frame in receiver.events_received() if isinstance(frame, Frame))
    assert [frame.data for frame in frames] == [m.encode() if isinstance(m, str) else m for m in messages]
    assert ping.data == b"zerogate"
    assert close.data == b"\x0f\xa0bye"
    assert framing.is_closing
    assert repr(framing) == "<Framing CLOSING>"


def test_what_is_no_text_is_known_with_its_fragment() -> None:
    sender = client()
    sender.send_text(b"good ", False)
    sender.send_continuation(b"\xffbad", False)
    framing = Framing(1 << 20)
    assert framing.receive(octets(sender)) == []
    assert framing.is_closing
    answer, is_end = framing.take_output()
    assert is_end
    assert answer[2:4] == (1007).to_bytes(2, "big")
    assert framing.close is None


def test_a_character_cut_by_the_end_is_none() -> None:
    sender = client()
    sender.send_text("é".encode()[:1], False)
    sender.send_continuation(b"", True)
    framing = Framing(1 << 20)
    assert framing.receive(octets(sender)) == []
    assert framing.take_output()[0][2:4] == (1007).to_bytes(2, "big")


@each("sizes", [(101,), (60, 41), (50, 50, 1)])
def test_a_message_is_bounded_however_it_comes(sizes: tuple[int, ...]) -> None:
    sender = client()
    sender.send_binary(bytes(sizes[0]), len(sizes) == 1)
    for number, size in enumerate(sizes[1:], 2):
        sender.send_continuation(bytes(size), number == len(sizes))
    framing = Framing(100)
    assert framing.receive(octets(sender)) == []
    assert framing.take_output()[0][2:4] == (1009).to_bytes(2, "big")


def test_a_close_amid_fragments_is_answered_as_any() -> None:
    sender = client()
    sender.send_text(b"first", False)
    sender.expect_continuation_frame = False
    sender.send_close(1001)
    framing = Framing(1 << 20)
    assert framing.receive(octets(sender)) == []
    assert framing.close == (1001, "")
    assert framing.take_output() == (b"\x88\x02\x03\xe9", True)


def test_a_close_without_a_code() -> None:
    sender = client()
    sender.send_close()
    framing = Framing(1 << 20)
    framing.receive(octets(sender))
    assert framing.close == (1005, "")
    assert framing.take_output() == (b"\x88\x00", True)


@each(("code", "reason"), [(1005, ""), (1006, ""), (0, ""), (5000, ""), (1000, "x" * 124)])
def test_what_cannot_be_said_in_a_close(code: int, reason: str) -> None:
    framing = Framing(1 << 20)
    with pytest.raises(ApplicationError, match="cannot be closed"):
        framing.send_close(code, reason)
    assert not framing.is_closing
    assert framing.send("still open")


def test_it_does_not_log_what_everybody_does(caplog: Any) -> None:
    framing = Framing(1 << 20)
    framing.receive_eof()
    framing.fail(1011, "again")
    assert caplog.records == []
    assert frames_logger.name == "zerogate.worker.websocket"


@pytest.mark.parametrize("max_size", [1, 100])
def test_a_control_frame_is_not_bounded_by_what_a_message_may_be(max_size: int) -> None:
    """Nor by what is left for the message amid which it comes."""
    sender = client()
    sender.send_pong(b"zerogate")
    sender.send_binary(bytes(max_size), False)
    sender.send_ping(b"p" * 125)
    sender.send_continuation(b"", True)
    sender.send_close(4000, "r" * 123)
    framing = Framing(max_size)
    assert framing.receive(octets(sender)) == [bytes(max_size)]
    assert framing.close == (4000, "r" * 123)
    answer, is_end = framing.take_output()
    assert answer == b"\x8a\x7d" + b"p" * 125 + b"\x88\x7d\x0f\xa0" + b"r" * 123
    assert is_end


@pytest.mark.parametrize("is_deflated", [False, True])
@pytest.mark.parametrize("sizes", [(1, 100), (100, 0, 1), (226,), (50, 176)])
def test_what_a_control_frame_may_have_more_is_not_for_messages(sizes: tuple[int, ...], is_deflated: bool) -> None:
    sender = client(is_deflated)
    sender.send_text(b"x" * 100)
    sender.send_text(b"x" * sizes[0], len(sizes) == 1)
    for number, size in enumerate(sizes[1:], 2):
        sender.send_continuation(b"x" * size, number == len(sizes))
    framing = Framing(100, deflate() if is_deflated else ())
    assert framing.receive(octets(sender)) == ["x" * 100]
    assert framing.take_output()[0][2:4] == (1009).to_bytes(2, "big")


@pytest.mark.parametrize("ending", ["close", "eof", "fault", "nothing"])
def test_one_that_is_released_is_gone(ending: str) -> None:
    """What compresses, too: 40 KB each, which the collector may come to look at once a day."""
    framing = Framing(100, deflate())
    sender = client(True)
    match ending:
        case "close":
            sender.send_close(1000)
            framing.receive(octets(sender))
        case "eof":
            framing.receive_eof()
        case "fault":
            framing.receive(b"\xff\xff")
    gone = weakref.ref(framing._protocol)
    gc.collect()
    gc.disable()
    try:
        framing.release()
        del framing
        assert gone() is None
    finally:
        gc.enable()

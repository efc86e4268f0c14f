import pytest
from tests.support.each import each

from zerogate.errors import SpdyError
from zerogate.wire.spdy.frames import GoAwayStatus
from zerogate.wire.spdy.stream_table import StreamTable
from zerogate.wire.spdy.streams import DONE, OPEN, REPLY_DUE
from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, MAX_WINDOW_BYTES


def odd_table(top_id: int = 0x7FFFFFFF) -> StreamTable:
    return StreamTable(opens_odd=True, top_id=top_id)


def test_ids_of_ours() -> None:
    assert [odd_table().open(fin=True).id] == [1]
    table = StreamTable(opens_odd=False)
    assert [table.open(fin=True).id for _ in range(3)] == [2, 4, 6]


@each(("top_id", "left"), [(0, 0), (1, 1), (2, 1), (3, 2), (0x7FFFFFFF, 2**30)])
def test_ids_left(top_id: int, left: int) -> None:
    assert odd_table(top_id).ids_left == left


def test_even_ids_left() -> None:
    assert StreamTable(opens_odd=False, top_id=1).ids_left == 0
    assert StreamTable(opens_odd=False, top_id=2).ids_left == 1
    assert StreamTable(opens_odd=False).ids_left == 2**30 - 1


@pytest.mark.parametrize("fin", [False, True])
def test_halves_of_a_new_stream(fin: bool) -> None:
    table = odd_table()
    ours, peers = table.open(fin), table.admit(2, fin)
    assert (ours.local, ours.remote) == (DONE if fin else OPEN, REPLY_DUE)
    assert (peers.local, peers.remote) == (REPLY_DUE, DONE if fin else OPEN)
    assert ours.send_window == peers.send_window == DEFAULT_WINDOW_BYTES
    assert ours.receive_window is peers.receive_window is None


def test_idle_gone_and_open() -> None:
    table = odd_table()
    ours = table.open(fin=True)
    table.peer_id = 4
    assert [table.is_idle(stream_id) for stream_id in (1, 3, 2, 4, 6)] == [False, True, False, False, True]
    table.remove(ours)
    assert not table.is_idle(1)
    assert repr(table) == "<StreamTable 0 open, next is 3, peer's last was 4>"


def test_only_the_peers_streams_are_counted() -> None:
    table = odd_table()
    ours, peers = table.open(fin=True), table.admit(2, fin=True)
    assert table.peer_count == 1
    table.remove(ours)
    assert table.peer_count == 1
    table.remove(peers)
    assert (table.peer_count, table.streams) == (0, {})


def test_unanswered_above() -> None:
    table = odd_table()
    streams = [table.open(fin=True) for _ in range(4)]
    table.admit(8, fin=False).remote = REPLY_DUE
    streams[2].remote = OPEN
    assert [stream.id for stream in table.unanswered_above(1)] == [3, 7]


class TestResizingSendWindows:
    def test_open_streams_move_with_it_and_new_ones_begin_with_it(self) -> None:
        table = odd_table()
        ours, done, peers = table.open(fin=False), table.open(fin=True), table.admit(2, fin=False)
        ours.send_window -= 60_000
        assert table.resize_send_windows(16384) == [ours, peers]
        assert ours.send_window == 16384 - 60_000
        assert peers.send_window == 16384
        assert done.send_window == DEFAULT_WINDOW_BYTES
        assert table.open(fin=False).send_window == 16384

    def test_31_bits(self) -> None:
        table = odd_table()
        with pytest.raises(SpdyError, match="initial window of 2147483648 bytes") as caught:
            table.resize_send_windows(MAX_WINDOW_BYTES + 1)
        assert caught.value.status == GoAwayStatus.FLOW_CONTROL_ERROR

    def test_all_of_31_bits(self) -> None:
        table = odd_table()
        stream = table.open(fin=False)
        assert table.resize_send_windows(MAX_WINDOW_BYTES) == [stream]
        assert stream.send_window == MAX_WINDOW_BYTES

    def test_a_stream_that_had_credit_before_overflows(self) -> None:
        table = odd_table()
        table.open(fin=False).send_window += 1
        with pytest.raises(SpdyError, match="the window of <Stream 1") as caught:
            table.resize_send_windows(MAX_WINDOW_BYTES)
        assert caught.value.status == GoAwayStatus.FLOW_CONTROL_ERROR

"""Ids of router processes as marks."""

from tests.support.each import each
from zerogate.link.marks import START_BYTES, id_in, id_of, is_start, mark_of, new_id
from zerogate.wire.zmtp.frames import NO_MARK, greeting


def test_an_id_is_its_mark_and_back() -> None:
    for _ in range(100):
        router_id = new_id()
        assert len(mark_of(router_id)) == 8
        assert id_of(mark_of(router_id)) == router_id


def test_no_two_are_the_same() -> None:
    assert len({new_id() for _ in range(100)}) == 100


@each("router_id", ["", "r", "0123", "0123456789ABCDEF", "01234567 89abcdef", "x" * 16, "é" * 8])
def test_other_ids_have_no_mark(router_id: str) -> None:
    assert mark_of(router_id) == NO_MARK


@each("length", [0, 1, 256])
def test_the_padding_of_libzmq_is_no_id(length: int) -> None:
    assert id_of(length.to_bytes(8, "big")) == ""


def test_it_is_found_in_the_first_octets() -> None:
    router_id = new_id()
    start = greeting(b"NULL", is_server=False, mark=mark_of(router_id))[:START_BYTES]
    assert is_start(start)
    assert id_in(start) == router_id
    assert id_in(start[:-1]) == ""
    assert not is_start(b"GET /")
    assert not is_start(b"")

"""`wsgi.input`."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerogate.worker.errors import ClientDisconnected
from zerogate.worker.wsgi_input import wsgi_input


class Source:
    """The first piece is here already, if there is a first one."""

    def __init__(self, *pieces: bytes, is_here: bool = True, breaks: bool = False) -> None:
        self._pieces = [*pieces]
        self.body = self._pieces.pop(0) if pieces and is_here else None
        self.has_body_ended = is_here and not self._pieces and not breaks
        self._breaks = breaks
        self.n_reads = 0

    def read_body(self) -> bytes:
        self.n_reads += 1
        if not self._pieces and self._breaks:
            raise ClientDisconnected("the client has left")
        piece = self._pieces.pop(0) if self._pieces else b""
        self.has_body_ended = not self._pieces
        return piece


def test_what_is_here_whole_asks_nobody() -> None:
    source = Source(b"one\ntwo")
    file = wsgi_input(source)
    assert [*file] == [b"one\n", b"two"]
    assert file.read() == b""
    assert source.n_reads == 0
    assert wsgi_input(Source()).read() == b""


def test_no_more_is_asked_for_than_is_needed() -> None:
    source = Source(b"abc", b"def", b"ghi")
    file = wsgi_input(source)
    assert file.read(2) == b"ab"
    assert source.n_reads == 0
    assert file.read(3) == b"cde"
    assert source.n_reads == 1
    assert (file.read(), file.read(), file.readline(), file.readlines()) == (b"fghi", b"", b"", [])


def test_a_client_that_leaves() -> None:
    file = wsgi_input(Source(b"abc", breaks=True))
    assert file.read(3) == b"abc"
    with pytest.raises(ClientDisconnected):
        file.read(1)
    # As often as it is asked.
    with pytest.raises(OSError, match="the client has left"):
        file.readline()


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40) | st.just(b"\n"), max_size=12),
    is_here=st.booleans(),
    reads=st.lists(st.tuples(st.sampled_from(["read", "readline"]), st.integers(-1, 50)), max_size=20),
)
def test_it_reads_as_a_file_does(pieces: list[bytes], is_here: bool, reads: list[tuple[str, int]]) -> None:

    file = wsgi_input(Source(*pieces, is_here=is_here))
    model = io.BytesIO(b"".join(pieces))
    for name, n in reads:
        assert getattr(file, name)(n) == getattr(model, name)(n)
    assert file.readlines() == model.readlines()
    assert file.read(1) == b""

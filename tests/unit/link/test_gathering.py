"""Writing many pieces at once."""

from typing import Any

from tests.support.each import each
from zerogate.link.gathering import MIN_GATHERED_BYTES, write_gathered


class Transport:
    """Notes what it is given."""

    def __init__(self) -> None:
        self.written: list[Any] = []

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def writelines(self, pieces: list[bytes]) -> None:
        self.written.append(list(pieces))


@each("pieces", [[], [b"a"], [b"head", b"x" * (MIN_GATHERED_BYTES - 5)]])
def test_little_is_joined(pieces: list[bytes]) -> None:
    transport: Any = Transport()
    assert write_gathered(transport, pieces) == sum(map(len, pieces))
    assert transport.written == [b"".join(pieces)]


def test_large_pieces_are_written_from_where_they_are() -> None:
    transport: Any = Transport()
    large = bytes(MIN_GATHERED_BYTES)
    assert write_gathered(transport, [b"one", b"two", large, b"three"]) == len(large) + 11
    (written,) = transport.written
    assert written == [b"onetwo", large, b"three"]
    assert written[1] is large

"""`wsgi.input`: the request's body as a file (PEP 3333, Input and Error Streams). It ends where the body does."""

import io
from typing import BinaryIO, Protocol, cast

# As much as the interpreter copies at once for who reads line by line; larger reads go past it.
BUFFER_BYTES = 64 * 1024


class BodySource(Protocol):
    """Where a body comes from.

    body: what is here already; None: nothing of it yet
    """

    body: bytes | None
    has_body_ended: bool

    def read_body(self) -> bytes:
        """The next piece, waited for; empty at the end."""


def wsgi_input(source: BodySource) -> BinaryIO:
    """The body as a file; reading it raises what `read_body` does. Most are here whole, and wait for nobody."""
    if source.has_body_ended:
        return io.BytesIO(source.body or b"")
    return cast(BinaryIO, io.BufferedReader(_Pieces(source), BUFFER_BYTES))


class _Pieces(io.RawIOBase):
    def __init__(self, source: BodySource) -> None:
        self._source = source
        self._piece = memoryview(source.body or b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "memoryview") -> int:  # type: ignore[override] # it is called with nothing else
        if not self._piece:
            self._piece = memoryview(self._source.read_body())
        n = min(len(buffer), len(self._piece))
        buffer[:n] = self._piece[:n]
        self._piece = self._piece[n:]
        return n

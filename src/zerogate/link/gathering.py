"""Writing many pieces at once, with no more copies than are worth it."""

import asyncio

from zerogate.transports import write_pieces
from zerogate.wire.pieces import join_small

# From here on output is not joined, but gathered: its large pieces are written from where they are.
MIN_GATHERED_BYTES = 32 * 1024


def write_gathered(transport: asyncio.WriteTransport, pieces: list[bytes]) -> int:
    """Write all of it. Returns how many bytes it is."""
    n_bytes = sum(map(len, pieces))
    if n_bytes < MIN_GATHERED_BYTES:
        transport.write(b"".join(pieces))
    else:
        write_pieces(transport, join_small(pieces))
    return n_bytes

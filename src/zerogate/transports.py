"""Writing to a transport whatever event loop it is of."""

import asyncio
import functools
from typing import Final

# asyncio's own transports gather from Python 3.12 on; but they try for ever to write an empty piece that is last, and
# never close; they do not pause who writes (CVE-2024-12254); and one that is aborted has its descriptor watched after
# its end, so that the next connection that gets this number fails. Not all of this is mended in any Python.
_JOINING: Final = "asyncio"


def write_pieces(transport: asyncio.WriteTransport, pieces: list[bytes]) -> None:
    """Write these, from where they are if the transport can be relied on for that."""
    if _joins(type(transport).__module__):
        transport.write(b"".join(pieces))
    else:
        transport.writelines(pieces)


@functools.cache
def _joins(module: str) -> bool:
    return module.partition(".")[0] == _JOINING

"""Writing to a transport whatever event loop it is of."""

import asyncio
import functools
from typing import Final

# asyncio's own transports gather from Python 3.12 on; but they try for ever to write an empty piece that is last, and
# never close; they do not pause who writes (CVE-2024-12254); and one that is aborted has its descriptor watched after
# its end, so that the next connection that gets this number fails. Not all of this is mended in any Python.
_JOINING: Final = "asyncio"

# No descriptor.
NONE: Final = -1

# They close a descriptor only after `connection_lost`; asyncio's own write to it as directly as can be.
_WRITTEN_BESIDE: Final = {("uvloop.loop", "TCPTransport"), ("uvloop.loop", "UnixTransport")}


def descriptor_of(transport: asyncio.BaseTransport) -> int:
    """Where what is compiled (native/sockets.pxd) may write while the transport has nothing to.

    NONE where it may not: where it would not gain by it, and where there is something between, as TLS.
    """
    kind = type(transport)
    if (kind.__module__, kind.__name__) not in _WRITTEN_BESIDE:
        return NONE
    descriptor: int = transport.get_extra_info("socket").fileno()
    return descriptor


def write_pieces(transport: asyncio.WriteTransport, pieces: list[bytes]) -> None:
    """Write these, from where they are if the transport can be relied on for that."""
    if _joins(type(transport).__module__):
        transport.write(b"".join(pieces))
    else:
        transport.writelines(pieces)


@functools.cache
def _joins(module: str) -> bool:
    return module.partition(".")[0] == _JOINING

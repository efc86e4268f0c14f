"""Marks: a router process's id in the padding of ZMTP's greeting, where it is read before anything else.

A router says its own id there, so that a worker knows at the first octets whom it has reached, and leaves again if it
has a link to it already. A worker may say the id of the process that it wishes to reach: several processes share one
port, and whichever accepts the connection hands it on unread (router/sorting.py). Neither is more than a hint, which
whoever does not know it passes over (protocol.md, Several processes at one port).
"""

import secrets

from zerogate.wire.zmtp.frames import MARK_BYTES, NO_MARK, SIGNATURE

# With so many octets the mark has come.
START_BYTES = len(SIGNATURE)

# libzmq pads with the length of its identity and one, for peers of ZMTP 1 (RFC 23): 256 at most.
_MAX_NO_ID = 0xFFFF


def new_id() -> str:
    """A random id for a router process, such as a mark can carry."""
    return (_MAX_NO_ID + 1 + secrets.randbelow(2**63)).to_bytes(MARK_BYTES, "big").hex()


def mark_of(router_id: str) -> bytes:
    """The mark for an id. Ids that are none of ours have none."""
    try:
        mark = bytes.fromhex(router_id)
    except ValueError:
        return NO_MARK
    return mark if len(mark) == MARK_BYTES and mark.hex() == router_id else NO_MARK


def id_of(mark: bytes) -> str:
    """The id that a mark carries; "" if it carries none."""
    return mark.hex() if int.from_bytes(mark, "big") > _MAX_NO_ID else ""


def is_start(octets: bytes) -> bool:
    """Whether a greeting may begin so."""
    return octets[:1] == SIGNATURE[:1]


def id_in(start: bytes) -> str:
    """The id in the first START_BYTES of a greeting; "" if there is none, or less has come."""
    return id_of(start[1 : 1 + MARK_BYTES]) if len(start) == START_BYTES else ""

"""What a process is told when it becomes one of several that are a router together: its seat, and descriptors.

One message over the channel that the two have from then on (sibling.py). It is there before the process is, which can
wait for it.
"""

import json
import socket
from typing import Any, NamedTuple

from zerogate.errors import StartError
from zerogate.link.bind import Place
from zerogate.router.listeners import Kind, Share
from zerogate.router.rendezvous import MAX_DESCRIPTORS, MAX_MESSAGE_BYTES
from zerogate.router.seat import Seat


class Brief(NamedTuple):
    """shares: the listening sockets
    memory: descriptor of the scoreboard
    inbox, outboxes: where links come in that others have accepted for us, and where we hand others theirs, by seat
    """

    seat: Seat
    shares: list[Share]
    memory: int
    inbox: socket.socket
    outboxes: list[socket.socket]


def send_brief(channel: socket.socket, brief: Brief) -> None:
    """Raises OSError."""
    shares = [_written(share) for share in brief.shares]
    message = {"id": brief.seat.id, "processes": brief.seat.processes, "shares": shares}
    descriptors = [share.sock.fileno() for share in brief.shares]
    descriptors += [brief.memory, brief.inbox.fileno(), *(box.fileno() for box in brief.outboxes)]
    socket.send_fds(channel, [json.dumps(message).encode()], descriptors)


def receive_brief(channel: socket.socket) -> Brief:
    """Raises StartError if whoever started us does not say it."""
    try:
        data, descriptors, _, _ = socket.recv_fds(channel, MAX_MESSAGE_BYTES, MAX_DESCRIPTORS)
        message = json.loads(data)
    except (OSError, ValueError) as error:
        raise StartError(f"the router that started this process has not said what it is to be: {error}") from error
    shares = [_read(text, descriptor) for text, descriptor in zip(message["shares"], descriptors, strict=False)]
    memory, *boxes = descriptors[len(shares) :]
    inbox, *outboxes = (socket.socket(fileno=descriptor) for descriptor in boxes)
    return Brief(Seat(message["id"], tuple(message["processes"])), shares, memory, inbox, outboxes)


def _written(share: Share) -> list[Any]:
    return [share.kind.name, share.place, share.is_inherited, share.is_given]


def _read(text: list[Any], descriptor: int) -> Share:
    kind, (label, family, address, mode), is_inherited, is_given = text
    place = Place(label, family, tuple(address) if isinstance(address, list) else address, mode)
    return Share(Kind[kind], place, socket.socket(fileno=descriptor), is_inherited, is_given)

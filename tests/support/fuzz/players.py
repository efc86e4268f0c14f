"""Players: each plays whole conversations against a real socket, and lets nothing it hears disturb it."""

import contextlib
import socket
import struct
import time
from random import Random

from tests.support.fuzz.links import EndedError, LinkEnd, LyingRouter, LyingWorker
from tests.support.fuzz.mutations import Atoms, Dice, bend, cuts
from tests.support.fuzz.requests import pipeline

# How long one conversation may take: bent ones often end in silence.
CONVERSATION_S = 1.5
# Nothing has come for so long: say something.
LULL_S = 0.02
STALLS_S = (0.0, 0.0, 0.0, 0.005, 0.05, 0.4)
READ_BYTES = 65536


def dice_of(seed: int, kind: str, number: int) -> Dice:
    """The same conversation, whenever it is asked for."""
    return Random(f"{seed} {kind} {number}")


def play_client(port: int, dice: Dice) -> None:
    """One connection of a client of HTTP."""
    atoms = bend(dice, pipeline(dice))
    pieces = cuts(dice, b"".join(atoms))
    stall_s = dice.choice(STALLS_S)
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=CONVERSATION_S) as sock:
        reads = dice.random() < 0.8
        _send(sock, pieces, stall_s, reads=reads)
        _leave(sock, dice, reads=reads)


def play_worker(port: int, dice: Dice) -> None:
    """One link of a worker that lies."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=CONVERSATION_S) as sock:
        _converse(sock, LyingWorker(dice), dice)


def play_router(sock: socket.socket, dice: Dice) -> None:
    """One link of a router that lies, to the worker that has dialled it."""
    with contextlib.suppress(OSError), sock:
        _converse(sock, LyingRouter(dice), dice)


def _converse(sock: socket.socket, end: LinkEnd, dice: Dice) -> None:
    give_up = time.monotonic() + CONVERSATION_S * dice.random()
    pieces = end.begin()
    with contextlib.suppress(EndedError):
        while time.monotonic() < give_up:
            sock.settimeout(CONVERSATION_S)
            for piece in pieces:
                sock.sendall(piece)
            sock.settimeout(LULL_S)
            try:
                data = sock.recv(READ_BYTES)
            except TimeoutError:
                pieces = end.idle()
                continue
            if not data:
                return
            pieces = end.receive(data)
    _leave(sock, dice, reads=False)


def _send(sock: socket.socket, pieces: Atoms, stall_s: float, *, reads: bool) -> None:
    for piece in pieces:
        sock.sendall(piece)
        if stall_s:
            time.sleep(stall_s)
        if reads:
            _read(sock, 0.001)


def _read(sock: socket.socket, seconds: float) -> bool:
    """Read what comes within so many seconds. False at the end."""
    sock.settimeout(seconds)
    try:
        return bool(sock.recv(READ_BYTES))
    except TimeoutError:
        return True
    finally:
        sock.settimeout(CONVERSATION_S)


def _leave(sock: socket.socket, dice: Dice, *, reads: bool) -> None:
    """One of the ways in which a peer goes."""
    how = dice.choice(("close", "close", "reset", "half", "wait"))
    if how == "half":
        sock.shutdown(socket.SHUT_WR)
    if how in ("half", "wait") or reads:
        give_up = time.monotonic() + CONVERSATION_S * dice.random()
        while time.monotonic() < give_up and _read(sock, 0.1):
            pass
    if how == "reset":
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

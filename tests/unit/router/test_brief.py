"""What a process is told at first."""

import os
import socket

import pytest

from zerogate.errors import StartError
from zerogate.link.bind import Place
from zerogate.router.brief import Brief, receive_brief, send_brief
from zerogate.router.listeners import Kind, Share
from zerogate.router.scoreboard import make_memory
from zerogate.router.seat import Seat


def test_all_of_it_arrives() -> None:
    ours, theirs = socket.socketpair()
    inbox, outbox = socket.socketpair()
    with ours, theirs, inbox, outbox, make_memory(2) as memory, socket.create_server(("127.0.0.1", 0)) as sock:
        place = Place("--http x", socket.AF_INET, sock.getsockname())
        path = Place("--bind ipc://x", socket.AF_UNIX, "/x", 0o600)
        shares = [Share(Kind.CLIENTS, place, sock, False, True), Share(Kind.LINKS, path, sock, True, False)]
        send_brief(ours, Brief(Seat("b", ("a", "b")), shares, memory.fileno(), inbox, [outbox, outbox]))
        found = receive_brief(theirs)
        assert found.seat == Seat("b", ("a", "b"))
        assert [(s.kind, s.place, s.is_inherited, s.is_given) for s in found.shares] == [
            (Kind.CLIENTS, place, False, True),
            (Kind.LINKS, path, True, False),
        ]
        for share in found.shares:
            assert share.sock.getsockname() == sock.getsockname()
            share.sock.close()
        found.outboxes[1].send(b"x")
        assert found.inbox.recv(1) == b"x"
        os.close(found.memory)
        for box in (found.inbox, *found.outboxes):
            box.close()


@pytest.mark.parametrize("said", [b"", b"nonsense"])
def test_a_parent_that_does_not_say_it(said: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        ours.send(said)
        ours.close()
        with pytest.raises(StartError, match="has not said what it is to be"):
            receive_brief(theirs)

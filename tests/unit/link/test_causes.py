"""What is likely to be wrong, in words."""

import errno
import socket

from tests.support.each import each
from zerogate.link.causes import absence, likely

REFUSED = "Connection refused: nobody listens there"


@each(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 1)"), REFUSED),
        (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1), [Errno 111] and again"), REFUSED),
        (
            OSError("Multiple exceptions: [Errno 111] a, [Errno 113] b"),
            "Multiple exceptions: [Errno 111] a, [Errno 113] b",
        ),
        (FileNotFoundError(2, "No such file"), "No such file or directory: no router has made this socket"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (TimeoutError(), "no answer: a firewall, or a machine that is off"),
        (socket.gaierror(-2, "Name or service not known"), "Name or service not known: the name is not known here"),
        (OSError("some text"), "some text"),
        (OSError(), "OSError"),
    ],
)
def test_no_connection(error: Exception, words: str) -> None:
    assert absence(error) == words


@each(
    ("reason", "hint"),
    [
        ("no handshake within 5 s", "says nothing"),
        ("closed in the handshake: this key is not listed there", "revoked"),
        ("closed in the handshake: its key is another one than the router key given here", "wrong --router-key"),
        ("the peer's security mechanism is 'CURVE', ours is 'NULL'", "--key and --router-key"),
    ],
)
def test_no_link(reason: str, hint: str) -> None:
    assert likely(reason).startswith(f"{reason} (")
    assert hint in likely(reason)


def test_what_nobody_has_thought_of() -> None:
    assert likely("something else") == "something else"

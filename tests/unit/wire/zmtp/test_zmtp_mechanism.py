"""The NULL mechanism: who says READY, and when."""

import pytest
from tests.support.each import each

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp.mechanism import NullMechanism, Step


def test_the_end_that_connects_speaks_first() -> None:
    mechanism = NullMechanism(answers=False)
    assert mechanism.start(b"ours") == Step(commands=(b"\x05READYours",))
    assert mechanism.receive_command(b"READY", b"theirs") == Step(peer_metadata=b"theirs", is_done=True)


def test_the_end_that_binds_answers() -> None:
    mechanism = NullMechanism(answers=True)
    assert mechanism.start(b"ours") == Step()
    step = mechanism.receive_command(b"READY", b"theirs")
    assert step == Step(commands=(b"\x05READYours",), peer_metadata=b"theirs", is_done=True)


def test_it_has_no_roles_and_no_cipher() -> None:
    mechanism = NullMechanism(answers=True)
    assert (mechanism.name, mechanism.is_server, mechanism.cipher) == (b"NULL", False, None)


@each("name", [b"HELLO", b"PING", b"ready"])
def test_nothing_but_ready_is_expected(name: bytes) -> None:
    with pytest.raises(ZmtpError, match="expects READY"):
        NullMechanism(answers=True).receive_command(name, b"")

"""Which frames each phase takes, and what is said of those it does not."""

import pytest

from zerogate.wire.zmtp import states
from zerogate.wire.zmtp.states import MAX_COMMAND_BYTES, MAX_HANDSHAKE_COMMAND_BYTES, State

MESSAGES, COMMANDS = {0, 1, 2, 3}, {4, 6}


def test_the_handshake_takes_commands_only() -> None:
    assert dict.fromkeys(COMMANDS, (MAX_HANDSHAKE_COMMAND_BYTES, State.HANDSHAKE_COMMAND)) == states.HANDSHAKE


def test_clear_traffic_takes_both() -> None:
    table = states.clear_traffic(1000)
    assert {flags: table[flags] for flags in MESSAGES} == dict.fromkeys(MESSAGES, (1000, State.MESSAGE))
    assert {flags: table[flags] for flags in COMMANDS} == dict.fromkeys(COMMANDS, (MAX_COMMAND_BYTES, State.COMMAND))
    assert set(table) == MESSAGES | COMMANDS


def test_sealed_traffic_is_opened_before_it_is_told_apart() -> None:
    assert states.sealed_traffic(1000) == dict.fromkeys(MESSAGES | COMMANDS, (1000, State.SEALED))


def test_other_flags_are_refused_with_a_reason() -> None:
    others = set(range(256)) - MESSAGES - COMMANDS
    assert not others & set(states.clear_traffic(1))
    reasons = {flags: f"a frame with reserved flags: 0x{flags:02x}" for flags in others}
    reasons |= dict.fromkeys((5, 7), "a command frame with the MORE flag")
    assert {flags: states.refusal(flags) for flags in others} == reasons


def test_messages_come_after_the_handshake() -> None:
    assert states.refusal(0) == "a message before the handshake is done"


@pytest.mark.parametrize("is_listening", [True, False])
def test_strangers_are_named(is_listening: bool) -> None:
    for octet in set(range(256)) - {0xFF}:
        reason = states.stranger(octet, is_listening=is_listening)
        assert f"0x{octet:02x}" in reason
        assert ("this is TLS" in reason) is (octet == 0x16)
        assert ("this is HTTP" in reason) is (octet in b"CDGHOPT")
        assert ("the port is for workers" in reason) is (is_listening and octet in b"\x16CDGHOPT")

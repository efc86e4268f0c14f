"""Boxes, nonces, and sealed traffic."""

import pytest
from tests.support.each import each

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp.boxes import (
    KEY_BYTES,
    CurveCipher,
    KeyPair,
    Nonces,
    key_pair_of,
    make_key_pair,
    random_octets,
    seal,
    shared_key,
    unseal,
)

ONE, OTHER = make_key_pair(), make_key_pair()
KEY = shared_key(ONE.public, OTHER.secret)
NONCE = bytes(24)


def ciphers() -> tuple[CurveCipher, CurveCipher]:
    return CurveCipher(KEY, Nonces(), is_server=False), CurveCipher(KEY, Nonces(), is_server=True)


def test_pairs_differ_and_can_be_made_again() -> None:
    assert ONE != OTHER
    assert key_pair_of(ONE.secret) == ONE
    with pytest.raises(ValueError, match="not 31"):
        key_pair_of(bytes(31))


def test_nobody_is_shown_a_secret() -> None:
    shown = f"{ONE!r} {ciphers()[0]!r}"
    assert ONE.secret.hex()[:8] not in shown
    assert repr(ONE.secret)[2:10] not in shown


def test_random_octets_are_fresh() -> None:
    assert len(random_octets(KEY_BYTES)) == KEY_BYTES
    assert random_octets(KEY_BYTES) != random_octets(KEY_BYTES)


def test_both_ends_have_the_same_key() -> None:
    assert shared_key(OTHER.public, ONE.secret) == KEY


@pytest.mark.parametrize("public", [bytes(32), b"\x01" + bytes(31)])
def test_a_point_of_low_order_is_no_key(public: bytes) -> None:
    with pytest.raises(ZmtpError, match="not a point"):
        shared_key(public, ONE.secret)


def test_a_box_opens_with_its_key_and_nonce_alone() -> None:
    box = seal(b"content", NONCE, KEY)
    assert b"content" not in box
    assert unseal(box, NONCE, KEY, "a box") == b"content"
    for bad in (
        (box[:-1], NONCE, KEY),
        (b"", NONCE, KEY),
        (bytes((box[0] ^ 1,)) + box[1:], NONCE, KEY),
        (box, b"\x01" + NONCE[1:], KEY),
        (box, NONCE, ONE.secret),
    ):
        with pytest.raises(ZmtpError, match="a box does not open"):
            unseal(*bad, "a box")


def test_our_nonces_count_and_theirs_rise() -> None:
    nonces = Nonces()
    assert [nonces.next(), nonces.next()] == [b"\0" * 7 + b"\1", b"\0" * 7 + b"\2"]
    nonces.check(b"\0" * 7 + b"\x01")
    nonces.check(b"\0" * 7 + b"\x09")
    for late in (1, 8, 9, 0):
        with pytest.raises(ZmtpError, match="replayed or reordered"):
            nonces.check(late.to_bytes(8))
    nonces.check(b"\xff" * 8)


def test_zero_is_no_nonce() -> None:
    with pytest.raises(ZmtpError, match="nonce 0 after 0"):
        Nonces().check(bytes(8))


@each("is_command", [False, True])
@each("payload", [b"", b"x", b"x" * 70_000])
def test_traffic_both_ways(payload: bytes, is_command: bool) -> None:
    client, server = ciphers()
    assert server.open(client.seal(payload, is_command=is_command)) == (payload, is_command)
    assert client.open(server.seal(payload, is_command=is_command)) == (payload, is_command)


def test_what_one_has_sent_is_not_taken_for_the_others() -> None:
    client, server = ciphers()
    sent = client.seal(b"x", is_command=False)
    assert server.open(sent) == (b"x", False)
    with pytest.raises(ZmtpError, match="does not open"):
        client.open(sent)


def test_replayed_and_reordered() -> None:
    client, server = ciphers()
    first, second = client.seal(b"1", is_command=False), client.seal(b"2", is_command=False)
    assert server.open(second) == (b"2", False)
    for late in (first, second):
        with pytest.raises(ZmtpError, match="replayed or reordered"):
            server.open(late)


def test_what_does_not_open_moves_no_nonce() -> None:
    client, server = ciphers()
    forged = b"\x07MESSAGE" + b"\xff" * 8 + bytes(40)
    with pytest.raises(ZmtpError, match="does not open"):
        server.open(forged)
    assert server.open(client.seal(b"x", is_command=False)) == (b"x", False)


@each("body", [b"", b"\x07MESSAGE", b"\x07MESSAGE" + bytes(24), b"\x05READY" + bytes(60)])
def test_what_is_no_message(body: bytes) -> None:
    with pytest.raises(ZmtpError, match="this is none"):
        ciphers()[1].open(body)


@each("flags", [1, 3, 4, 0x80])
def test_flags(flags: int) -> None:
    nonce = bytes(7) + b"\1"
    body = b"\x07MESSAGE" + nonce + seal(bytes((flags,)) + b"x", b"CurveZMQMESSAGEC" + nonce, KEY)
    if flags == 1:
        assert ciphers()[1].open(body) == (b"x", False)
    else:
        with pytest.raises(ZmtpError, match="reserved flags"):
            ciphers()[1].open(body)


def test_a_pair_is_named() -> None:
    assert KeyPair(b"p" * 32, b"s" * 32).public == b"p" * 32

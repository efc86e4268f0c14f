"""The CURVE handshake: who is let in, who is not, and what each learns of it."""

import pytest
from tests.curve_ends import ROUTER_KEYS, WORKER_KEYS, client, ends, joined, meet, server
from tests.support.each import each
from tests.zmtp_peer import dealer_end, router_end

from zerogate.errors import ZmtpError
from zerogate.wire.zmtp import Connection, CurveServer, NullMechanism, UnlistedKeyError, make_key_pair
from zerogate.wire.zmtp.boxes import KeyPair, seal, shared_key, unseal

HELLO, WELCOME, INITIATE, READY = range(2, 6)
HEADER = 2  # of a short command frame
GREETING_OF_CURVE = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0")


# Instead of octets: the one there, turned round. Some are random, and might be what they are to become.
FLIPPED = b""


def cut(octets: bytes, at: int, new: bytes) -> bytes:
    new = new or bytes((octets[at] ^ 0xFF,))
    return octets[:at] + new + octets[at + len(new) :]


def test_two_who_know_each_other() -> None:
    at_router = server()
    router, worker = ends(at_router)
    went = meet(router, worker)
    assert router.is_ready
    assert worker.is_ready
    assert at_router.peer_key == WORKER_KEYS.public
    assert router.peer_socket_type == b"DEALER"
    assert worker.peer_socket_type == b"ROUTER"
    # RFC 26's sizes, and a frame's header of two octets, of nine for the INITIATE.
    assert [len(octets) for octets in went[:4]] == [64, 64, 202, 170]
    assert went[0].startswith(GREETING_OF_CURVE + b"\0")
    assert went[1].startswith(GREETING_OF_CURVE + b"\1")
    assert WORKER_KEYS.public not in b"".join(went)


def test_traffic_both_ways_and_pings() -> None:
    router, worker = joined()
    assert router.receive(worker.encode([b"a marker", b" in two"])) == [b"a marker in two"]
    sealed = router.encode([b"a marker"])
    assert b"marker" not in sealed
    assert worker.receive(sealed) == [b"a marker"]
    worker.receive(router.ping(2.0, b"context"))
    pong = worker.take_output()
    assert pong
    assert router.receive(pong) == []
    assert router.error is None


def test_an_empty_message_is_nothing() -> None:
    router, worker = joined()
    assert router.receive(worker.encode([b""])) == []


def test_a_list_of_router_keys_while_they_are_changed() -> None:
    old, new = make_key_pair(), make_key_pair()
    for known in (old, new):
        router, worker = ends(server(old, new), client(server_key=known.public))
        meet(router, worker)
        assert worker.is_ready


def test_the_wrong_router_key() -> None:
    router, worker = ends(at_worker=client(server_key=make_key_pair().public))
    went = meet(router, worker)
    assert len(went) == 3, "the router says nothing"
    assert router.error is not None
    assert "another router key" in router.error.reason
    assert worker.error is None
    assert worker.mechanism.suspicion == "its key is another one than the router key given here"


def test_a_key_that_is_not_listed_is_told_nothing() -> None:
    stranger = make_key_pair()
    router, worker = ends(at_worker=client(stranger))
    went = meet(router, worker)
    assert len(went) == 5, "no READY, no ERROR"
    assert isinstance(router.error, UnlistedKeyError)
    assert router.error.key == stranger.public
    assert worker.mechanism.suspicion == "this key is not listed there"
    assert not router.is_ready


def test_nobody_suspects_anything_before_and_after() -> None:
    router, worker = ends()
    assert worker.mechanism.suspicion == router.mechanism.suspicion == ""
    meet(router, worker)
    assert worker.mechanism.suspicion == router.mechanism.suspicion == ""


def test_null_does_not_meet_curve() -> None:
    router, worker = router_end(mechanisms=[server()]), dealer_end()
    router.receive(worker.take_output())
    worker.receive(router.take_output())
    assert worker.error is not None
    assert worker.error.reason == "the peer's security mechanism is 'CURVE', ours is 'NULL'"
    assert router.error is not None


@pytest.mark.parametrize("chosen", ["CURVE", "NULL"])
def test_where_both_are_taken_the_peer_chooses(chosen: str) -> None:
    router = router_end(mechanisms=[server(), NullMechanism(answers=True)])
    worker = dealer_end(mechanisms=[client()] if chosen == "CURVE" else [])
    began = router.take_output()
    assert began == GREETING_OF_CURVE[:11], "no mechanism yet"
    worker.receive(began)
    went = meet(router, worker)
    assert router.is_ready
    assert worker.is_ready
    assert chosen.encode() in went[1]
    sealed = worker.encode([b"a marker"])
    assert (b"marker" in sealed) is (chosen == "NULL")
    assert router.receive(sealed) == [b"a marker"]


def test_what_neither_of_both_is() -> None:
    router = router_end(mechanisms=[server(), NullMechanism(answers=True)])
    router.receive(b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"PLAIN".ljust(20, b"\0") + bytes(32))
    assert str(router.error) == "the peer's security mechanism is 'PLAIN', ours is 'CURVE' or 'NULL'"


def test_a_wrong_socket_type_is_refused_when_its_key_is_proved() -> None:
    router, worker = (
        router_end(mechanisms=[server()]),
        Connection(socket_type=b"PUSH", accepts=frozenset({b"ROUTER"}), mechanisms=[client()]),
    )
    meet(router, worker)
    assert router.error is not None
    assert "'PUSH'" in router.error.reason
    assert worker.error is not None
    assert "turned us away" in worker.error.reason


@each(
    ("at", "new", "reason"),
    [
        (HEADER, b"\x05HELLA", "expects HELLO, not 'HELLA'"),
        (8, b"\x02", "not CurveZMQ 1.0"),
        (9, b"\x01", "not CurveZMQ 1.0"),
        (10, b"\x01", "padding is not zero"),
        (81, b"\x01", "padding is not zero"),
        (82, bytes(32), "not a point"),
        (114, FLIPPED, "does not open"),
        (122, FLIPPED, "does not open"),
        (201, FLIPPED, "does not open"),
    ],
)
def test_a_bad_hello(at: int, new: bytes, reason: str) -> None:
    router, worker = ends()
    assert len(meet(router, worker, lambda n, octets: cut(octets, at, new) if n == HELLO else octets)) == 3
    assert router.error is not None
    assert reason in router.error.reason


@each("nth", [HELLO, WELCOME, INITIATE, READY])
@each("name", [b"HELLO", b"WELCOME", b"INITIATE", b"READY", b"MESSAGE"])
def test_empty_commands(nth: int, name: bytes) -> None:
    """In the place of each command one with nothing in it: its own, or another's."""
    empty = bytes((4, len(name) + 1, len(name))) + name
    router, worker = ends()
    meet(router, worker, lambda n, octets: empty if n == nth else octets)
    error = worker.error if nth in (WELCOME, READY) else router.error
    assert isinstance(error, ZmtpError)
    assert not worker.is_ready


def test_a_command_twice() -> None:
    for nth in (HELLO, WELCOME):
        router, worker = ends()
        meet(router, worker, lambda n, octets, nth=nth: octets * 2 if n == nth else octets)  # type: ignore[misc]
        assert (router if nth == HELLO else worker).error is not None


def test_hello_to_the_end_of_an_initiate_of_another_connection() -> None:
    """Replayed: cookie and vouch are for one connection."""
    replayed = meet(*ends())[INITIATE]
    router, worker = ends()
    meet(router, worker, lambda n, octets: replayed if n == INITIATE else octets)
    assert router.error is not None
    assert "the cookie does not open" in router.error.reason


def handmade_initiate(
    *, vouched_for: KeyPair = ROUTER_KEYS, owner: KeyPair = WORKER_KEYS, voucher: KeyPair = WORKER_KEYS, nonce: int = 2
) -> CurveServer:
    """An INITIATE that opens, and says what is asked for. Returns the server's end that has heard it."""
    end = server()
    end.start(b"")
    connection = make_key_pair()
    key = shared_key(ROUTER_KEYS.public, connection.secret)
    short = (1).to_bytes(8)
    signature = seal(bytes(64), b"CurveZMQHELLO---" + short, key)
    (welcome,) = end.receive_command(b"HELLO", b"\1\0" + bytes(72) + connection.public + short + signature).commands
    content = unseal(welcome[24:], b"WELCOME-" + welcome[8:24], key, "a WELCOME")
    theirs, cookie = content[:32], content[32:]
    key = shared_key(theirs, connection.secret)
    vouch = seal(connection.public + vouched_for.public, b"VOUCH---" + bytes(16), shared_key(theirs, voucher.secret))
    short = nonce.to_bytes(8)
    box = seal(owner.public + bytes(16) + vouch, b"CurveZMQINITIATE" + short, key)
    end.receive_command(b"INITIATE", cookie + short + box)
    return end


def test_by_hand() -> None:
    assert handmade_initiate().peer_key == WORKER_KEYS.public


def test_a_vouch_for_another_router() -> None:
    with pytest.raises(ZmtpError, match="another router"):
        handmade_initiate(vouched_for=make_key_pair())


def test_a_vouch_by_somebody_else() -> None:
    with pytest.raises(ZmtpError, match="a vouch does not open"):
        handmade_initiate(voucher=make_key_pair())


def test_a_nonce_that_does_not_rise() -> None:
    with pytest.raises(ZmtpError, match="replayed or reordered"):
        handmade_initiate(nonce=1)


def test_a_signature_that_is_not_of_zeros() -> None:
    end = server()
    end.start(b"")
    connection = make_key_pair()
    short = (1).to_bytes(8)
    key = shared_key(ROUTER_KEYS.public, connection.secret)
    signature = seal(b"\1" + bytes(63), b"CurveZMQHELLO---" + short, key)
    with pytest.raises(ZmtpError, match="not of zeros"):
        end.receive_command(b"HELLO", b"\1\0" + bytes(72) + connection.public + short + signature)


@each("size", [0, 1, 159, 161])
def test_a_welcome_of_another_size(size: int) -> None:
    end = client()
    end.start(b"")
    with pytest.raises(ZmtpError, match="it has 160"):
        end.receive_command(b"WELCOME", bytes(size))

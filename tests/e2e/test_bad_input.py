"""What strangers send to the link port: their link ends, with a reason in the log, and nobody else notices."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.canary import (
    MAX_GROWTH_KIB,
    check_canary,
    make_canary_site,
    refusal_of,
    unnoticed,
    wait_until_closed,
)
from tests.support.processes import wait_for
from tests.support.raw_worker import LinkEndedError, RawLink, RawWorker, deflated, wrapped
from tests.support.sites import ServedSite
from tests.zmtp_peer import GREETING, READY_DEALER, frame, item, ready
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.frames import GoAwayStatus, RstStatus

# A raw worker has a link to one process of a router.
pytestmark = pytest.mark.one_process

VECTORS = json.loads((Path(__file__).parents[1] / "data" / "spdy31_vectors.json").read_text())
NEGATIVES: dict[str, dict[str, Any]] = {vector["id"]: vector for vector in VECTORS["negative"]}


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    with make_canary_site() as site:
        yield site


@pytest.fixture(scope="module")
def impatient() -> Iterator[ServedSite]:
    """Where links that say nothing end soon. Elsewhere a test has time for what it has to say."""
    with make_canary_site("--handshake-timeout", "500ms") as site:
        yield site


@pytest.fixture(autouse=True)
def canary(request: pytest.FixtureRequest) -> Iterator[None]:
    site = request.getfixturevalue("impatient" if "impatient" in request.fixturenames else "shared")
    with unnoticed(site):
        yield


# ZMTP

SIGNATURE = b"\xff" + bytes(8) + b"\x7f"


def greeting(version: bytes = b"\x03\x01", mechanism: bytes = b"NULL") -> bytes:
    return SIGNATURE + version + mechanism.ljust(20, b"\0") + bytes(32)


def after_greeting(*data: bytes) -> bytes:
    return b"".join((GREETING, *data))


def after_handshake(*data: bytes) -> bytes:
    return b"".join((GREETING, READY_DEALER, *data))


BAD_ZMTP: dict[str, tuple[bytes, str]] = {
    "HTTP": (b"GET / HTTP/1.1\r\nhost: a\r\n\r\n", "0x47|HTTP"),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512), "0x16|TLS"),
    "SSH": (b"SSH-2.0-OpenSSH_9.9\r\n", "0x53|SSH"),
    "zeros": (bytes(64), "0x00"),
    "bad end of the signature": (b"\xff" + bytes(8) + b"\x7e" + bytes(54), "signature"),
    "ZMTP 1": (b"\xff" + bytes(8) + b"\x7f\x00" + bytes(53), "older"),
    "ZMTP 2": (b"\xff" + bytes(8) + b"\x7f\x01" + bytes(53), "older"),
    "another mechanism": (greeting(mechanism=b"PLAIN"), "mechanism"),
    "CURVE": (greeting(mechanism=b"CURVE"), "mechanism"),
    "unknown mechanism": (greeting(mechanism=b"\xff" * 20), "mechanism"),
    "message before READY": (after_greeting(b"\x00\x05hello"), ""),
    "reserved flag": (after_greeting(b"\x0c\x00"), ""),
    "MORE on a command": (after_greeting(b"\x05\x00"), ""),
    "unknown command in the handshake": (after_greeting(frame(4, b"\x05HELLO")), ""),
    "empty command": (after_greeting(frame(4, b"")), ""),
    "name beyond the command": (after_greeting(frame(4, b"\x06READY")), ""),
    "metadata beyond the command": (after_greeting(frame(4, b"\x05READY\x0bSocket-Type\xff\xff\xff\xff")), ""),
    "huge command": (after_greeting(b"\x06" + (1 << 40).to_bytes(8, "big")), ""),
    "no socket type": (after_greeting(ready()), "socket"),
    "PUB socket": (after_greeting(ready(item(b"Socket-Type", b"PUB"))), "PUB"),
    "ROUTER socket": (after_greeting(ready(item(b"Socket-Type", b"ROUTER"))), "ROUTER"),
    "identity that begins with zero": (
        after_greeting(ready(item(b"Socket-Type", b"DEALER"), item(b"Identity", b"\0a"))),
        "identity",
    ),
    "identity too long": (
        after_greeting(ready(item(b"Socket-Type", b"DEALER"), item(b"Identity", b"a" * 256))),
        "identity",
    ),
    "ERROR": (after_greeting(frame(4, b"\x05ERROR\x04oops")), "oops"),
    "ERROR that is too long": (after_greeting(frame(4, b"\x05ERROR\xff")), ""),
    "READY twice": (after_handshake(READY_DEALER), "READY"),
    "frame of 2^63 octets": (after_handshake(b"\x02" + (1 << 63).to_bytes(8, "big")), ""),
    "frame of 2^64-1 octets": (after_handshake(b"\x02" + b"\xff" * 8), ""),
    "frame of 1 GiB": (after_handshake(b"\x02" + (1 << 30).to_bytes(8, "big")), ""),
    "reserved flag in traffic": (after_handshake(b"\x80\x01a"), ""),
    "huge PING": (after_handshake(frame(4, b"\x04PING\0\0" + b"c" * 17)), ""),
    "PING without a ttl": (after_handshake(frame(4, b"\x04PING")), ""),
    "huge command in traffic": (after_handshake(b"\x06" + (1 << 32).to_bytes(8, "big")), ""),
    "endless PONG": (after_handshake(frame(6, b"\x04PONG" + b"c" * 300)), ""),
}


@pytest.mark.parametrize("how", ["whole", "octets"])
@pytest.mark.parametrize("name", BAD_ZMTP)
def test_bad_zmtp_ends_its_link(shared: ServedSite, name: str, how: str) -> None:
    data, reason = BAD_ZMTP[name]
    with RawLink(shared.endpoint) as link:
        if how == "whole":
            link.send_octets(data)
        else:
            with contextlib.suppress(ConnectionError):
                for octet in data:
                    link.send_octets(bytes((octet,)))
        check_canary(shared)
        # What the router says meanwhile is for a ZMTP that we did not follow: only the end counts.
        wait_until_closed(link.sock)
        assert re.search(reason, refusal_of(shared, link))


@pytest.mark.parametrize("size", [0, 1, 10, 11, 12, 63, 64, 65, 70, 94])
def test_a_handshake_that_stops_ends(impatient: ServedSite, size: int) -> None:
    with RawLink(impatient.endpoint) as link:
        with contextlib.suppress(ConnectionError):
            link.send_octets((GREETING + READY_DEALER)[:size])
        check_canary(impatient)
        wait_until_closed(link.sock)
        assert refusal_of(impatient, link)


@pytest.mark.parametrize("size", [0, 1, 11, 64, 80])
def test_a_connection_that_breaks_off_leaves_nothing(shared: ServedSite, size: int) -> None:
    with RawLink(shared.endpoint) as link:
        link.send_octets((GREETING + READY_DEALER)[:size])
    wait_for(lambda: shared.status()["links"] == 1, "one link left")


def test_a_link_that_never_joins_ends(shared: ServedSite) -> None:
    with make_canary_site("--handshake-timeout", "3s") as site, RawWorker(site.endpoint, join=False) as worker:
        worker.wait_end(30)
        assert refusal_of(site, worker) == "no JOIN in time"


def test_a_dripping_handshake_buys_no_time(impatient: ServedSite) -> None:
    with RawLink(impatient.endpoint) as link:
        link.sock.settimeout(0.1)
        octets = iter(SIGNATURE + b"\x03\x01" + b"NULL" + bytes(48) + READY_DEALER)

        def has_ended() -> bool:
            try:
                link.send_octets(bytes((next(octets),)))
                return not link.sock.recv(65536)
            except TimeoutError:
                return False
            except ConnectionError:
                return True

        wait_for(has_ended, "the end of a slow handshake")


# SPDY, behind a handshake in good order. What each vector of the collection must lead to: the session's end, an
# answer about the stream (its status), a refused JOIN, or nothing.
SESSION = "the session ends"
IGNORED = "nothing"
JOINED = "a stream is opened, and refused as it is no JOIN"
OUTCOMES: dict[str, tuple[str | RstStatus, ...]] = {
    "ver2": (SESSION, RstStatus.UNSUPPORTED_VERSION),
    "ver4": (SESSION,),
    "syn-decreasing": (SESSION,),
    "syn-dup-id": (SESSION, RstStatus.PROTOCOL_ERROR),
    "syn-nodata": (SESSION,),
    "zlib-garbage": (SESSION,),
    "zlib-finish": (JOINED,),
    "kv-count-2more": (SESSION, RstStatus.PROTOCOL_ERROR),
    "kv-count-2less": (SESSION, RstStatus.PROTOCOL_ERROR),
    "kv-namelen-ffffffff": (SESSION,),
    "kv-upper": (RstStatus.PROTOCOL_ERROR,),
    "kv-dup": (RstStatus.PROTOCOL_ERROR,),
    "kv-emptyname": (RstStatus.PROTOCOL_ERROR,),
    "kv-nul-double": (RstStatus.PROTOCOL_ERROR,),
    "kv-crlf": (RstStatus.PROTOCOL_ERROR,),
    "kv-name-colon": (RstStatus.PROTOCOL_ERROR,),
    "kv-hop": (RstStatus.PROTOCOL_ERROR, JOINED),
    "kv-nomethod": (RstStatus.PROTOCOL_ERROR, JOINED),
    "kv-nopath": (RstStatus.PROTOCOL_ERROR, JOINED),
    "data-idle": (RstStatus.INVALID_STREAM,),
    "data-id0": (SESSION, RstStatus.INVALID_STREAM),
    "data-compressed-flag": (JOINED, RstStatus.PROTOCOL_ERROR),
    "data-over-window": (JOINED, RstStatus.FLOW_CONTROL_ERROR),
    "rst-len4": (SESSION,),
    "rst-status0": (SESSION, IGNORED),
    "rst-id0": (SESSION,),
    "rst-idle": (IGNORED,),
    "set-count-ffffffff": (SESSION,),
    "set-count-mismatch": (SESSION,),
    "set-trailing": (SESSION,),
    "set-window-2e31": (SESSION,),
    "set-unknown-id": (IGNORED,),
    "ping-len3": (SESSION,),
    "ping-len5": (SESSION,),
    "ping-even-unsolicited": (IGNORED,),
    "wu-delta0": (SESSION, IGNORED),
    "wu-overflow-session": (SESSION,),
    "wu-len4": (SESSION,),
    "syn-unidirectional": (RstStatus.REFUSED_STREAM, RstStatus.PROTOCOL_ERROR, IGNORED),
    "syn-assoc-from-client": (RstStatus.REFUSED_STREAM, RstStatus.PROTOCOL_ERROR, IGNORED),
    "reply-unknown": (RstStatus.INVALID_STREAM,),
    "headers-idle": (RstStatus.INVALID_STREAM,),
    "frame-16m-header-only": (SESSION,),
    "truncated": (SESSION,),
    "http1-bytes": (SESSION,),
    "h2-preface": (SESSION,),
}


def octets_of(name: str) -> bytes:
    vector = NEGATIVES[name]
    if vector["hex"] is not None:
        return bytes.fromhex(vector["hex"])
    assert name == "data-over-window"
    # The dictionary's first block is the same in all vectors of one well-formed SYN_STREAM.
    syn = bytes.fromhex(NEGATIVES["data-compressed-flag"]["hex"])[:-9]
    return syn + (frames.data_header(1, 16384, False) + bytes(16384)) * 20


def mirrored(data: bytes) -> bytes:
    """The same from the other end of a session: stream 1 is 2 there, and pings are even. Stops where frames end."""
    out = b""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at + 5 : at + 8])
        head, body = data[at : at + 8], data[at + 8 : at + 8 + size]
        if data[at] & 0x80:
            kind = int.from_bytes(head[2:4])
            if kind in (1, 6) and len(body) >= 4:
                number = int.from_bytes(body[:4])
                body = (number + (1 if kind == 1 or number & 1 else -1)).to_bytes(4) + body[4:]
        elif int.from_bytes(head[:4]) & 1:
            head = (int.from_bytes(head[:4]) + 1).to_bytes(4) + head[4:]
        out += head + body
        at += 8 + size
    return out + data[at:]


def outcome(worker: RawWorker) -> set[str | RstStatus]:
    """What the router makes of what it was sent: it echoes a ping when it has come so far."""
    seen: set[str | RstStatus] = set()
    reader = frames.FrameReader()
    worker.send_message(frames.ping(0x7FFFFFF0))
    try:
        while True:
            for piece in worker.receive():
                for kind, _, word, _, payload in reader.receive(piece):
                    if kind == frames.FrameType.PING:
                        return seen or {IGNORED}
                    if kind == frames.FrameType.RST_STREAM:
                        seen.add(RstStatus(int.from_bytes(payload[:4])))
                    elif kind == frames.FrameType.SYN_REPLY:
                        seen.add(JOINED)
                    elif kind == frames.FrameType.GOAWAY:
                        assert int.from_bytes(payload) != GoAwayStatus.OK, word
    except LinkEndedError:
        return {SESSION}


def test_every_vector_has_its_outcome() -> None:
    assert set(OUTCOMES) == set(NEGATIVES)


def check_bad_spdy(site: ServedSite, name: str, cut: bool) -> None:
    with RawWorker(site.endpoint, join=False) as worker:
        data = mirrored(octets_of(name))
        if cut and len(data) < 1000:
            worker.send_octets(b"".join(b"\0\1" + bytes((octet,)) for octet in data))
        else:
            worker.send_message(data)
        check_canary(site)
        found = outcome(worker)
        assert found & set(OUTCOMES[name]), f"{found!r}: {NEGATIVES[name]['expect']}"
        if SESSION in found:
            assert refusal_of(site, worker)


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "octets"])
@pytest.mark.parametrize("name", [name for name in OUTCOMES if name != "truncated"])
def test_bad_spdy_ends_its_stream_or_its_session(shared: ServedSite, name: str, cut: bool) -> None:
    check_bad_spdy(shared, name, cut)


@pytest.mark.parametrize("cut", [False, True], ids=["whole", "octets"])
def test_a_frame_that_never_ends_ends_its_session(impatient: ServedSite, cut: bool) -> None:
    check_bad_spdy(impatient, "truncated", cut)


@pytest.mark.parametrize(
    "name", [name for name in OUTCOMES if octets_of(name)[2:4] not in (b"\0\1", b"\0\2", b"\0\x08")]
)
def test_bad_spdy_of_a_worker_ends_its_work_and_nobody_elses(shared: ServedSite, name: str) -> None:
    """The same from one that has joined and has a request (those with a block would be no zlib stream after JOIN)."""
    with RawWorker(shared.endpoint, "spoilt", routes=["/spoilt"]) as worker, shared.open() as client:
        client.post("/spoilt", b"")
        stream = worker.next_request().stream
        worker.send_message(mirrored(octets_of(name)))
        found = outcome(worker)
        assert found & set(OUTCOMES[name]), f"{found!r}: {NEGATIVES[name]['expect']}"
        if SESSION in found:
            reply = client.read_reply()
            assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
        else:
            worker.reply(stream, body=b"all the same")
            assert client.read_reply().body == b"all the same"


def test_a_zip_bomb_costs_what_a_full_block_costs(shared: ServedSite) -> None:
    before = shared.router_process.rss_kib(peak=True)
    bomb = deflated(bytes(60 * 1024 * 1024))
    assert len(bomb) < 64 * 1024
    for _ in range(5):
        with RawWorker(shared.endpoint, "bomber", routes=["/bomb"]) as worker:
            worker.send_frames(frames.syn_stream(4, bomb, True))
            worker.wait_end()
    wait_for(lambda: "name/value block of more than 65536 bytes" in shared.router_process.output(), "the reason")
    assert shared.router_process.rss_kib(peak=True) - before < MAX_GROWTH_KIB


FLOODS = {
    "PING": frames.ping(2),
    "SETTINGS": frames.settings([(4, 100)]),
    "empty DATA": frames.data_header(12345, 0, False),
    "stray DATA": frames.data_header(12345, 1, False) + b"x",
    "stray HEADERS": frames.headers(12345, wrapped(b"\0\0\0\0"), False),
    "unknown": b"\x80\x03\x00\x0b\x00\x00\x00\x04abcd",
}


@pytest.mark.parametrize("name", [*FLOODS, "PING of ZMTP"])
def test_a_flood_is_bounded(name: str) -> None:
    """A worker that floods and does not read is held up by its own connection, or cut off."""
    site = ServedSite()
    try:
        router = site.router()
        site.hello("canary")
        check_canary(site)
        before = router.rss_kib()
        with RawWorker(site.endpoint, "flood", routes=["/flood"]) as worker:
            if name in FLOODS:
                message = worker.zmtp.encode([FLOODS[name] * (64 * 1024 // len(FLOODS[name]))])
            else:
                message = frame(4, b"\x04PING\0\0" + b"c" * 16) * 3000
            worker.sock.settimeout(1.0)
            n_left = 48 * 1024 * 1024 // len(message)
            with contextlib.suppress(ConnectionError, TimeoutError):
                while n_left:
                    worker.send_octets(message)
                    n_left -= 1
            check_canary(site)
        check_canary(site)
        # What waits to be written to it is bounded, and small beside what it sent.
        assert router.rss_kib(peak=True) - before < 64 * 1024
    finally:
        site.close()

"""The layer between octets and a client, in memory: what a client's protocol sees, and what its peer does."""

import asyncio
import logging
import ssl
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority, MemoryTls
from tests.support.key_updates import key_updates
from tests.support.memory_transport import MemoryTransport
from tests.support.virtual_time import run_virtually
from zerogate.router.entrance import ENTRANCE_S, Entrance
from zerogate.router.sockets import Ends
from zerogate.router.tls import transport
from zerogate.router.tls.certificates import Certificates
from zerogate.router.tls.transport import MAX_OWED_BYTES, PART_BYTES, RECORD_BYTES, TlsClients, TlsTransport
from zerogate.settings import RouterSettings

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


class Above(asyncio.Protocol):
    """The protocol above. `told` is what it heard."""

    def __init__(self, ends: Ends | None) -> None:
        self.ends = ends
        self.told: list[Any] = []
        self.keeps_open = True
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.told.append(data)

    def eof_received(self) -> bool:
        self.told.append("end")
        return self.keeps_open

    def connection_lost(self, exc: Exception | None) -> None:
        self.told.append("lost")

    def pause_writing(self) -> None:
        self.told.append("pause")

    def resume_writing(self) -> None:
        self.told.append("resume")


class Visit:
    """A connection to a TLS port, and its client."""

    def __init__(self, authority: Authority, **options: Any) -> None:
        files = authority.issue("localhost")
        settings = RouterSettings(tls_cert=(files.certificate,), tls_key=(files.key,), **options)
        self.certificates = Certificates(settings, ["http/1.1"])
        self.certificates.load()
        self.entrance = Entrance()
        self.protocols: list[Above] = []
        self.refused: list[Above] = []
        clients = TlsClients(
            self.entrance, self.certificates, {"http/1.1": self._maker(self.protocols)}, self._maker(self.refused)
        )
        self.layer: TlsTransport = clients()
        self.transport = MemoryTransport(self.layer)
        self.context = authority.client()
        self.client: MemoryTls

    def _maker(self, made: list[Above]) -> Any:
        def make(ends: Ends | None = None) -> Above:
            made.append(Above(ends))
            return made[-1]

        return make

    def dial(self, version: ssl.TLSVersion = ssl.TLSVersion.TLSv1_3) -> Above:
        """The handshake."""
        self.context.maximum_version = version
        self.client = MemoryTls(self.transport, self.context)
        self.client.shake_hands()
        (protocol,) = self.protocols
        return protocol

    def close(self) -> None:
        self.certificates.close()
        self.entrance.close()


def visiting(test: Callable[[Visit], Any], authority: Authority, **options: Any) -> None:
    async def main() -> None:
        visit = Visit(authority, **options)
        try:
            if (result := test(visit)) is not None:
                await result
        finally:
            visit.close()

    run_virtually(main())


@pytest.mark.parametrize("version", VERSIONS)
def test_octets_go_both_ways(authority: Authority, version: ssl.TLSVersion) -> None:
    def test(visit: Visit) -> None:
        assert len(visit.entrance) == 1
        protocol = visit.dial(version)
        assert not len(visit.entrance)
        assert protocol.ends == Ends("203.0.113.9", 50000, b"192.0.2.1:80", is_tls=True)
        visit.client.say(b"hello")
        protocol.transport.write(b"good ")
        protocol.transport.write(b"")
        protocol.transport.write(bytearray(b"day"))
        assert (protocol.told, visit.client.take()) == ([b"hello"], b"good day")
        assert visit.client.tls.version() == version.name.replace("v1_", "v1.")

    visiting(test, authority)


def test_cut_anywhere(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial()
        for octet in visit.client.cipher(b"hello") + visit.client.cipher(b" you"):
            visit.transport.say(bytes([octet]))
        assert protocol.told == [b"hello", b" you"]

    visiting(test, authority)


def test_many_records_are_one_piece(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial()
        visit.transport.say(visit.client.cipher(b"x" * 100_000) + visit.client.cipher(b"y")[:-1])
        assert protocol.told == [b"x" * 100_000]
        protocol.transport.write(b"z" * 1_000_000)
        assert visit.client.take() == b"z" * 1_000_000

    visiting(test, authority)


def test_octets_that_come_with_the_end_of_the_handshake(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        client = MemoryTls(visit.transport, visit.context)
        with pytest.raises(ssl.SSLWantReadError):
            client.tls.do_handshake()
        client.exchange()
        client.tls.do_handshake()
        visit.transport.say(client.cipher(b"at once"))
        assert visit.protocols[0].told == [b"at once"]

    visiting(test, authority)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_client_that_says_its_end_still_reads(authority: Authority, version: ssl.TLSVersion) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial(version)
        visit.client.say_end()
        assert protocol.told == ["end"]
        protocol.transport.write(b"the reply")
        assert visit.client.take() == b"the reply"
        visit.transport.say_eof()  # Its connection's end is no news any more.
        assert protocol.told == ["end"]
        assert not protocol.transport.is_closing()

    visiting(test, authority)


def test_an_end_that_is_not_said_by_tls_is_one_all_the_same(authority: Authority) -> None:
    async def test(visit: Visit) -> None:
        protocol = visit.dial()
        protocol.keeps_open = False
        visit.transport.say_eof()
        await asyncio.sleep(0)
        assert protocol.told == ["end", "lost"]

    visiting(test, authority)


def test_a_protocol_that_has_nothing_more_to_say_then(authority: Authority) -> None:
    async def test(visit: Visit) -> None:
        protocol = visit.dial()
        protocol.keeps_open = False
        visit.client.say(b"last")
        visit.client.say_end()
        visit.client.exchange()
        assert visit.client.has_ended
        await asyncio.sleep(0)
        assert protocol.told == [b"last", "end", "lost"]

    visiting(test, authority)


@pytest.mark.parametrize("version", VERSIONS)
def test_half_a_connection_can_be_closed_here_too(authority: Authority, version: ssl.TLSVersion) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial(version)
        assert protocol.transport.can_write_eof()
        protocol.transport.write(b"all of it")
        protocol.transport.write_eof()
        assert visit.client.take() == b"all of it"
        assert visit.client.has_ended
        assert visit.transport.is_eof_written
        visit.client.say(b"and more")
        visit.client.say_end()
        assert protocol.told == [b"and more", "end"]
        protocol.transport.close()
        assert visit.transport.is_closing()

    visiting(test, authority)


def test_a_close_says_so_first(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial()
        protocol.transport.write(b"bye")
        protocol.transport.close()
        protocol.transport.close()
        assert protocol.transport.is_closing()
        protocol.transport.write(b"unheard")
        assert visit.client.take() == b"bye"
        assert visit.client.has_ended

    visiting(test, authority)


def test_an_abort_says_nothing(authority: Authority) -> None:
    async def test(visit: Visit) -> None:
        protocol = visit.dial()
        protocol.transport.abort()
        visit.client.exchange()
        assert not visit.client.has_ended
        await asyncio.sleep(0)
        assert protocol.told == ["lost"]

    visiting(test, authority)


def test_what_the_transport_beneath_knows(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        protocol = visit.dial()
        above = protocol.transport
        assert above.get_extra_info("socket") is visit.transport.sock
        assert above.get_extra_info("ssl_object").version() == "TLSv1.3"
        assert above.get_extra_info("nothing", 7) == 7
        assert above.get_protocol() is protocol
        above.pause_reading()
        assert not above.is_reading()
        visit.client.say(b"later")
        assert not protocol.told
        above.resume_reading()
        visit.transport.is_taking = False
        above.set_write_buffer_limits(1000)
        above.write(b"x" * 2000)
        assert above.get_write_buffer_size() == visit.transport.get_write_buffer_size() > 2000
        assert protocol.told == ["pause"]
        visit.transport.take()
        assert protocol.told == ["pause", "resume"]
        other = Above(None)
        above.set_protocol(other)
        assert repr(above) == f"<TlsTransport {other}>"

    visiting(test, authority)


def test_octets_that_are_not_tls_end_it(authority: Authority) -> None:
    async def test(visit: Visit) -> None:
        protocol = visit.dial()
        visit.transport.say(b"\x17\x03\x03\0\x20" + bytes(32))
        assert visit.transport.is_closing()
        await asyncio.sleep(0)
        assert protocol.told == ["lost"]

    visiting(test, authority)


# Those who come to nothing


def test_plain_http_is_told_where_it_is(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async def test(visit: Visit) -> None:
        visit.transport.say(b"GET / HTTP/1.1\r\n")
        (refused,) = visit.refused
        assert refused.ends == Ends("203.0.113.9", 50000, b"192.0.2.1:80")
        assert refused.transport is visit.transport
        assert not len(visit.entrance)

    visiting(test, authority)
    assert caplog.messages == ["203.0.113.9 was turned away: it does not speak TLS, and the port does"]


def test_a_client_that_trusts_somebody_else(
    authority: Authority, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def test(visit: Visit) -> None:
        client = MemoryTls(visit.transport, Authority(tmp_path).client())
        with pytest.raises(ssl.SSLCertVerificationError):
            client.shake_hands()
        client.send()
        assert visit.transport.is_closing()
        assert not visit.protocols
        assert not len(visit.entrance)

    visiting(test, authority)
    assert caplog.messages == ["203.0.113.9 was turned away: TLS failed: tlsv1 alert unknown ca"]


def test_a_client_of_yesterday(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    def test(visit: Visit) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.set_ciphers("ALL:@SECLEVEL=0")
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.minimum_version = ssl.TLSVersion.TLSv1_1
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            context.maximum_version = ssl.TLSVersion.TLSv1_1
        with pytest.raises(ssl.SSLError):
            MemoryTls(visit.transport, context).shake_hands()
        assert not visit.protocols

    visiting(test, authority)
    assert "TLS failed: unsupported protocol" in caplog.text


def test_a_handshake_has_its_time(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    async def test(visit: Visit) -> None:
        visit.transport.say(b"\x16\x03\x01")
        await asyncio.sleep(ENTRANCE_S + 1)
        assert visit.transport.is_lost
        assert not len(visit.entrance)

    with caplog.at_level(logging.WARNING):
        visiting(test, authority)
    assert "has not said in 10 s" in caplog.text


def test_who_leaves_before_it_is_forgotten(authority: Authority) -> None:
    async def test(visit: Visit) -> None:
        visit.transport.say(b"\x16\x03\x01")
        visit.transport.say_eof()
        visit.layer.pause_writing()
        visit.layer.resume_writing()
        await asyncio.sleep(0)
        assert visit.transport.is_lost
        assert not len(visit.entrance)
        assert not visit.protocols

    visiting(test, authority)


def test_a_name_that_is_no_ascii_leaves_no_traceback(authority: Authority, capfd: pytest.CaptureFixture[str]) -> None:
    def test(visit: Visit) -> None:
        outgoing = ssl.MemoryBIO()
        client = visit.context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="a" * 20)
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        visit.transport.say(outgoing.read().replace(b"a" * 20, b"\xff" * 20))
        assert not visit.protocols
        assert not len(visit.entrance)

    before = sys.unraisablehook
    sys.unraisablehook = sys.__unraisablehook__
    try:
        visiting(test, authority)
    finally:
        sys.unraisablehook = before
    assert capfd.readouterr().err == ""


# What TLS says itself


@pytest.mark.parametrize("has_ended", [False, True])
def test_who_demands_new_keys_and_does_not_read_is_cut_off(
    authority: Authority, has_ended: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Less than it may owe, as each of the demands is dear to make here.
    monkeypatch.setattr(transport, "MAX_OWED_BYTES", max_bytes := MAX_OWED_BYTES // 4)

    def test(visit: Visit) -> None:
        visit.context.keylog_filename = str(tmp_path / "keys")
        visit.dial()
        cipher = visit.client.tls.cipher()
        assert cipher is not None
        demands = key_updates(tmp_path / "keys", cipher[0])
        for _ in range(12):
            visit.transport.say(b"".join(islice(demands, 100)))
        assert not visit.transport.is_closing()  # it reads
        visit.transport.is_taking = False
        if has_ended:
            visit.layer.write_eof()
        for _ in range(12):
            visit.transport.say(b"".join(islice(demands, 100)))
        assert visit.transport.is_closing()
        assert visit.transport.get_write_buffer_size() < 2 * max_bytes
        assert not visit.layer._outgoing.pending

    visiting(test, authority)


# Certificates of clients


def test_a_client_shows_who_it_is(authority: Authority) -> None:
    def test(visit: Visit) -> None:
        visit.context = authority.client(authority.issue("alice", organization="Example, Inc."))
        protocol = visit.dial()
        assert protocol.ends is not None
        assert protocol.ends.subject.startswith(b"CN=alice,")
        assert b"O=Example\\, Inc." in protocol.ends.subject

    visiting(test, authority, tls_client_ca=authority.path)


def test_a_client_that_does_not(authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    def test(visit: Visit) -> None:
        with pytest.raises(ssl.SSLError, match="certificate required"):
            MemoryTls(visit.transport, visit.context).shake_hands()
        assert not visit.protocols

    visiting(test, authority, tls_client_ca=authority.path)
    assert "TLS failed: peer did not return a certificate" in caplog.text


# What a connection costs


@pytest.mark.parametrize("version", VERSIONS)
def test_what_comes_behind_a_clients_end_is_not_kept(authority: Authority, version: ssl.TLSVersion) -> None:
    """TLS reads nothing any more, and somebody may wait for a reply as long as he sends."""

    def test(visit: Visit) -> None:
        protocol = visit.dial(version)
        visit.client.say_end()
        for _ in range(10):
            visit.transport.say(bytes(100_000))
        assert protocol.told == ["end"]
        assert not visit.layer._incoming.pending
        protocol.transport.write(b"the reply")
        assert visit.client.take() == b"the reply"

    visiting(test, authority)


class Buffer:
    """One of OpenSSL's, and the most that it has held."""

    def __init__(self, buffer: ssl.MemoryBIO) -> None:
        self._buffer = buffer
        self.most_bytes = 0

    @property
    def pending(self) -> int:
        return self._buffer.pending

    def write(self, data: bytes) -> int:
        written = self._buffer.write(data)
        self.most_bytes = max(self.most_bytes, self._buffer.pending)
        return written

    def read(self) -> bytes:
        self.most_bytes = max(self.most_bytes, self._buffer.pending)
        return self._buffer.read()


def test_large_pieces_leave_no_large_buffers_behind(authority: Authority) -> None:
    """OpenSSL's never shrink: each idle connection would keep two as large as the largest piece that ever went by."""

    def test(visit: Visit) -> None:
        protocol = visit.dial()
        layer: Any = visit.layer
        layer._incoming, layer._outgoing = buffers = Buffer(layer._incoming), Buffer(layer._outgoing)
        visit.transport.say(visit.client.cipher(b"x" * 1_000_000))
        assert protocol.told == [b"x" * 1_000_000]
        protocol.transport.write(b"y" * 1_000_000)
        assert visit.client.take() == b"y" * 1_000_000
        incoming, outgoing = buffers
        assert 0 < incoming.most_bytes < 2 * PART_BYTES
        assert 0 < outgoing.most_bytes < 2 * RECORD_BYTES

    visiting(test, authority)

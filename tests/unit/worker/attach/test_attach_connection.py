"""One connection to a server, as its users have it one after the other."""

import asyncio
from pathlib import Path

from tests.support.http1_server import Visit, serving
from tests.support.router_end import until
from tests.support.virtual_time import run_virtually
from zerogate.worker.attach.connection import MAX_UNSENT_BYTES, ServerConnection, User
from zerogate.worker.attach.pool import Pool


class Note(User):
    """Notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.octets = b""

    def on_octets_in(self, data: bytes) -> None:
        self.octets += data

    def on_eof_in(self) -> None:
        self.heard.append("eof")

    def on_writable(self) -> None:
        self.heard.append("writable")

    def on_lost(self, reason: str) -> None:
        self.heard.append(reason)


def test_what_a_user_hears(tmp_path: Path) -> None:
    may_read = asyncio.Event()
    sizes: list[int] = []
    heard: list[bytes] = []

    async def script(visit: Visit) -> None:
        visit.say(b"hello")
        await may_read.wait()
        sizes.append(len(await visit.reader.readexactly(8 << 20)))
        visit.writer.write_eof()
        heard.append(await visit.reader.read())

    async def main() -> None:
        async with serving(tmp_path, script) as server:
            connection = await Pool(server.target, 1.0).connect()
            user = Note()
            connection.user = user
            assert repr(connection) == "<ServerConnection busy>"
            await until(lambda: user.octets == b"hello", "its words")
            connection.pause_reading()
            connection.pause_reading()
            connection.resume_reading()
            connection.resume_reading()
            connection.write(bytes(8 << 20))
            assert not connection.is_writable
            may_read.set()
            await until(lambda: user.heard == ["writable", "eof"], "room, and its end")
            connection.write(b"bye")
            connection.write_eof()
            await until(lambda: heard == [b"bye"], "what is said after the server's end")
            connection.close()
            assert (connection.is_gone, repr(connection)) == (True, "<ServerConnection gone>")
            # None of these is heard any more.
            connection.write_eof()
            connection.pause_reading()
            connection.resume_reading()
            assert sizes == [8 << 20]

    run_virtually(main())


def test_it_breaks(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        visit.writer.transport.pause_reading()  # type: ignore[attr-defined]
        await asyncio.sleep(1)

    async def main() -> None:
        async with serving(tmp_path, script) as server:
            connection = await Pool(server.target, 1.0).connect()
            user = Note()
            connection.user = user
            connection.write(b"never read")
            await until(lambda: user.heard == ["the connection broke"], "the news")
            assert connection.is_gone

    run_virtually(main())


def test_nobody_has_it(tmp_path: Path) -> None:
    async def script(visit: Visit) -> None:
        await visit.reader.readexactly(MAX_UNSENT_BYTES * 8)
        await visit.left()

    async def main() -> None:
        async with serving(tmp_path, script) as server:
            connection = await Pool(server.target, 1.0).connect()
            connection.write(bytes(MAX_UNSENT_BYTES * 8))
            await until(lambda: connection.is_writable, "room, of which nobody hears")
            connection.close()
            await until(lambda: not server.n_open, "its end")

    run_virtually(main())


def test_it_was_given_up_before_it_was_made() -> None:
    class Transport:
        is_aborted = False

        def set_write_buffer_limits(self, high: int) -> None: ...

        def abort(self) -> None:
            self.is_aborted = True

    async def main() -> None:
        connection, transport = ServerConnection(), Transport()
        connection.abort()
        connection.connection_made(transport)  # type: ignore[arg-type]
        assert transport.is_aborted

    asyncio.run(main())


def test_a_server_that_has_reset_it_meanwhile_is_no_error() -> None:
    """asyncio's transport raises what shutdown(2) says (ENOTCONN)."""

    class Reset(asyncio.Transport):
        def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

        def can_write_eof(self) -> bool:
            return True

        def write_eof(self) -> None:
            raise OSError(107, "Transport endpoint is not connected")

    connection = ServerConnection()
    connection.connection_made(Reset())
    connection.write_eof()
    assert not connection.is_gone

"""An HTTP/1 server in the process of a test, that does what the test says, octet by octet."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from zerogate.worker.attach.target import Target

# For those who have connected to be there, and those that were closed to be gone.
SETTLE_TURNS = 10


async def settle() -> None:
    for _ in range(SETTLE_TURNS):
        await asyncio.sleep(0)


class Visit:
    """One connection to the server. `n_requests` is how many heads were read from it."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self.n_requests = 0

    async def head(self) -> str:
        """The next request's head. Raises IncompleteReadError when there is none."""
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.n_requests += 1
        return head

    async def chunks(self) -> bytes:
        """A body in chunks."""
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)
        return body

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    def reply(self, body: bytes = b"ok", *fields: str, status: str = "200 OK") -> None:
        lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", *fields, "", ""]
        self.say("\r\n".join(lines).encode() + body)

    async def left(self) -> None:
        """Wait until the other end is closed."""
        with contextlib.suppress(ConnectionError):
            while await self.reader.read(1 << 16):
                pass

    def close(self) -> None:
        self.writer.close()

    def reset(self) -> None:
        self.writer.transport.abort()


Script = Callable[[Visit], Awaitable[None]]


class Server:
    """Plays `script` for each connection, by its number if there are several; then closes it."""

    def __init__(self, path: Path, *scripts: Script) -> None:
        self.target = Target(f"unix:{path}", path=str(path))
        self.scripts = scripts
        self.visits: list[Visit] = []
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def n_open(self) -> int:
        return sum(not visit.writer.transport.is_closing() for visit in self.visits)

    async def open(self) -> None:
        self._server = await asyncio.start_unix_server(self._visit, self.target.path)

    async def close(self) -> None:
        """Be gone at once."""
        await settle()
        if self._server is not None:
            self._server.close()
            self._server = None
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.target.path)
        for visit in self.visits:
            visit.reset()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await settle()

    async def _visit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        script = self.scripts[min(len(self.visits), len(self.scripts) - 1)]
        visit = Visit(reader, writer)
        self.visits.append(visit)
        try:
            await script(visit)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        finally:
            writer.close()


@contextlib.asynccontextmanager
async def serving(folder: Path, *scripts: Script) -> AsyncIterator[Server]:
    """A server that listens, until the end of the block."""
    server = Server(folder / "server", *scripts)
    await server.open()
    try:
        yield server
    finally:
        await server.close()


async def answer(visit: Visit) -> None:
    """`ok` to whatever is asked, for ever."""
    while True:
        await visit.head()
        visit.reply()

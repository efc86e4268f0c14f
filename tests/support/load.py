"""A load of HTTP clients that takes no reply on trust: each reply must be whole, and the one that was asked for.

The clients run in a thread with an event loop of its own, so that a test can kill and start processes meanwhile:

    with Load(port, [Clients(get, 64)]) as load:
        worker.kill()
        load.wait_ok(500)
    assert load.report.is_clean

They speak to `tests.e2e.chaos_app`, which answers with the request's token, the hash of its body and its own name.
A client keeps its connection until it is told `connection: close`, and only then: a connection that ends before a
reply has begun is a failure, also on a connection that was used before. Zero failures means zero.
"""

import asyncio
import collections
import contextlib
import dataclasses
import hashlib
import itertools
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

import uvloop

POST_BYTES = 32 * 1024
UPLOAD_BYTES = 512 * 1024
TIMEOUT_S = 30.0
MAX_EXAMPLES = 20
# A token is unique over all loads of all processes: bodies cannot be right by accident.
_prefix = secrets.token_hex(4)
_serials = itertools.count()


def make_token() -> str:
    """Unique, and safe in a path."""
    return f"{_prefix}-{next(_serials)}"


def stream_body(token: str, size: int) -> bytes:
    """What `/stream/TOKEN` answers: every piece of it says whose it is."""
    line = f"{token}\n".encode()
    return (line * (size // len(line) + 1))[:size]


def request_body(token: str, size: int) -> bytes:
    return stream_body(f"body-of-{token}", size)


class RequestError(Exception):
    """A request failed. The text is the kind of failure, short and without anything unique."""


class MixedUpError(Exception):
    """A reply looks whole and is not what was asked for: the worst that can happen."""


class Sample(NamedTuple):
    """One good reply: when its request began, and how long it took, in seconds of time.monotonic."""

    began_at: float
    took_s: float


@dataclasses.dataclass
class Report:
    """What the clients saw. `failed` counts by kind, `outcomes` is by token and only of POSTs."""

    ok: int = 0
    failed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    mixed: int = 0
    aborted: int = 0
    connections: int = 0
    samples: list[Sample] = dataclasses.field(default_factory=list)
    workers: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    outcomes: dict[str, str] = dataclasses.field(default_factory=dict)
    examples: list[str] = dataclasses.field(default_factory=list)

    def __repr__(self) -> str:
        return f"<Report {self.summary()} {self.examples[:5]}>"

    @property
    def n_failed(self) -> int:
        return self.failed.total()

    @property
    def is_clean(self) -> bool:
        """Something was answered, and everything well."""
        return bool(self.ok) and not self.failed and not self.mixed

    def summary(self) -> str:
        return f"ok={self.ok} failed={dict(self.failed)} mixed={self.mixed} aborted={self.aborted}"

    def percentile_s(self, share: float, since: float = 0.0, until: float = float("inf")) -> float:
        """The latency in seconds that `share` of the replies in a span of time.monotonic kept; 0.0 without any."""
        taken = sorted(s.took_s for s in self.samples if since <= s.began_at < until)
        return taken[min(len(taken) - 1, int(share * len(taken)))] if taken else 0.0


class Reply:
    """A reply as it came."""

    __slots__ = ("body", "fields", "status")

    def __init__(self, status: int, fields: dict[str, str], body: bytes) -> None:
        self.status = status
        self.fields = fields
        self.body = body

    @property
    def closes(self) -> bool:
        return self.fields.get("connection", "").lower() == "close"


class Connection:
    """One client connection, opened when it is needed."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def open(self) -> None:
        """Raises RequestError if nobody listens."""
        if self._writer is not None:
            return
        try:
            self._reader, self._writer = await asyncio.open_connection(self._load.host, self._load.port, limit=1 << 18)
        except OSError as error:
            raise RequestError(f"connect: {type(error).__name__}") from None
        self._load.report.connections += 1

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._reader = self._writer = None

    def abort(self) -> None:
        """With a reset."""
        if self._writer is not None:
            self._writer.transport.abort()
            self._reader = self._writer = None

    async def send(self, data: bytes) -> None:
        assert self._writer is not None
        self._writer.write(data)
        # What a server that has closed says is in what it sent, if anything: reading tells.
        with contextlib.suppress(ConnectionError):
            await self._writer.drain()

    async def read(self, size: int) -> bytes:
        """What there is, up to `size`. Raises RequestError."""
        assert self._reader is not None
        try:
            return await self._reader.read(size)
        except ConnectionError:
            raise RequestError("reset") from None

    async def read_reply(self, *, pause_s: float = 0.0) -> Reply:
        """The next reply, whole. Raises RequestError. `pause_s` is for slow readers: a pause after each 64 KiB."""
        try:
            head = await self._read_head()
            status_line, *lines = head[:-4].decode("latin-1").split("\r\n")
            fields = {}
            for line in lines:
                name, _, value = line.partition(":")
                fields[name.lower()] = value.strip()
            status = int(status_line.split(" ", 2)[1])
            try:
                body = await self._read_body(fields, pause_s)
            except asyncio.IncompleteReadError:
                raise RequestError("truncated") from None
        except ConnectionError:
            raise RequestError("reset") from None
        return Reply(status, fields, body)

    async def _read_head(self) -> bytes:
        assert self._reader is not None
        try:
            return await self._reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as error:
            raise RequestError("cut amid the head" if error.partial else "closed before the reply") from None

    async def _read_body(self, fields: dict[str, str], pause_s: float) -> bytes:
        reader = self._reader
        assert reader is not None
        if "content-length" in fields:
            left = int(fields["content-length"])
            pieces = []
            while left:
                piece = await reader.readexactly(min(left, 65536))
                left -= len(piece)
                pieces.append(piece)
                if pause_s:
                    await asyncio.sleep(pause_s)
            return b"".join(pieces)
        if fields.get("transfer-encoding") != "chunked":
            raise RequestError("a reply without framing")
        pieces = []
        while size := int((await reader.readuntil(b"\r\n"))[:-2], 16):
            piece = await reader.readexactly(size + 2)
            pieces.append(piece[:-2])
            if pause_s:
                await asyncio.sleep(pause_s * size / 65536)
        await reader.readuntil(b"\r\n")
        return b"".join(pieces)


# A kind of client: makes one request and counts it. RequestError and MixedUpError are counted for it.
Kind = Callable[["Load", Connection], Awaitable[None]]


def _head(method: str, path: str, *fields: str) -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", "host: chaos.test", *fields, "", ""]).encode()


def check_echo(reply: Reply, token: str, body: bytes) -> str:
    """The worker's name. Raises RequestError, MixedUpError."""
    if reply.status != 200:
        raise RequestError(f"{reply.status} {reply.fields.get('zerogate-error', '')}".strip())
    words = reply.body.decode("latin-1").split()
    if len(words) != 3 or words[:2] != [token, hashlib.sha256(body).hexdigest()]:
        raise MixedUpError(f"asked {token}, got {reply.body[:200]!r}")
    return words[2]


async def get(load: "Load", connection: Connection) -> None:
    """GET, kept alive."""
    token = make_token()
    await load.exchange(connection, token, _head("GET", f"{load.prefix}/echo/{token}{load.query}"), b"")


async def post(load: "Load", connection: Connection) -> None:
    """POST of 32 KiB, kept alive. What became of it is in the report, by token."""
    await _post(load, connection, POST_BYTES)


async def upload(load: "Load", connection: Connection) -> None:
    """The same of half a megabyte, which no router keeps to send it again."""
    await _post(load, connection, UPLOAD_BYTES)


async def _post(load: "Load", connection: Connection, size: int) -> None:
    token = make_token()
    body = request_body(token, size)
    head = _head("POST", f"{load.prefix}/echo/{token}{load.query}", f"content-length: {len(body)}")
    outcome = "unanswered"
    try:
        await load.exchange(connection, token, head + body, body)
        outcome = "ok"
    except RequestError as error:
        outcome = str(error)
        raise
    finally:
        load.report.outcomes[token] = outcome


async def churn(load: "Load", connection: Connection) -> None:
    """GET on a new connection each time."""
    await get(load, connection)
    connection.close()


async def download(load: "Load", connection: Connection, *, pause_s: float = 0.0) -> None:
    """Half a megabyte in chunks, compared octet by octet."""
    token = make_token()
    size = 512 * 1024
    began_at = time.monotonic()
    await connection.open()
    await connection.send(_head("GET", f"{load.prefix}/stream/{token}?bytes={size}"))
    reply = await connection.read_reply(pause_s=pause_s)
    if reply.status != 200:
        raise RequestError(f"{reply.status} {reply.fields.get('zerogate-error', '')}".strip())
    if reply.body != stream_body(token, size):
        raise MixedUpError(f"a download of {token} has a wrong body of {len(reply.body)} bytes")
    load.count_ok(began_at)
    if reply.closes:
        connection.close()


async def slow_reader(load: "Load", connection: Connection) -> None:
    """The same at about a megabyte a second."""
    await download(load, connection, pause_s=0.05)


async def abort_after_head(load: "Load", connection: Connection) -> None:
    """Asks for what takes long, and leaves."""
    await connection.open()
    await connection.send(_head("GET", f"{load.prefix}/echo/{make_token()}?sleep=0.2"))
    await asyncio.sleep(0.01)
    connection.abort()
    load.report.aborted += 1


async def abort_in_upload(load: "Load", connection: Connection) -> None:
    """Sends half a body, and leaves."""
    await connection.open()
    token = make_token()
    body = request_body(token, POST_BYTES)
    head = _head("POST", f"{load.prefix}/echo/{token}", f"content-length: {len(body)}")
    await connection.send(head + body[: POST_BYTES // 2])
    await asyncio.sleep(0.01)
    connection.abort()
    load.report.aborted += 1


async def abort_in_download(load: "Load", connection: Connection) -> None:
    """Reads the beginning of a long reply, and leaves."""
    await connection.open()
    await connection.send(_head("GET", f"{load.prefix}/stream/{make_token()}?bytes=4000000"))
    await connection.read(1000)
    connection.abort()
    load.report.aborted += 1


@dataclasses.dataclass(frozen=True)
class Clients:
    """So many clients of one kind, each with a pause between its requests."""

    kind: Kind
    count: int
    pause_s: float = 0.0


class Load:
    """A context: the clients run from its start to its end, and finish the request they are at.

    `port` may be changed meanwhile. `query` is appended to the path of GET and POST, `prefix` put before every path.
    """

    def __init__(
        self,
        port: int,
        clients: Sequence[Clients],
        *,
        host: str = "127.0.0.1",
        timeout_s: float = TIMEOUT_S,
        query: str = "",
        prefix: str = "",
    ) -> None:
        self.port = port
        self.host = host
        self.query = query
        self.prefix = prefix
        self.report = Report()
        self._clients = clients
        self._timeout_s = timeout_s
        self._is_stopping = False
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="load", daemon=True)

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self.stop()

    def stop(self) -> Report:
        """Let each client finish its request, and return the report. Raises what went wrong in the load itself."""
        self._is_stopping = True
        self._thread.join(self._timeout_s + 10)
        assert not self._thread.is_alive(), "a client hangs"
        if self._crash is not None:
            raise self._crash
        return self.report

    def wait_ok(self, n: int, seconds: float = 60.0) -> None:
        """Wait for `n` more good replies. Raises AssertionError, with the report."""
        wanted = self.report.ok + n
        give_up = time.monotonic() + seconds
        while self.report.ok < wanted:
            assert time.monotonic() < give_up, f"{self.report.ok} of {wanted} good replies: {self.report!r}"
            assert self._thread.is_alive() or self._is_stopping, f"the load ended: {self._crash!r}"
            time.sleep(0.005)

    # For kinds of clients

    async def exchange(self, connection: Connection, token: str, request: bytes, body: bytes) -> None:
        """Send a request to `/echo/` and check the reply."""
        began_at = time.monotonic()
        await connection.open()
        await connection.send(request)
        reply = await connection.read_reply()
        self.report.workers[check_echo(reply, token, body)] += 1
        self.count_ok(began_at)
        if reply.closes:
            connection.close()

    def count_ok(self, began_at: float) -> None:
        self.report.ok += 1
        self.report.samples.append(Sample(began_at, time.monotonic() - began_at))

    # Inside

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                runner.run(self._run_clients())
        except BaseException as crash:
            self._crash = crash

    async def _run_clients(self) -> None:
        async with asyncio.TaskGroup() as group:
            for clients in self._clients:
                for _ in range(clients.count):
                    group.create_task(self._client(clients))

    async def _client(self, clients: Clients) -> None:
        report = self.report
        connection = Connection(self)
        try:
            while not self._is_stopping:
                try:
                    async with asyncio.timeout(self._timeout_s):
                        await clients.kind(self, connection)
                except TimeoutError:
                    self._note_failure("hung", connection)
                except RequestError as error:
                    self._note_failure(str(error), connection)
                    # Nobody there: asking again at once would only burn what the others need to come up.
                    await asyncio.sleep(0.02)
                except MixedUpError as error:
                    report.mixed += 1
                    report.examples.insert(0, f"MIXED UP: {error}")
                    connection.close()
                if clients.pause_s:
                    await asyncio.sleep(clients.pause_s)
        finally:
            connection.close()

    def _note_failure(self, kind: str, connection: Connection) -> None:
        self.report.failed[kind] += 1
        if len(self.report.examples) < MAX_EXAMPLES:
            self.report.examples.append(f"{kind} at {time.monotonic():.3f}")
        connection.close()

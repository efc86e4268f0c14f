"""An open loop of HTTP clients: requests come when they are due, whether or not those before them are answered.

So what is slow is not hidden by clients that wait for it. A request is timed from when it was due. Each is sent once,
on a new connection (`fresh`), or on one that the server has not closed and has not said it would (`kept`); whatever
ends a connection before its reply is whole is a failure.

The clients are sockets and one epoll in a thread: some 60 µs for a request on a new connection, where an event loop's
protocols took 300. What the clients take, the servers lack.
"""

import collections
import contextlib
import dataclasses
import heapq
import select
import socket
import threading
import time

from tests.support.processes import wait_for

TIMEOUT_S = 30.0
# How long the poll may wait: what is due next is seldom further away.
TICK_S = 0.001
# So many are begun in one go; then replies are read.
BATCH = 64


@dataclasses.dataclass
class OpenLoopReport:
    """What the clients saw. `failed` counts by kind; `took_s` is each good reply's time, from when it was due.

    late_s: by how much the loop itself was late in sending at most: more than a little, and it is the loop that is slow
    """

    failed: collections.Counter[str] = dataclasses.field(default_factory=collections.Counter)
    took_s: list[float] = dataclasses.field(default_factory=list)
    connections: int = 0
    late_s: float = 0.0

    @property
    def ok(self) -> int:
        return len(self.took_s)

    def percentile_s(self, share: float) -> float:
        """0.0 without any."""
        taken = sorted(self.took_s)
        return taken[min(len(taken) - 1, int(share * len(taken)))] if taken else 0.0

    def __str__(self) -> str:
        times = ", ".join(f"{name} {self.percentile_s(share) * 1000:.0f} ms" for name, share in SHARES.items())
        return (
            f"ok={self.ok} failed={dict(self.failed)} connections={self.connections} {times}, "
            f"sent {self.late_s * 1000:.0f} ms late at most"
        )


SHARES = {"median": 0.5, "p99": 0.99, "p99.9": 0.999, "longest": 1.0}


class OpenLoop:
    """A context: `rate` requests a second from its start to its end, and until the last is answered or given up."""

    def __init__(self, port: int, rate: float, *, keeps_alive: bool) -> None:
        self.report = OpenLoopReport()
        self._address = ("127.0.0.1", port)
        close = "" if keeps_alive else "connection: close\r\n"
        self._request = f"GET / HTTP/1.1\r\nhost: open.test\r\n{close}\r\n".encode()
        self._rate = rate
        self._clients: dict[int, _Client] = {}
        self._idle: dict[_Client, None] = {}
        # When each client must have its reply, and which ask of it that is.
        self._timeouts: list[tuple[float, int, _Client]] = []
        self._n_asked = 0
        self._n_open = 0
        self._is_stopping = False
        self._crash: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="open loop", daemon=True)

    def __enter__(self) -> "OpenLoop":
        self._thread.start()
        return self

    def __exit__(self, *unused: object) -> None:
        self._is_stopping = True
        self._thread.join(TIMEOUT_S + 10)
        assert not self._thread.is_alive(), "the open loop hangs"
        if self._crash is not None:
            raise self._crash

    @property
    def n_open(self) -> int:
        """Requests that are not answered yet."""
        return self._n_open

    def wait_ok(self, n: int, seconds: float = 30.0) -> None:
        """Wait for `n` more good replies. Raises AssertionError."""
        wanted = self.report.ok + n
        wait_for(lambda: self.report.ok >= wanted, f"{n} more good replies: {self.report}", seconds)

    def begin_report(self) -> OpenLoopReport:
        """A new report, for what is due from now on. What was due before still comes to the one before."""
        self.report = OpenLoopReport()
        return self.report

    def _run(self) -> None:
        try:
            with select.epoll() as poll:
                self._poll = poll
                self._send_all()
        except BaseException as crash:
            self._crash = crash

    def _send_all(self) -> None:
        began_at = time.monotonic()
        n_sent = 0
        while not self._is_stopping:
            for _ in range(BATCH):
                due_at = began_at + n_sent / self._rate
                late_s = time.monotonic() - due_at
                if late_s < 0:
                    break
                n_sent += 1
                self._send(due_at, late_s)
            self._turn(min(TICK_S, max(0.0, began_at + n_sent / self._rate - time.monotonic())))
        give_up = time.monotonic() + TIMEOUT_S + 1
        while self._n_open and time.monotonic() < give_up:
            self._turn(TICK_S)
        for client in list(self._clients.values()):
            self._drop(client)

    def _send(self, due_at: float, late_s: float) -> None:
        report = self.report
        report.late_s = max(report.late_s, late_s)
        self._n_open += 1
        self._n_asked += 1
        client = None
        while self._idle and client is None:
            client, _ = self._idle.popitem()
            if client.has_ended():
                self._drop(client)
                client = None
        if client is None:
            report.connections += 1
            client = _Client()
            self._clients[client.descriptor] = client
        client.report, client.due_at, client.number = report, due_at, self._n_asked
        client.received = b""
        heapq.heappush(self._timeouts, (time.monotonic() + TIMEOUT_S, client.number, client))
        try:
            if client.is_new:
                client.connect(self._address)
                # The way is writable once the connection is there: mostly at once.
                self._poll.register(client.descriptor, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)
            client.say(self._request)
        except OSError as error:
            self._fail(client, client.name_of(error))

    def _turn(self, seconds: float) -> None:
        for descriptor, _ in self._poll.poll(seconds):
            client = self._clients.get(descriptor)
            if client is not None:
                self._hear(client)
        now = time.monotonic()
        while self._timeouts and self._timeouts[0][0] <= now:
            _, number, client = heapq.heappop(self._timeouts)
            if client.number == number and client.is_asked:
                self._fail(client, "hung")

    def _hear(self, client: "_Client") -> None:
        """Something has happened to it: read, and write what could not be written before."""
        try:
            if client.unsent:
                client.say(b"")
            while data := client.sock.recv(65536):
                client.received += data
        except BlockingIOError:
            if client.is_asked and client.received:
                self._judge(client)
            return
        except OSError as error:
            self._fail(client, client.name_of(error))
            return
        if client.is_asked and client.received:
            self._judge(client)
        self._fail(client, "closed before the reply")

    def _judge(self, client: "_Client") -> None:
        head, separator, body = client.received.partition(b"\r\n\r\n")
        if not separator:
            return
        lines = head.lower().split(b"\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith(b"content-length:")), None)
        is_whole = body.endswith(b"0\r\n\r\n") if length is None else len(body) >= length
        if not is_whole:
            return
        if not head.startswith(b"HTTP/1.1 200 "):
            self._fail(client, head.split(b" ", 2)[1].decode())
            return
        client.is_asked = False
        self._n_open -= 1
        client.report.took_s.append(time.monotonic() - client.due_at)
        if b"connection: close" in lines:
            self._drop(client)
        else:
            self._idle[client] = None

    def _fail(self, client: "_Client", kind: str) -> None:
        if client.is_asked:
            client.is_asked = False
            self._n_open -= 1
            client.report.failed[kind] += 1
        self._drop(client)

    def _drop(self, client: "_Client") -> None:
        self._idle.pop(client, None)
        if self._clients.pop(client.descriptor, None) is not None:
            client.sock.close()


class _Client:
    """A connection, and the request on it. `is_asked` until its reply has come, or will not come."""

    __slots__ = (
        "descriptor",
        "due_at",
        "is_asked",
        "is_connected",
        "is_new",
        "number",
        "received",
        "report",
        "sock",
        "unsent",
    )

    def __init__(self) -> None:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        self.descriptor = self.sock.fileno()
        self.report: OpenLoopReport
        self.due_at = 0.0
        self.number = 0
        self.received = b""
        self.unsent = b""
        self.is_new = True
        self.is_connected = False
        self.is_asked = False

    def __lt__(self, other: "_Client") -> bool:
        return self.number < other.number

    def has_ended(self) -> bool:
        """Whether the server has closed it, though the poll has not said so yet: this thread may have been held up."""
        try:
            return not self.sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def connect(self, address: tuple[str, int]) -> None:
        self.is_asked = True
        with contextlib.suppress(BlockingIOError):
            self.sock.connect(address)
        self.is_new = False

    def say(self, octets: bytes) -> None:
        """Raises OSError."""
        self.is_asked = True
        self.unsent += octets
        with contextlib.suppress(BlockingIOError):  # not connected yet, or full
            self.unsent = self.unsent[self.sock.send(self.unsent) :]
            self.is_connected = True

    def name_of(self, error: OSError) -> str:
        return f"{'' if self.is_connected else 'connect: '}{type(error).__name__}"

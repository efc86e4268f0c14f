"""A TCP connection that can be cut, delayed, throttled, corrupted or silenced: a bad network, in a thread."""

import contextlib
import select
import socket
import struct
import threading
import time
from typing import NamedTuple

PIECE = 64 * 1024
MAX_BUFFERED = 1 << 20


class _Piece(NamedTuple):
    due: float
    data: bytes


class _Way:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, target: socket.socket) -> None:
        self.source = source
        self.target = target
        self.pieces: list[_Piece] = []
        self.n_bytes = 0
        self.passed = 0
        self.may_send_at = 0.0
        self.has_ended = False

    @property
    def next_due(self) -> float:
        return max(self.pieces[0].due, self.may_send_at)


class TcpProxy:
    """Listens on `port` and passes connections on to `target_port`, both on 127.0.0.1.

    The faults are plain attributes, for all connections: `delay_s` one way, `bytes_per_s` (0: as fast as it goes),
    `is_silent` (takes, passes nothing on, and says nothing), `refuses` (new connections are reset). What has come is
    not lost while silent: it is passed on when the silence ends, as TCP would. With `records`, `recorded` is all that
    went by, as somebody on the way would see it.
    """

    def __init__(self, target_port: int, *, records: bool = False) -> None:
        self.recorded = bytearray()
        self._records = records
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.is_silent = False
        self.refuses = False
        self._target_port = target_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._ways: list[_Way] = []
        self._lock = threading.Lock()
        self._corrupt = 0
        self._wake, self._waker = socket.socketpair()
        self._is_closed = False
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._thread.start()

    def __enter__(self) -> "TcpProxy":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    @property
    def endpoint(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    @property
    def n_connections(self) -> int:
        with self._lock:
            return len(self._ways) // 2

    def bytes_passed(self) -> tuple[int, int]:
        """Octets passed on over the connections that are up: by those who dialled, and back to them."""
        with self._lock:
            return sum(w.passed for w in self._ways[::2]), sum(w.passed for w in self._ways[1::2])

    def cut(self, *, reset: bool = True) -> None:
        """End every connection: by a reset, or in good order. What is under way is lost."""
        with self._lock:
            for way in self._ways[::2]:
                self._end(way.source, reset)
                self._end(way.target, reset)
            self._ways.clear()
        self._poke()

    def corrupt(self, n_bytes: int) -> None:
        """Flip each bit of the next `n_bytes` octets."""
        self._corrupt = n_bytes

    def close(self) -> None:
        self._is_closed = True
        self._poke()
        self._thread.join()
        self.cut()
        for sock in (self._listener, self._wake, self._waker):
            sock.close()

    # Inside

    def _poke(self) -> None:
        with contextlib.suppress(OSError):
            self._waker.send(b"x")

    @staticmethod
    def _end(sock: socket.socket, reset: bool) -> None:
        with contextlib.suppress(OSError):
            if reset:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()

    def _run(self) -> None:
        while not self._is_closed:
            with self._lock:
                now = time.monotonic()
                readers = [w.source for w in self._ways if not w.has_ended and w.n_bytes < MAX_BUFFERED]
                waiting = [] if self.is_silent else [w for w in self._ways if w.pieces]
                writers = [w.target for w in waiting if w.next_due <= now]
                due = [w.next_due - now for w in waiting if w.next_due > now]
            wait_s = max(0.0, min([0.05, *due]))
            try:
                readable, writable, _ = select.select([self._listener, self._wake, *readers], writers, [], wait_s)
            except (OSError, ValueError):
                continue  # A connection was cut meanwhile.
            with self._lock:
                if self._wake in readable:
                    self._wake.recv(4096)
                if self._listener in readable:
                    self._accept()
                for way in list(self._ways):
                    if way in self._ways and way.source in readable:
                        self._read(way)
                    if way in self._ways and way.target in writable:
                        self._write(way)

    def _accept(self) -> None:
        source, _ = self._listener.accept()
        if self.refuses:
            self._end(source, True)
            return
        try:
            target = socket.create_connection(("127.0.0.1", self._target_port), timeout=5)
        except OSError:
            self._end(source, True)
            return
        for sock in (source, target):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._ways += [_Way(source, target), _Way(target, source)]

    def _read(self, way: _Way) -> None:
        try:
            data = way.source.recv(PIECE)
        except BlockingIOError:
            return
        except OSError:
            self._drop(way)
            return
        if not data:
            way.has_ended = True
            if not way.pieces and not self.is_silent:
                self._drop(way)
            return
        if self._corrupt:
            n = min(self._corrupt, len(data))
            data = bytes(octet ^ 0xFF for octet in data[:n]) + data[n:]
            self._corrupt -= n
        if self._records:
            self.recorded += data
        way.pieces.append(_Piece(time.monotonic() + self.delay_s, data))
        way.n_bytes += len(data)

    def _write(self, way: _Way) -> None:
        due, data = way.pieces[0]
        size = len(data) if not self.bytes_per_s else min(len(data), max(1, self.bytes_per_s // 50))
        try:
            sent = way.target.send(data[:size])
        except BlockingIOError:
            return
        except OSError:
            self._drop(way)
            return
        way.n_bytes -= sent
        way.passed += sent
        if self.bytes_per_s:
            way.may_send_at = time.monotonic() + sent / self.bytes_per_s
        if sent < len(data):
            way.pieces[0] = _Piece(due, data[sent:])
        else:
            way.pieces.pop(0)
        if way.has_ended and not way.pieces:
            self._drop(way)

    def _drop(self, way: _Way) -> None:
        """One end has closed: so does the other."""
        for sock in (way.source, way.target):
            self._end(sock, False)
        self._ways = [each for each in self._ways if each.source not in (way.source, way.target)]

"""Whole bodies, and no more: `python bodies.py PORT REQUEST_FILE CLIENTS COUNT`, started by load.py.

wrk stops when its time is over, with bodies half sent that the servers' CPU has been spent on already. Here so many
requests are sent and their replies read to the end, and the last line is as wrk.lua's.
"""

import http.client
import json
import socket
import sys
import threading
import time
from collections import deque
from pathlib import Path

BUFFER_BYTES = 256 * 1024
TIMEOUT_S = 20.0


class Body(http.client.HTTPResponse):
    """A reply whose body is counted, not kept."""

    def count(self, buffer: bytearray) -> int:
        n_bytes = 0
        while n := self.readinto(buffer):
            n_bytes += n
        return n_bytes


class Clients:
    """So many connections at once, which share `count` requests out among themselves."""

    def __init__(self, port: int, request: bytes, count: int) -> None:
        self._port = port
        self._request = request
        self._turns = deque(range(count))
        self.times_us: list[int] = []
        self.errors = {"connect": 0, "read": 0, "write": 0, "timeout": 0, "status": 0}

    def run(self) -> None:
        """One connection."""
        buffer = bytearray(BUFFER_BYTES)
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=TIMEOUT_S) as connection:
                while self._turns:
                    try:
                        self._turns.popleft()
                    except IndexError:
                        return
                    self._ask(connection, buffer)
        except TimeoutError:
            self.errors["timeout"] += 1
        except (OSError, http.client.HTTPException):
            self.errors["read"] += 1

    def _ask(self, connection: socket.socket, buffer: bytearray) -> None:
        begun = time.monotonic()
        connection.sendall(self._request)
        with Body(connection, method=self._request.partition(b" ")[0].decode()) as reply:
            reply.begin()
            announced = int(reply.headers["content-length"])
            if reply.status >= http.client.BAD_REQUEST:
                self.errors["status"] += 1
            if reply.count(buffer) != announced:
                self.errors["read"] += 1
        self.times_us.append(int((time.monotonic() - begun) * 1e6))


def main() -> None:
    port, path, n_clients, count = sys.argv[1:]
    clients = Clients(int(port), Path(path).read_bytes(), int(count))
    threads = [threading.Thread(target=clients.run) for _ in range(int(n_clients))]
    begun = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    times = sorted(clients.times_us) or [0]
    result = {
        "requests": len(clients.times_us),
        "duration_us": int((time.monotonic() - begun) * 1e6),
        "p50_us": times[len(times) // 2],
        "p99_us": times[len(times) * 99 // 100],
        "errors": clients.errors,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()

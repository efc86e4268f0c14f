"""Requests under way while a test does something else, and who answers them."""

import threading

from tests.support.processes import DEADLINE_S, Site, wait_for
from tests.support.raw_http import HttpConnection, Reply


class Asking:
    """A request under way, in a thread of its own."""

    def __init__(self, site: Site, path: str = "/", *fields: str) -> None:
        self._connection = HttpConnection(site.http_port, timeout=2 * DEADLINE_S)
        self._connection.get(path, *fields)
        self._reply: Reply | None = None
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        with self._connection:
            self._reply = self._connection.read_reply()

    @property
    def is_answered(self) -> bool:
        return not self._thread.is_alive()

    def reply(self, seconds: float = DEADLINE_S) -> Reply:
        self._thread.join(seconds)
        assert self._reply is not None, "no reply yet"
        return self._reply


def wait_waiting(site: Site, n: int) -> None:
    wait_for(lambda: site.status()["waiting"] == n, f"{n} requests waiting")


def who_answers(site: Site, n: int, path: str = "/", *fields: str) -> list[str]:
    """The names of the example workers that answer `n` requests, one after the other."""
    names = []
    with HttpConnection(site.http_port) as client:
        for _ in range(n):
            client.get(path, *fields)
            reply = client.read_reply()
            assert reply.status == 200, reply
            names.append(reply.body.decode().split()[-1])
    return names

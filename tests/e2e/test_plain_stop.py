"""A plain stop and start of a router: there is a gap, but whoever has connected before it is answered."""

import signal
from functools import partial

import pytest

from tests.support.open_loop import OpenLoop
from tests.support.processes import Site, wait_for
from tests.support.raw_http import HttpConnection

# In the gap nobody listens; that a client sees, and nothing else.
REFUSED = {"connect: ConnectionRefusedError"}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_who_has_connected_is_answered(site: Site, loop: str) -> None:
    """As many as can be connect while it is stopped (SIGSTOP), so that it finds the signal and them at once."""
    options = ("--settle", "0s", "--access-log", "off", "--loop", loop)
    router = site.router(*options)
    site.hello("a")
    for _ in range(3):
        router.send_signal(signal.SIGSTOP)
        waiting = [HttpConnection(site.http_port) for _ in range(50)]
        for client in waiting[:25]:
            client.get("/")
        router.send_signal(signal.SIGTERM)
        router.send_signal(signal.SIGCONT)
        for client in waiting[25:]:
            client.get("/")
        for client in waiting:
            assert client.read_reply().status == 200
            client.close()
        assert router.popen.wait(30) == 0
        router = site.router(*options)
        site.wait_workers(1)


def has_more(load: OpenLoop, wanted: int) -> bool:
    return load.report.ok >= wanted


def test_nothing_but_the_gap_is_seen(site: Site) -> None:
    router = site.router("--settle", "0s", "--access-log", "off")
    site.hello("a")
    with OpenLoop(site.http_port, 100.0, keeps_alive=False) as load:
        for _ in range(3):
            wait_for(partial(has_more, load, load.report.ok + 50), "good replies")
            assert router.terminate() == 0
            router = site.router("--settle", "0s", "--access-log", "off")
    assert set(load.report.failed) <= REFUSED, load.report

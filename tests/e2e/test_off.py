"""What 0 turns off, in a real router: nothing trips over a time-out that never comes."""

import pytest

from tests.support.processes import wait_for
from tests.support.raw_http import ReplyCutError
from tests.support.sites import ServedSite

TIME_OUTS = "timeout idle-timeout head-timeout body-timeout keepalive-timeout queue-timeout".split()
ALL_OFF = [word for name in (*TIME_OUTS, "max-body", "max-failures") for word in (f"--{name}", "0")]


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_a_router_without_any_time_out_does_its_work(loop: str) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    site = ServedSite()
    try:
        router = site.router("--loop", loop, *ALL_OFF)
        with site.open() as client:
            client.get("/")
            wait_for(lambda: site.status()["waiting"] == 1, "the request in line")
            site.app_worker("app", "one")
            assert client.read_reply().status == 200
            # The head, the body and the reply, each in pieces.
            client.send(b"POST /echo HTTP/1.1\r\nhost:")
            client.send(b" localhost\r\ncontent-length: 10\r\n\r\nhalf ")
            client.read_until(b"half ")
            client.send(b"whole")
            client.read_until(b"whole\r\n0\r\n\r\n")
            client.get("/")
            assert client.read_reply().status == 200
        site.app_worker("app", "two")
        for _ in range(12):
            with site.open() as client:
                client.get("/half-reply")
                with pytest.raises(ReplyCutError):
                    client.read_reply()
        assert [worker["state"] for worker in site.status()["workers"]] == ["up", "up"]
        assert router.terminate() == 0
        assert "Traceback" not in router.output()
    finally:
        site.close()


def test_nothing_waits_where_nothing_may() -> None:
    site = ServedSite()
    try:
        site.router("--queue-size", "0")
        status, fields, _ = site.get("/")
        assert (status, fields["zerogate-error"]) == (503, "queue_full")
    finally:
        site.close()

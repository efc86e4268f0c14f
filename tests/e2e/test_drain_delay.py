"""`--drain-delay` and `/readyz`: a fleet is told first, and then the router stops."""

import http.client
import signal
import socket

import pytest

from tests.support.processes import Process, Site, wait_for


def readiness(site: Site) -> int:
    """The status of /readyz; 0 if nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", site.admin_port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def router(site: Site, *options: str) -> Process:
    return site.router("--settle", "0s", "--access-log", "off", *options)


def test_it_says_so_at_once_and_goes_on_until_the_delay_is_over(site: Site) -> None:
    process = router(site, "--drain-delay", "5s")
    site.hello("a")
    assert readiness(site) == 200
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: readiness(site) == 503, "it is not ready")
    assert site.get()[0] == 200
    assert "connection" not in site.get()[1]
    assert site.status()["workers"]
    assert process.popen.wait(30) == 0


def test_the_admin_port_answers_to_the_end(site: Site) -> None:
    process = router(site)
    site.worker("tests.e2e.apps:app", "w")
    connection = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=20)
    connection.request("GET", "/wait/end")
    wait_for(lambda: site.status()["workers"][0]["in_flight"] == 1, "a request in flight")
    other = http.client.HTTPConnection("127.0.0.1", site.http_port, timeout=20)
    other.request("GET", "/")
    assert other.getresponse().read() == b"ok"
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: readiness(site) == 503, "it is not ready")
    wait_for(lambda: site.status()["is_stopping"], "it stops")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", site.http_port))
    assert site.status()["workers"][0]["in_flight"] == 1
    other.request("GET", "/signal/end")  # A connection that was there before is served once more.
    assert other.getresponse().status == 200
    assert connection.getresponse().read() == b"waited"
    assert process.popen.wait(30) == 0
    assert readiness(site) == 0


def test_a_second_signal_waits_for_nothing(site: Site) -> None:
    process = router(site, "--drain-delay", "60s")
    process.send_signal(signal.SIGTERM)
    wait_for(lambda: readiness(site) == 503, "it is not ready")
    process.send_signal(signal.SIGTERM)
    assert process.popen.wait(30) == 1


def test_who_is_replaced_has_no_delay(site: Site) -> None:
    old = router(site, "--drain-delay", "60s")
    router(site, "--drain-delay", "60s", "--replace")
    assert old.popen.wait(30) == 0
    assert readiness(site) == 200


def test_who_is_replaced_amid_the_delay(site: Site) -> None:
    old = router(site, "--drain-delay", "60s")
    old.send_signal(signal.SIGTERM)
    wait_for(lambda: readiness(site) == 503, "it is not ready")
    router(site, "--replace")
    assert old.popen.wait(30) == 0
    assert readiness(site) == 200

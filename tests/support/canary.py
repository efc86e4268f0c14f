"""What tests of the link port share: a good worker that must not notice anything, and how links end."""

import contextlib
import socket
from collections.abc import Iterator

from tests.support.processes import DEADLINE_S, wait_for
from tests.support.raw_worker import RawLink
from tests.support.sites import ServedSite

# What one test may leave behind in the router, allocator's slack included.
MAX_GROWTH_KIB = 16 * 1024


def check_canary(site: ServedSite) -> None:
    assert site.get("/")[2] == b"Hello from canary\n"


def peer_of(link: RawLink) -> str:
    host, port = link.sock.getsockname()
    return f"{host}:{port}"


def refusal_of(site: ServedSite, link: RawLink) -> str:
    """Why the router ended this link or refused its JOIN, by its status: the log only counts what comes often."""
    peer = peer_of(link)

    def find() -> str:
        return next((each["reason"] for each in reversed(site.status()["refusals"]) if each["peer"] == peer), "")

    found: str = wait_for(find, "the reason")
    return found


def wait_until_closed(sock: socket.socket, seconds: float = DEADLINE_S) -> None:
    sock.settimeout(seconds)
    with contextlib.suppress(ConnectionResetError):
        while sock.recv(65536):
            pass


@contextlib.contextmanager
def make_canary_site(*options: str) -> Iterator[ServedSite]:
    """A router, with these options, and a worker beyond reproach."""
    site = ServedSite()
    try:
        site.router_process = site.router(
            "--settle", "0s", "--handshake-timeout", "60s", "--max-links", "200", *options
        )
        site.hello("canary")
        yield site
    finally:
        site.close()


@contextlib.contextmanager
def unnoticed(site: ServedSite) -> Iterator[None]:
    """Whatever happens, the good worker is reached, and the router stays as small as it was and complains of nobody."""
    check_canary(site)
    before = site.router_process.rss_kib()
    yield
    check_canary(site)
    assert site.router_process.rss_kib() - before < MAX_GROWTH_KIB
    assert "Traceback" not in site.router_process.output()
    wait_for(
        lambda: "canary" in [w["name"] for w in site.status()["workers"] if w["state"] == "up"], "the canary is up"
    )
    assert [w["name"] for w in site.status()["workers"]].count("canary") == 1

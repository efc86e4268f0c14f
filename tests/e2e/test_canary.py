"""Shares and clients that come back, with real processes (docs/canary.md)."""

import collections
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import Process, Site, clean_environment, make_site
from tests.support.raw_http import Head, HttpConnection
from tests.support.sites import ROOT

HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


def who(site: Site, n: int = 1, *fields: str, port: int = 0) -> list[str]:
    """Who answers, one request after the other, each on a connection of its own where there are several processes."""
    names = []
    for _ in range(n):
        with HttpConnection(port or site.http_port) as client:
            client.get("/", *fields)
            reply = client.read_reply()
            assert reply.status == 200, reply
            names.append(reply.body.decode().split()[-1])
    return names


def on_one_connection(site: Site, n: int) -> "collections.Counter[str]":
    with HttpConnection(site.http_port) as client:
        counts: collections.Counter[str] = collections.Counter()
        for _ in range(n):
            client.get("/")
            counts[client.read_reply().body.decode().split()[-1]] += 1
        return counts


def first_cookie(site: Site, *fields: str, port: int = 0) -> tuple[str, str, str]:
    """Who answers a client that knows nothing; its cookie, as it would send it; and the whole Set-Cookie."""
    with HttpConnection(port or site.http_port) as client:
        client.get("/", *fields)
        reply = client.read_reply()
    (told,) = reply.head.all("set-cookie")
    return reply.body.decode().split()[-1], f"Cookie: a=b; {told.partition(';')[0]}; c=d", told


def test_a_canary_has_its_share_and_is_seen_everywhere(site: Site, tmp_path: Path) -> None:
    log = tmp_path / "access.log"
    router = site.router("--settle", "0s", "--access-log", str(log))
    site.hello("stable", "--label", "version=1")
    canary = site.hello("canary", "--label", "version=2", "--label", "zone=a", "--share", "5%")
    assert on_one_connection(site, 1000) == {"stable": 950, "canary": 50}
    shown = {worker["name"]: worker for worker in site.status()["workers"]}
    assert shown["canary"]["labels"] == {"version": "2", "zone": "a"}
    assert (shown["canary"]["share"], shown["stable"]["share"]) == (5, None)
    told = subprocess.run(
        [sys.executable, "-m", "zerogate", "status", "--admin", f"127.0.0.1:{site.admin_port}"],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    assert re.search(r"canary +up +0/100 +50 +5% .* version=2,zone=a ", told), told
    router.wait_output("worker canary (version=2,zone=a) joined")
    canary.kill()
    router.wait_output("worker canary (version=2,zone=a) lost")
    assert on_one_connection(site, 100) == {"stable": 100}
    router.terminate()
    lines = [line for line in log.read_text().splitlines() if " canary " in line]
    assert len(lines) == 50
    assert all(line.endswith(" version=2,zone=a") for line in lines)


def test_what_no_router_would_take_is_said_at_once(site: Site) -> None:
    for words in (("--share", "101%"), ("--label", "x"), ("--sticky", "magic"), ("--sticky", "header:connection")):
        process = site.start("hello", "w", *words)
        assert process.popen.wait(20) == 2
        assert words[1].rstrip("%") in process.output()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_cookie_leads_back_whichever_process_reads_it(site: Site, processes: str) -> None:
    site.router("--settle", "0s", "--processes", processes)
    workers: dict[str, Process] = {name: site.hello(name, "--sticky", "cookie") for name in ("a", "b", "c")}
    site.wait_workers(3)
    name, cookie, told = first_cookie(site)
    assert re.fullmatch(r"zerogate-[0-9a-f]{8}=[0-9a-f]{16}; Path=/; HttpOnly; SameSite=Lax", told)
    assert who(site, 20, cookie) == [name] * 20
    with HttpConnection(site.http_port) as client:
        client.get("/", cookie)
        assert not client.read_reply().head.all("set-cookie")
    workers[name].kill()
    other = who(site, 1, cookie)[0]
    assert other != name
    again, moved, _ = first_cookie(site, cookie)
    assert again != name
    assert who(site, 10, moved) == [again] * 10
    _, value, _ = told.partition("=")[2].partition(";")
    for forged in ("", "0" * 16, "'", "x" * 9000, value):
        assert first_cookie(site, f"Cookie: {told.partition('=')[0]}={forged}")[0] in "abc"


def test_a_websocket_comes_back_too(site: Site) -> None:
    site.router("--settle", "0s")
    for name in ("a", "b"):
        site.worker("tests.e2e.websocket_apps:echo", name, "--sticky", "cookie", cwd=ROOT)

    def shake_hands(*fields: str) -> Head:
        with HttpConnection(site.http_port) as client:
            client.get("/", *HANDSHAKE, *fields)
            head = client.read_head()
        assert head.status == 101
        return head

    def served() -> dict[str, int]:
        return {worker["name"]: worker["served"] for worker in site.status()["workers"]}

    (told,) = shake_hands().all("set-cookie")
    before = served()
    for _ in range(5):
        assert not shake_hands(f"Cookie: {told.partition(';')[0]}").all("set-cookie")
    grown = {name: n - before[name] for name, n in served().items()}
    assert sorted(grown.values()) == [0, 5]


def test_the_cookie_is_secure_where_the_client_came_by_tls(site: Site) -> None:
    site.router("--settle", "0s")
    site.hello("a", "--sticky", "cookie", "--route", "/shop")
    with HttpConnection(site.http_port) as client:
        client.get("/shop/x", "X-Forwarded-Proto: https", "X-Forwarded-Prefix: /eu/")
        (told,) = client.read_reply().head.all("set-cookie")
    assert told.endswith("; Path=/eu/shop; HttpOnly; SameSite=Lax; Secure")


@pytest.mark.parametrize("sticky", ["cookie", "header:x-user", "client"])
def test_two_routers_agree(sticky: str) -> None:
    """Without a word, and whoever of the workers came first."""
    with make_site() as one, make_site() as other:
        one.router("--settle", "0s")
        other.router("--settle", "0s")
        for number in range(3):
            ends = (other.endpoint, one.endpoint)
            one.start(
                *("hello", f"w{number}", "--sticky", sticky), *(word for end in ends for word in ("--connect", end))
            )
        for site in (one, other):
            site.wait_workers(3)
        if sticky == "cookie":
            keys = [first_cookie(one)[1] for _ in range(6)]
        else:
            keys = [f"X-User: {n}\r\nX-Forwarded-For: 203.0.113.{n}" for n in range(12)]
        found = [who(one, 1, key)[0] for key in keys]
        assert len(set(found)) > 1
        assert [who(other, 1, key)[0] for key in keys] == found

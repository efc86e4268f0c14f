"""Who the client is, as the application hears it, however the request came: the table in docs/listening.md."""

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.certificates import Authority
from tests.support.commands import ROOT
from tests.support.processes import free_port
from tests.support.raw_http import HttpConnection
from tests.support.sites import ServedSite

CLIENT = "203.0.113.9"
XFF = b"X-Forwarded-For: 6.6.6.6, 203.0.113.9, 127.0.0.1\r\n"
XFP = b"X-Forwarded-Proto: https\r\n"
FORWARDED = b'Forwarded: for=6.6.6.6, for="203.0.113.9:4711";proto=https, for=127.0.0.1\r\n'
LINE = b"PROXY TCP4 203.0.113.9 192.0.2.1 4711 443\r\n"
BINARY = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x14\xcb\0\x71\x09\xc0\0\2\1\x12\x67\1\xbb\x20\0\5\1\0\0\0\0"


class Case(NamedTuple):
    """What is sent, and what the application hears. `client` is an address, or `peer`: whoever connected. An empty
    `scheme` is the connection's own."""

    fields: bytes
    client: Any
    scheme: str
    before: bytes = b""


# By the table's first column, and by whether the peer is trusted and sends a PROXY header.
TRUSTED = {
    "nobody says anything": Case(b"", "peer", ""),
    "`X-Forwarded-For`, `-Proto`": Case(XFF + XFP, [CLIENT, 0], "https"),
    "`Forwarded`": Case(FORWARDED, [CLIENT, 4711], "https"),
    "`Forwarded` in a line that breaks the rules": Case(
        b'Forwarded: for="1.1.1.1\r\n' + FORWARDED, [CLIENT, 4711], "https"
    ),
    "`Forwarded` beside `X-Forwarded-*`": Case(FORWARDED + XFF, [CLIENT, 0], ""),
}
PROXIED = {
    "a PROXY header, version 1": Case(b"", [CLIENT, 4711], "", LINE),
    "a PROXY header, version 2": Case(b"", [CLIENT, 4711], "https", BINARY),
    "a PROXY header that tells of nobody": Case(b"", "peer", "", b"PROXY UNKNOWN\r\n"),
    "a PROXY header, and fields of a client that is not trusted": Case(FORWARDED + XFF, [CLIENT, 4711], "", LINE),
}
STRANGER = {"any of these from somebody who is not trusted": Case(FORWARDED + XFF + XFP, "peer", "")}


class Listening(ServedSite):
    """A router at every kind of address, for HTTP and for HTTPS."""

    def __init__(self, folder: Path, *options: str) -> None:
        super().__init__()
        self.authority = Authority(folder)
        files = self.authority.issue("localhost")
        self.addresses: dict[str, Any] = {}
        for scheme in ("http", "https"):
            path, port4, port6 = folder / scheme, free_port(), free_port()
            self.addresses |= {
                f"{scheme} IPv4": ("127.0.0.1", port4),
                f"{scheme} IPv6": ("::1", port6),
                f"{scheme} unix": str(path),
            }
            for address in (f"127.0.0.1:{port4}", f"[::1]:{port6}", f"unix:{path}"):
                options += (f"--{scheme}", address)
        self.serve(*options, "--tls-cert", files.certificate, "--tls-key", files.key)

    @contextlib.contextmanager
    def connect_to(self, kind: str, before: bytes = b"") -> Iterator[socket.socket]:
        """A connection, which begins with `before`."""
        address = self.addresses[kind]
        if isinstance(address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(address)
        else:
            sock = socket.create_connection(address)
        with sock:
            sock.settimeout(20)
            sock.sendall(before)
            if kind.startswith("http "):
                yield sock
            else:
                with self.authority.client().wrap_socket(sock, server_hostname="localhost") as tls:
                    yield tls


def heard(
    site: Listening, kind: str, case: Case, request: bytes = b"GET /inspect HTTP/1.1\r\nhost: a.example\r\n"
) -> Any:
    with site.connect_to(kind, case.before) as sock:
        sock.sendall(request + case.fields + b"\r\n")
        connection = HttpConnection.over(sock)
        return json.loads(connection.read_reply().body), sock.getsockname()


def check(site: Listening, kind: str, case: Case) -> None:
    seen, ours = heard(site, kind, case)
    peer = None if kind.endswith("unix") else list(ours[:2])
    scheme = case.scheme or kind.partition(" ")[0]
    assert seen["client"] == (peer if case.client == "peer" else case.client)
    assert seen["scheme"] == scheme
    assert seen["server"] == ["a.example", 443 if scheme == "https" else 80]


def sites(name: str, *options: str) -> Any:
    @pytest.fixture(scope="module", name=name)
    def make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Listening]:
        site = Listening(tmp_path_factory.mktemp(name), *options)
        try:
            yield site
        finally:
            site.close()

    return make


trusting = sites("trusting", "--trust", "loopback", "--trust", "unix")
proxied = sites("proxied", "--trust", "loopback", "--trust", "unix", "--proxy-protocol")
strict = sites("strict", "--trust", "none", "--proxy-protocol")

KINDS = pytest.mark.parametrize(
    "kind", [f"{scheme} {family}" for scheme in ("http", "https") for family in ("IPv4", "IPv6", "unix")]
)


@KINDS
@pytest.mark.parametrize("name", TRUSTED)
def test_a_trusted_peer(trusting: Listening, kind: str, name: str) -> None:
    check(trusting, kind, TRUSTED[name])


@KINDS
@pytest.mark.parametrize("name", PROXIED)
def test_a_proxy_that_passes_octets_on(proxied: Listening, kind: str, name: str) -> None:
    check(proxied, kind, PROXIED[name])


@KINDS
@pytest.mark.parametrize("name", STRANGER)
def test_a_stranger(strict: Listening, kind: str, name: str) -> None:
    check(strict, kind, STRANGER[name])


def test_a_stranger_s_proxy_header_is_no_request(strict: Listening) -> None:
    with strict.connect_to("http IPv4", LINE) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert HttpConnection.over(sock).read_head().status == 400


def test_without_its_header_a_proxy_is_not_served(proxied: Listening) -> None:
    with proxied.connect_to("http IPv4") as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        HttpConnection.over(sock).assert_ends()
    proxied.router_process.wait_output("127.0.0.1 was turned away: it does not begin with a PROXY header")


@pytest.mark.parametrize("kind", ["http IPv4", "http IPv6", "https IPv4", "https IPv6"])
def test_who_names_no_host(trusting: Listening, kind: str) -> None:
    seen, _ = heard(trusting, kind, Case(b"", "peer", ""), b"GET /inspect HTTP/1.0\r\n")
    host, port = trusting.addresses[kind]
    assert seen["server"] == [f"[{host}]" if ":" in host else host, port]


def test_the_table_has_every_case() -> None:
    page = (ROOT / "docs" / "listening.md").read_text()
    rows = re.findall(r"^\| ([^|]+) \|", page.partition("## Who the client is")[2].partition("\n## ")[0], re.MULTILINE)
    assert set(TRUSTED) | set(PROXIED) | set(STRANGER) == set(rows) - {"what comes", "---"}


def test_foreign_proxies_are_named_by_a_variable_too(tmp_path: Path) -> None:
    """uvicorn and gunicorn have made it known."""
    site = ServedSite()
    try:
        site.router("--settle", "0s", env={"FORWARDED_ALLOW_IPS": "127.0.0.1,10.0.0.0/8"})
        site.app_worker("app", "app-worker")
        with site.open() as client:
            client.get("/inspect", "X-Forwarded-For: 203.0.113.9, 10.1.1.1")
            assert json.loads(client.read_reply().body)["client"] == [CLIENT, 0]
    finally:
        site.close()

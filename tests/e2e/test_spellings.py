"""Two keys, two workers, and every way to ask for one by the other's name: by real processes and raw octets."""

import socket

from tests.support.keyed_site import KeyedSite, keyed_site

HOSTS = [
    "Host: b.example",
    "host:\tB.EXAMPLE.\t",
    "Host: b.example:80",
    "Host: b.example\r\nX-Forwarded-Host: a.example\r\nForwarded: host=a.example",
    "Host: b.example\r\nHost: a.example",
    "Host: a.example\r\nHost: b.example",
    "Host: a.example, b.example",
    "Host: a.example@b.example",
    "Host: b.example\r\n a.example",
    "X: y\r\n Host: b.example",
    "Host : b.example",
    "Host: a.example\0b.example",
    "Host: a.example..b.example",
    "Host: %62.example",
    "",
]
LINES = [
    "GET {} HTTP/1.1",
    "GET http://b.example{} HTTP/1.1",
    "GET HTTP://B.example.:80{} HTTP/1.1",
    "GET http://a.example@b.example{} HTTP/1.1",
    "GET {} HTTP/1.0",
    "GET\t{} HTTP/1.1",
]
PATHS = [
    "/y",
    "/%79",
    "/y/x",
    "/x%2f..%2fy",
    "/x/../y",
    "/x/%2e%2e/y",
    "/x/..;/y",
    "/x\\..\\y",
    "//x",
    "/y%2F..%2Fx",
    "/%2e/x",
]


def ask(site: KeyedSite, raw: str) -> bytes:
    """All that is answered, until the router closes."""
    with socket.create_connection(("127.0.0.1", site.http_port), timeout=20) as sock:
        sock.sendall(raw.encode("latin-1"))
        sock.shutdown(socket.SHUT_WR)
        got = b""
        while data := sock.recv(65536):
            got += data
    return got


def test_no_spelling_leads_to_another_s_worker() -> None:
    """`mallory` is for a.example/x alone; all that is asked for is somebody else's."""
    with keyed_site() as site:
        site.keyed_router()
        site.paste(site.paste_of("mallory", "a.example/x"))
        site.paste(site.paste_of("bob", "b.example", "a.example/y"))
        site.wait_workers(2)

        def served() -> dict[str, int]:
            return {worker["name"]: worker["served"] for worker in site.status()["workers"]}

        n_asked = 0
        for host in HOSTS:
            for line in LINES:
                is_for_a = "http" not in line.lower() and "b.example" not in host
                if not is_for_a or not host:
                    ask(site, f"{line.format('/x/1')}\r\n{host}\r\nConnection: close\r\n\r\n")
                    n_asked += 1
        for path in PATHS:
            ask(site, f"GET {path} HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n\r\n")
            n_asked += 1
        assert n_asked > 60
        assert served()["mallory"] == 0
        assert served()["bob"] > 5
        # It is there, and gets what it is for, however that is spelt.
        for path in ("/x", "/%78/1", "/x%2F1"):
            answer = ask(site, f"GET {path} HTTP/1.1\r\nHost: A.Example.:9\r\nConnection: close\r\n\r\n")
            assert answer.startswith(b"HTTP/1.1 "), answer
        assert served()["mallory"] == 3

"""`--replace` with clients' sockets of every kind: a Unix socket, IPv6, and what systemd opened."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.commands import clean_environment
from tests.support.processes import Site, free_port, wait_for
from tests.support.raw_http import HttpConnection

# Becomes a router that has its sockets from systemd, as far as it can tell (sd_listen_fds(3)).
AS_SYSTEMD = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="http")
os.execv(sys.executable, [sys.executable, "-m", "zerogate", "router", *sys.argv[2:]])
"""


def get(path: str) -> bytes:
    """A reply's body, over a Unix socket."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(20)
        sock.connect(path)
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        return HttpConnection.over(sock).read_reply().body


def test_a_path_and_an_ipv6_port_go_from_hand_to_hand(site: Site, tmp_path: Path) -> None:
    path, port = tmp_path / "http", free_port()
    options = ("--http", f"unix:{path}", "--http", f"[::1]:{port}")
    old = site.router(*options)
    inode = path.stat().st_ino
    site.hello("a")
    with socket.socket(socket.AF_UNIX) as waiting, socket.create_connection(("::1", port)) as kept:
        waiting.connect(str(path))
        new = site.router(*options, "--replace")
        assert old.popen.wait(30) == 0
        assert path.stat().st_ino == inode
        kept.close()
    assert get(str(path)) == b"Hello from a\n"
    with socket.create_connection(("::1", port), timeout=20) as sock:
        sock.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
        assert HttpConnection.over(sock).read_reply().body == b"Hello from a\n"
    assert new.terminate() == 0
    assert not path.exists()


def start_as_systemd(sock: socket.socket, site: Site, *options: str) -> "subprocess.Popen[bytes]":
    arguments = [str(sock.fileno()), "--bind", site.endpoint, "--admin", f"127.0.0.1:{site.admin_port}", *options]
    return subprocess.Popen(
        [sys.executable, "-c", AS_SYSTEMD, *arguments],
        pass_fds=[sock.fileno()],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )


def is_up(site: Site, name: str) -> bool:
    try:
        return bool(site.status()["router"] == name and site.status()["workers"])
    except OSError:
        return False


def test_a_socket_of_systemd_s_stays_and_its_router_goes(site: Site, tmp_path: Path) -> None:
    """Both routers have it. The path is systemd's, and outlives them."""
    path = str(tmp_path / "http")
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(path)
        sock.listen()
        old = start_as_systemd(sock, site, "--name", "old")
        site.hello("a", wait=False)
        wait_for(lambda: is_up(site, "old"), "the old router")
        new = start_as_systemd(sock, site, "--name", "new", "--replace")
        try:
            assert old.wait(30) == 0
            wait_for(lambda: is_up(site, "new"), "the new router")
            assert get(path) == b"Hello from a\n"
        finally:
            for process in (old, new):
                process.terminate()
                process.wait(30)
        assert os.path.exists(path)

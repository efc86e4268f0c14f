"""More clients than the soft limit of open files allows: what a shell gives is not what a process may have."""

import contextlib
import subprocess
import sys

from tests.support.commands import clean_environment
from tests.support.processes import Site, wait_for

SOFT_LIMIT = 64
N_CLIENTS = 100


def test_more_clients_than_the_soft_limit(site: Site) -> None:
    arguments = ["router", "--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint]
    arguments += ["--admin", f"127.0.0.1:{site.admin_port}"]
    router = subprocess.Popen(
        ["sh", "-c", f'ulimit -Sn {SOFT_LIMIT} && exec "$0" -m zerogate "$@"', sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=clean_environment(),
    )
    try:
        site.hello("worker-1")
        with contextlib.ExitStack() as clients:
            for _ in range(N_CLIENTS):
                client = clients.enter_context(site.connect())
                client.sendall(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
                assert client.recv(4096).startswith(b"HTTP/1.1 200 ")
            wait_for(lambda: site.status()["clients"] == N_CLIENTS, "all clients at once")
    finally:
        router.kill()
        router.wait()

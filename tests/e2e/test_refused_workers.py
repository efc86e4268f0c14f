"""A router that refuses a worker, says nothing, or is none: told once with its likely cause, and dialled ever less."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import zmq

from tests.support.commands import run_command
from tests.support.processes import Process, Site, wait_for

# In which a worker that dials on with its shortest pauses would dial some sixty times.
SECONDS = 3.0


def lines(process: Process, text: str) -> list[str]:
    return [line for line in process.output().splitlines() if text in line]


@contextmanager
def listening(port: int, answer: bytes | None) -> Iterator[list[int]]:
    """Something that takes connections, and answers, or says nothing (None). Counts them."""
    n_taken = [0]
    held: list[socket.socket] = []
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", port))
    listener.listen(100)

    def take() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            n_taken[0] += 1
            held.append(sock)
            if answer is not None:
                sock.sendall(answer)
                sock.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=take, daemon=True)
    thread.start()
    try:
        yield n_taken
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
        for sock in held:
            sock.close()


@pytest.mark.parametrize(
    ("answer", "cause"),
    [
        (None, "says nothing: no router's --bind, or a router that hangs"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "the peer speaks HTTP, not ZMTP"),
        (b"", "takes connections and ends them"),
    ],
    ids=["mute", "http", "closing"],
)
def test_what_is_no_router(site: Site, answer: bytes | None, cause: str) -> None:
    with listening(site.link_port, answer) as n_taken:
        worker = site.hello("w", "--handshake-timeout", "100ms", wait=False)
        worker.wait_output(cause)
        time.sleep(SECONDS)
        assert n_taken[0] < 30
        assert len(lines(worker, cause)) == 1
    # And when there is a router: soon, as it is gone first.
    worker.wait_output("nobody listens there")
    site.router()
    worker.wait_output("joined router", 40)


def test_a_zeromq_socket_that_is_no_router(site: Site) -> None:
    context = zmq.Context()
    sock = context.socket(zmq.ROUTER)
    try:
        sock.bind(site.endpoint)
        worker = site.hello("w", "--handshake-timeout", "200ms", wait=False)
        worker.wait_output("JOIN was not answered within 0.2 s (it speaks ZeroMQ, but is no router's --bind")
    finally:
        sock.close(0)
        context.term()


def test_a_key_that_is_revoked(site: Site, tmp_path: Path) -> None:
    keys = ("--keys", str(tmp_path))
    router_key = run_command("keys", "router", *keys).stdout.strip()
    line = run_command("keys", "worker", "w", *keys).stdout
    secret = line.split("'")[1] if "'" in line.split()[0] else line.split()[0].partition("=")[2]
    site.router(*keys)
    worker = site.hello("w", "--router-key", router_key, env={"ZEROGATE_KEY": secret})
    assert run_command("keys", "revoke", "w", *keys).returncode == 0
    refusal = "this key is not listed there (the key was revoked, or is on another router's list"
    worker.wait_output(refusal, times=site.router_processes)
    n_lines = len(worker.output().splitlines())
    time.sleep(SECONDS)
    assert len(worker.output().splitlines()) == n_lines
    # Again on the list, it is taken; within 30 s.
    entry = run_command("keys", "worker", "other", *keys)
    assert entry.returncode == 0
    (refusals,) = [site.status()["refusals"]]
    assert 0 < len(refusals) < 16 * site.router_processes


def test_a_route_that_the_key_is_not_for(site: Site, tmp_path: Path) -> None:
    keys = ("--keys", str(tmp_path))
    router_key = run_command("keys", "router", *keys).stdout.strip()
    line = run_command("keys", "worker", "w", "--route", "/a", *keys).stdout
    secret = line.split()[0].partition("=")[2].strip("'")
    site.router(*keys)
    worker = site.hello("w", "--router-key", router_key, "--route", "/b", wait=False, env={"ZEROGATE_KEY": secret})
    worker.wait_output("refused this worker: the key w may not serve /b")
    time.sleep(SECONDS)
    assert len(lines(worker, "refused this worker")) == 1
    wait_for(lambda: len(site.status()["refusals"]) > 2, "it dials on")
    assert len(site.status()["refusals"]) < 16 * site.router_processes


def test_a_wrong_router_key(site: Site, tmp_path: Path) -> None:
    run_command("keys", "router", "--keys", str(tmp_path / "a"))
    other = run_command("keys", "router", "--keys", str(tmp_path / "b")).stdout.strip()
    line = run_command("keys", "worker", "w", "--keys", str(tmp_path / "a")).stdout
    secret = line.split()[0].partition("=")[2].strip("'")
    site.router("--keys", str(tmp_path / "a"))
    worker = site.hello("w", "--router-key", other, wait=False, env={"ZEROGATE_KEY": secret})
    worker.wait_output("wrong --router-key: `zerogate keys list`")


def test_a_router_that_restarts_is_found_soon(site: Site) -> None:
    router = site.router()
    worker = site.hello("w")
    for _ in range(2):
        router.kill()
        worker.wait_output("nobody listens there")
        router = site.router()
        site.wait_workers(1)

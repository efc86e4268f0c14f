"""A router of several processes: one to whom it serves, and nothing is lost when one of them dies."""

import contextlib
import os
import re
import signal
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chaos import ChaosSite, pids_of
from tests.support.load import Clients, Load, get, post
from tests.support.open_loop import OpenLoop
from tests.support.processes import Process, wait_for
from tests.support.raw_http import HttpConnection
from zerogate.supervisor.keeper import MAX_FAILURES


class Several(ChaosSite):
    router_processes = 2


@pytest.fixture
def site() -> Iterator[Several]:
    found = Several()
    try:
        yield found
    finally:
        found.close()


def pids(site: ChaosSite) -> dict[int, int]:
    """The processes that answer, by their numbers."""
    return {each["process"]: each["pid"] for each in site.status()["processes"]}


def workers_of(site: ChaosSite) -> dict[str, list[int]]:
    return {worker["name"]: sorted(worker["processes"]) for worker in site.status()["workers"]}


def clients_of(site: ChaosSite) -> list[int]:
    return [each["clients"] for each in site.status()["processes"]]


def wait_clients(site: ChaosSite, n: int) -> None:
    wait_for(lambda: sum(clients_of(site)) == n, f"{n} clients")


def test_shares_are_even_and_a_worker_appears_once(site: Several) -> None:
    site.chaos_router()
    site.chaos_worker("a")
    site.chaos_worker("b")
    wait_for(lambda: workers_of(site) == {"a": [1, 2], "b": [1, 2]}, "both have both")
    shares: list[list[int]] = []
    # Clearly more than another has nobody (router/scoreboard.py); while a machine is busy it may be a few, or none.
    while max(map(min, shares), default=0) < 6:
        assert len(shares) < 5, shares
        with Load(site.http_port, [Clients(get, 16), Clients(post, 8)]) as load:
            load.wait_ok(200)
            wait_clients(site, 24)
            shares.append(clients_of(site))
            load.wait_ok(100)
        assert load.report.is_clean, load.report
    assert max(site.runs().values()) == 1
    assert len(site.status()["routes"]) == 1


def test_those_who_have_left_leave_no_process_out(site: Several) -> None:
    """However many a process has had: what it has now is what counts."""
    site.chaos_router()
    shares: list[list[int]] = []
    while max(map(min, shares), default=0) < 6:
        assert len(shares) < 5, shares
        for n in (200, 20):
            with contextlib.ExitStack() as stack:
                for _ in range(n):
                    stack.enter_context(site.connect())
                wait_clients(site, n)
                found = clients_of(site)
            wait_clients(site, 0)
        shares.append(found)


def test_a_process_that_is_killed_is_started_again_and_its_queue_is_not_lost(site: Several) -> None:
    router = site.chaos_router()
    site.hello("a")
    wait_for(lambda: workers_of(site) == {"a": [1, 2]}, "both have the worker")
    before = pids(site)
    with OpenLoop(site.http_port, 150.0, keeps_alive=False) as load:
        wait_for(lambda: load.report.ok >= 50, "good replies")
        os.kill(before[1], signal.SIGKILL)
        most_failed = load.n_open + load.report.failed.total() + 3
        router.wait_output("router process 1 ended")
        wait_for(lambda: len(pids(site)) == 2 and pids(site)[1] != before[1], "it is back")
        wait_for(lambda: workers_of(site) == {"a": [1, 2]}, "it has the worker")
        wait_for(lambda: load.report.ok >= 200, "good replies")
    # Only whose connection was its own can have noticed.
    assert load.report.failed.total() <= most_failed, load.report
    assert pids(site)[2] == before[2]
    assert router.popen.poll() is None


def test_one_stop_ends_all_and_finishes_what_is_in_flight(site: Several) -> None:
    router = site.chaos_router()
    site.chaos_worker("a")
    wait_for(lambda: workers_of(site) == {"a": [1, 2]}, "both have the worker")
    with site.open() as one, site.open() as two, site.open() as three:
        for number, client in enumerate((one, two, three)):
            client.get(f"/echo/{number}?until=stop")
        site.wait_in_flight(3)
        router.send_signal(signal.SIGTERM)
        wait_for(lambda: site.status()["is_stopping"], "it stops")
        site.let_go("stop")
        for number, client in enumerate((one, two, three)):
            reply = client.read_reply()
            assert (reply.status, reply.body.split()[0]) == (200, str(number).encode())
            assert reply.get("connection") == "close"
    assert router.popen.wait(30) == 0


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGQUIT])
def test_no_process_outlives_its_parent(site: Several, number: int) -> None:
    router = site.chaos_router()
    mine = f"127.0.0.1:{site.http_port}"
    assert len(pids_of("zerogate", mine)) == 1 + 2
    router.send_signal(number)
    router.popen.wait(30)
    wait_for(lambda: not pids_of("zerogate", mine), "all are gone")


def replaced(site: ChaosSite, old: Process, n: int) -> Process:
    site.router_processes = n
    new = site.chaos_router("--replace")
    assert old.popen.wait(30) == 0
    return new


def test_whatever_number_replaces_whatever_number_nothing_is_lost(site: Several) -> None:
    running = site.chaos_router()
    for name in ("a", "b"):
        site.hello(name)
    with (
        OpenLoop(site.http_port, 100.0, keeps_alive=False) as fresh,
        OpenLoop(site.http_port, 50.0, keeps_alive=True) as kept,
    ):
        for n in (2, 1, 3):
            seen = fresh.report.ok
            wait_for(lambda seen=seen: fresh.report.ok >= seen + 50, "good replies")  # type: ignore[misc]
            running = replaced(site, running, n)
        seen = fresh.report.ok
        wait_for(lambda: fresh.report.ok >= seen + 50, "good replies")
    assert not fresh.report.failed, fresh.report
    assert not kept.report.failed, kept.report
    wait_for(lambda: workers_of(site) == {"a": [1, 2, 3], "b": [1, 2, 3]}, "all have both")


def test_who_dies_again_and_again_is_given_up(site: Several, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first start succeeds; from then on the file that the access log is to be written to is a folder."""
    log = site.directory / "log"
    router = site.router("--access-log", str(log))
    log.unlink()
    log.mkdir()
    os.kill(pids(site)[2], signal.SIGKILL)
    assert router.popen.wait(90) == 1
    last = router.output().splitlines()[-1]
    assert re.search(rf"router process 2 has died {MAX_FAILURES} times in a row .*giving up", last), last
    mine = f"127.0.0.1:{site.http_port}"
    wait_for(lambda: not pids_of("zerogate", mine), "all are gone")


def test_a_malformed_request_for_its_status_is_told_so(site: Several) -> None:
    """What all processes are asked for is not there yet when the body turns out to be none."""
    site.chaos_router()
    with HttpConnection(site.admin_port) as client:
        client.send(b"GET /status HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
        reply = client.read_reply()
    assert (reply.status, reply.get("zerogate-error"), reply.get("connection")) == (400, "bad_request", "close")


def test_a_hangup_is_for_all_of_them(site: Several) -> None:
    log = site.directory / "log"
    router = site.router("--settle", "0s", "--access-log", str(log))
    site.chaos_worker("a")
    log.rename(site.directory / "old")
    router.send_signal(signal.SIGHUP)

    def is_logged() -> bool:
        assert site.get("/echo/x")[0] == 200
        return log.exists() and log.read_text().count("GET /echo/x") >= 20

    wait_for(is_logged, "both write to the new file")


def test_ready_and_health_are_of_all(site: Several) -> None:
    router = site.chaos_router("--drain-delay", "60s")
    site.http_port, admin = site.admin_port, site.http_port
    assert site.get("/readyz")[0] == 200
    assert site.get("/healthz")[2] == b"ok\n"
    router.send_signal(signal.SIGTERM)
    wait_for(lambda: site.get("/readyz")[0] == 503, "it says that it will stop")
    site.http_port = admin
    router.send_signal(signal.SIGTERM)
    assert router.popen.wait(30) == 1


def test_a_run_may_have_several(site: Several) -> None:
    run: Any = site.start(
        *("run", "tests.e2e.chaos_app:app", "--http", f"127.0.0.1:{site.http_port}"),
        *("--admin", f"127.0.0.1:{site.admin_port}", "--processes", "1", "--router-processes", "2"),
        *("--access-log", "off"),
        env={"CHAOS_NAME": "a", "CHAOS_DIR": str(site.directory)},
    )
    run.wait_output("Ctrl-C stops")
    wait_for(lambda: list(workers_of(site).values()) == [[1, 2]], "both have the worker")
    assert site.get("/echo/x")[0] == 200
    assert run.terminate() == 0

"""Workers are killed, stopped and blocked under load: what is safe to repeat is repeated, nothing is mixed up."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.support.chaos import SOON_SUSPECT, ChaosSite, make_chaos_site
from tests.support.load import Clients, Load, get, post
from tests.support.processes import wait_for

N_CLIENTS = 64
N_KILLS = 4


@pytest.fixture
def chaos() -> Iterator[ChaosSite]:
    with make_chaos_site() as site:
        yield site


@pytest.fixture(params=[1, 2], ids=["one process", "two processes"])
def several(request: pytest.FixtureRequest) -> Iterator[ChaosSite]:
    """A router of so many processes."""
    with make_chaos_site(request.param) as site:
        yield site


def test_get_survives_kill_9_of_one_of_three_again_and_again(several: ChaosSite) -> None:
    several.chaos_router()
    workers = {name: several.chaos_worker(name) for name in ("a", "b", "c")}
    with Load(several.http_port, [Clients(get, N_CLIENTS)]) as load:
        for turn in range(N_KILLS):
            load.wait_ok(300)
            name = "abc"[turn % 3]
            workers[name].kill()
            load.wait_ok(300)
            workers[name] = several.chaos_worker(name)
        load.wait_ok(300)
    assert load.report.is_clean, load.report
    assert several.status()["counters"]["lost"] == N_KILLS
    assert set(load.report.workers) == {"a", "b", "c"}


def test_post_is_never_run_twice_whoever_is_killed(several: ChaosSite) -> None:
    several.chaos_router()
    workers = {name: several.chaos_worker(name) for name in ("a", "b", "c")}
    with Load(several.http_port, [Clients(post, N_CLIENTS)]) as load:
        for turn in range(N_KILLS):
            load.wait_ok(150)
            name = "abc"[turn % 3]
            workers[name].kill()
            load.wait_ok(150)
            workers[name] = several.chaos_worker(name)
        load.wait_ok(150)
    report = load.report
    assert not report.mixed, report
    assert set(report.failed) <= {"502 worker_lost"}, report
    runs = several.runs()
    assert max(runs.values()) == 1
    # What was answered was run, and no application ran what nobody had asked for.
    assert {token for token, outcome in report.outcomes.items() if outcome == "ok"} <= set(runs)
    assert set(runs) <= set(report.outcomes)


def test_a_worker_that_is_stopped_for_a_while_fails_nothing(chaos: ChaosSite) -> None:
    router = chaos.chaos_router(*SOON_SUSPECT)
    stopped = chaos.chaos_worker("stopped", *SOON_SUSPECT)
    chaos.chaos_worker("other", *SOON_SUSPECT)
    with Load(chaos.http_port, [Clients(get, 16), Clients(post, 8)]) as load:
        load.wait_ok(200)
        stopped.send_signal(signal.SIGSTOP)
        chaos.wait_silent(router, "stopped")
        # Nothing new goes there, and the other one does all the work.
        in_flight = chaos.worker_status("stopped")["in_flight"]
        load.wait_ok(200)
        assert chaos.worker_status("stopped")["in_flight"] == in_flight
        stopped.send_signal(signal.SIGCONT)
        chaos.wait_state("stopped", "up")
        load.wait_ok(200)
    assert load.report.is_clean, load.report
    counters = chaos.status()["counters"]
    assert (counters["lost"], counters["retries"]) == (0, 0)
    assert max(chaos.runs().values()) == 1


def test_a_worker_that_is_stopped_for_long_is_lost_and_comes_back(chaos: ChaosSite) -> None:
    chaos.chaos_router("--suspect-after", "500ms", "--lost-after", "3s")
    stopped = chaos.chaos_worker("stopped", "--suspect-after", "500ms", "--lost-after", "3s")
    chaos.chaos_worker("other")
    with Load(chaos.http_port, [Clients(get, 16), Clients(post, 8)]) as load:
        load.wait_ok(200)
        stopped.send_signal(signal.SIGSTOP)
        chaos.wait_state("stopped", "")
        load.wait_ok(100)
        stopped.send_signal(signal.SIGCONT)
        chaos.wait_state("stopped", "up")
        load.wait_ok(200)
    report = load.report
    assert not report.mixed, report
    # GETs went elsewhere; a POST that it may have begun is nobody's to repeat.
    assert set(report.failed) <= {"502 worker_lost"}, report
    assert {outcome for outcome in report.outcomes.values() if outcome != "ok"} <= {"502 worker_lost"}
    assert report.failed["502 worker_lost"] == sum(outcome != "ok" for outcome in report.outcomes.values())
    assert max(chaos.runs().values()) == 1
    counters = chaos.status()["counters"]
    assert counters["lost"] == 1
    assert counters["retries"] >= 1


def test_a_worker_that_is_blocked_is_suspect_and_not_dead(chaos: ChaosSite) -> None:
    router = chaos.chaos_router(*SOON_SUSPECT)
    chaos.chaos_worker("blocked", *SOON_SUSPECT)
    with chaos.open() as first, chaos.open() as second:
        first.get("/echo/sleeper?block_until=sleeper")
        chaos.wait_silent(router, "blocked")
        # The only one there is: who comes now waits for it.
        second.get("/echo/next")
        chaos.wait_waiting(1)
        chaos.let_go("sleeper")
        assert first.read_reply().body.startswith(b"sleeper ")
        assert second.read_reply().body.startswith(b"next ")
    chaos.wait_state("blocked", "up")
    assert chaos.status()["counters"]["lost"] == 0


def test_a_router_that_is_stopped_blames_nobody(chaos: ChaosSite) -> None:
    """The time that a process sleeps is its own, not its peers'."""
    router = chaos.chaos_router("--suspect-after", "300ms", "--lost-after", "2s")
    worker = chaos.chaos_worker("patient", "--suspect-after", "300ms", "--lost-after", "60s")
    pids = chaos.router_pids(router)
    with Load(chaos.http_port, [Clients(get, 8)]) as load:
        load.wait_ok(50)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        worker.wait_output("is silent", times=chaos.router_processes)
        time.sleep(2.5)  # Longer than it takes the router to lose a silent worker.
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        load.wait_ok(50)
    assert load.report.is_clean, load.report
    assert chaos.status()["counters"]["lost"] == 0


def test_all_workers_are_killed_and_the_requests_wait_for_the_next(several: ChaosSite) -> None:
    several.chaos_router()
    only = several.chaos_worker("only")
    with Load(several.http_port, [Clients(get, 16)], query="?sleep=0.05") as load:
        load.wait_ok(50)
        only.kill()
        several.wait_waiting(16)
        several.chaos_worker("next")
        load.wait_ok(50)
    assert load.report.is_clean, load.report


def test_a_link_is_lost_at_once_when_its_worker_is_killed(chaos: ChaosSite) -> None:
    chaos.chaos_router("--lost-after", "60s")
    worker = chaos.chaos_worker("doomed")
    with chaos.open() as client:
        client.post("/echo/doomed?sleep=60", b"x")
        chaos.wait_in_flight(1)
        os.kill(worker.pid, signal.SIGKILL)
        reply = client.read_reply()
        assert (reply.status, reply.get("zerogate-error")) == (502, "worker_lost")
    wait_for(lambda: not chaos.status()["workers"], "the worker is gone")

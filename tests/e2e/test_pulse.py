"""Workers that are too busy to answer, and workers that are stopped: the one is waited for, the other is not."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.asking import Asking
from tests.support.processes import Process, wait_for
from tests.support.raw_worker import RawWorker
from tests.support.sites import ServedSite
from zerogate.wire.spdy.events import StreamOpened

LOST_AFTER_S = 2.5
LIVENESS = ("--suspect-after", "500ms", "--lost-after", f"{LOST_AFTER_S}s")


@pytest.fixture
def pair() -> Iterator[tuple[ServedSite, dict[str, Process]]]:
    """A router and two workers for the test applications, that wait for nobody long."""
    site = ServedSite()
    try:
        site.router_process = site.router("--settle", "0s", *LIVENESS)
        workers = {name: site.app_worker("app", name, *LIVENESS) for name in ("one", "two")}
        wait_for(lambda: site.counter("pulses") == 2 * site.router_processes, "two pulses")
        yield site, workers
    finally:
        site.close()


def states(site: ServedSite) -> dict[str, str]:
    return {worker["name"]: worker["state"] for worker in site.status()["workers"]}


def in_flight(site: ServedSite) -> list[str]:
    return [worker["name"] for worker in site.status()["workers"] if worker["in_flight"]]


def test_a_blocked_worker_keeps_what_it_has_and_gets_nothing_new(
    pair: tuple[ServedSite, dict[str, Process]], tmp_path: Path
) -> None:
    site, workers = pair
    go = tmp_path / "go"
    asked = Asking(site, f"/block?until={go}")
    (blocked,) = wait_for(lambda: in_flight(site), "it is under way")
    began = time.monotonic()
    site.wait_silent(site.router_process, blocked)
    (other,) = set(workers) - {blocked}
    while time.monotonic() - began < LOST_AFTER_S + 1:
        assert site.get("/pid")[2].decode() == str(workers[other].pid)
        assert states(site)[blocked] == "suspect"
        time.sleep(0.05)
    go.touch()
    reply = asked.reply()
    assert (reply.status, reply.body) == (200, b"blocked for once")
    counters = site.status()["counters"]
    assert (counters["lost"], counters["retries"]) == (0, 0)
    wait_for(lambda: states(site)[blocked] == "up", "it is back")
    assert f"worker {blocked} is silent, but its process lives" in site.router_process.output()
    # Its own loop stood still: that time was not the router's.
    assert "ended" not in workers[blocked].output()
    workers[blocked].wait_output("the event loop goes on")
    warnings = [line for line in workers[blocked].output().splitlines() if "WARNING" in line]
    assert ["the event loop" in line for line in warnings] == [True, True]  # is held; goes on


def test_a_stopped_worker_is_lost_and_its_request_sent_on_once(pair: tuple[ServedSite, dict[str, Process]]) -> None:
    site, workers = pair
    asked = Asking(site, "/wait/later")
    (stopped,) = wait_for(lambda: in_flight(site), "it is under way")
    workers[stopped].send_signal(signal.SIGSTOP)
    wait_for(lambda: stopped not in states(site), "it is lost")
    (other,) = set(workers) - {stopped}
    wait_for(lambda: in_flight(site) == [other], "another has it")
    workers[stopped].send_signal(signal.SIGCONT)
    wait_for(lambda: states(site) == {"one": "up", "two": "up"}, "both are up")
    # It did not go back to the process that fell silent with it, and goes nowhere again when another does.
    workers[other].send_signal(signal.SIGSTOP)
    assert asked.reply().status == 502
    assert site.status()["counters"]["retries"] == 1
    wait_for(lambda: " worker_lost 1 -\n" in site.router_process.output(), "the count in the access log")


@pytest.mark.one_process
def test_a_process_that_comes_back_does_not_get_again_what_it_fell_silent_with() -> None:
    site = ServedSite()
    try:
        site.router("--settle", "0s", *LIVENESS)
        with RawWorker(site.endpoint, "one", id="same") as first:
            asked = Asking(site, "/")
            first.next_request()
            wait_for(lambda: not site.status()["workers"], "it is lost")
            with RawWorker(site.endpoint, "one", id="same") as again:
                again.pump(0.5)
                assert not asked.is_answered
                assert site.status()["waiting"] == 1
                with RawWorker(site.endpoint, "another", id="another") as other:
                    other.reply(other.next_request().stream, body=b"from another")
                    assert asked.reply().body == b"from another"
                assert not [event for event in again.events if isinstance(event, StreamOpened)]
    finally:
        site.close()

"""One worker on several routers: its capacity holds over all of them, and goes where it is needed."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.chaos import APP, ROOT, ChaosSite
from tests.support.load import Clients, Load, get, post
from tests.support.processes import Process, Site, free_port, n_fds, wait_for

CAPACITY = 8


class Fleet:
    """Three routers, and one worker that dials them all."""

    def __init__(self) -> None:
        self.sites = [ChaosSite() for _ in range(3)]

    def start(self, capacity: int, *options: str) -> None:
        self.routers = [site.chaos_router(*options) for site in self.sites]
        first, *others = self.sites
        more = [text for site in others for text in ("--connect", site.endpoint)]
        self.worker: Process = first.worker(
            APP,
            "shared",
            *more,
            *("--concurrency", str(capacity)),
            cwd=ROOT,
            env={"CHAOS_NAME": "shared", "CHAOS_DIR": str(first.directory)},
        )
        for site in self.sites:
            site.wait_workers(1)

    def stats(self) -> dict[str, Any]:
        return self.sites[0].stats()

    def close(self) -> None:
        for site in self.sites:
            site.close()


@contextlib.contextmanager
def make_fleet(capacity: int, *options: str) -> Iterator[Fleet]:
    fleet = Fleet()
    try:
        fleet.start(capacity, *options)
        yield fleet
    finally:
        fleet.close()


def granted(site: Site) -> int:
    (worker,) = site.status()["workers"]
    return int(worker["capacity"])


@pytest.mark.parametrize("capacity", [1, 2, CAPACITY])
def test_capacity_is_never_exceeded_and_everybody_is_served(capacity: int) -> None:
    """Whatever comes over is refused, and waits; no request fails of it."""
    with make_fleet(capacity) as fleet, contextlib.ExitStack() as stack:
        loads = [
            stack.enter_context(Load(site.http_port, [Clients(get, 6), Clients(post, 2)], query="?sleep=0.005"))
            for site in fleet.sites
        ]
        for load in loads:
            load.wait_ok(100)
        reports = [load.stop() for load in loads]
        for report in reports:
            assert report.is_clean, report
        assert fleet.stats()["peak"] <= capacity
        assert max(fleet.sites[0].runs().values()) == 1


def test_capacity_goes_where_it_is_needed() -> None:
    n_processes = Site.router_processes
    capacity = CAPACITY * n_processes
    # Each process of the other two keeps one at least.
    nearly_all = capacity - 2 * n_processes
    with make_fleet(capacity) as fleet:
        busy, *idle = fleet.sites
        with (
            Load(busy.http_port, [Clients(get, 24)], query="?sleep=0.01") as load,
            Load(idle[0].http_port, [Clients(get, 1, pause_s=0.05)]) as rare,
        ):
            load.wait_ok(200)
            wait_for(lambda: granted(busy) >= nearly_all, "nearly all is granted to the busy one")
            rare.wait_ok(20)
        assert load.report.is_clean, load.report
        assert rare.report.is_clean, rare.report
        # And when the load moves, so does the capacity.
        with Load(idle[1].http_port, [Clients(get, 24)], query="?sleep=0.01") as moved:
            wait_for(lambda: granted(idle[1]) >= nearly_all, "it has moved")
            moved.wait_ok(100)
        assert moved.report.is_clean, moved.report
        assert fleet.stats()["peak"] <= capacity


def test_a_router_that_dies_gives_its_share_back() -> None:
    with make_fleet(CAPACITY) as fleet:
        dead, alive, _ = fleet.sites
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                client = stack.enter_context(dead.open())
                client.get("/hang/x")
            # By the application's account: what has not begun when its router dies never does.
            wait_for(lambda: alive.stats()["running"] == 4, "four calls of the application")
            fleet.routers[0].kill()
            with Load(alive.http_port, [Clients(get, 24)], query="?sleep=0.01") as load:
                wait_for(lambda: granted(alive) >= CAPACITY - 2, "its share is free")
                load.wait_ok(100)
            assert load.report.is_clean, load.report
        wait_for(lambda: alive.stats()["disconnects"] == 4, "the four have heard of it")


def test_a_router_that_is_replaced_has_all_of_it_again() -> None:
    """Again and again, the successor has the capacity whole."""
    site = ChaosSite()
    try:
        router = site.chaos_router()
        site.chaos_worker("kept", "--concurrency", str(CAPACITY))
        for _ in range(3):
            successor = site.chaos_router("--replace")
            assert router.popen.wait(30) == 0
            router = successor
            wait_for(lambda: [worker["capacity"] for worker in site.status()["workers"]] == [CAPACITY], "all of it")
        # As many run at once, by the application's own account.
        with Load(site.http_port, [Clients(get, 2 * CAPACITY)], query="?sleep=0.3") as load:
            load.wait_ok(4 * CAPACITY)
        assert load.report.is_clean, load.report
        assert site.stats()["peak"] == CAPACITY
    finally:
        site.close()


def test_a_draining_worker_leaves_every_router() -> None:
    with make_fleet(CAPACITY) as fleet, contextlib.ExitStack() as stack:
        for site in fleet.sites:
            site.chaos_worker("other")
        loads = [stack.enter_context(Load(site.http_port, [Clients(get, 8), Clients(post, 4)])) for site in fleet.sites]
        for load in loads:
            load.wait_ok(50)
        assert fleet.worker.terminate() == 0
        for load in loads:
            load.wait_ok(50)
        for load in loads:
            assert load.stop().is_clean, load.report


def test_a_worker_dials_the_routers_that_it_is_told_of() -> None:
    """Advertised endpoints are dialled as well, once."""
    first, second = ChaosSite(), ChaosSite()
    try:
        first.chaos_router("--advertise", first.endpoint, "--advertise", second.endpoint)
        second.chaos_router("--advertise", first.endpoint, "--advertise", second.endpoint)
        first.chaos_worker("told")
        second.wait_workers(1)
        for site in (first, second):
            assert site.get("/echo/x")[0] == 200
            assert len(site.status()["workers"]) == 1
    finally:
        second.close()
        first.close()


def test_a_router_with_two_addresses_has_each_worker_once() -> None:
    site = ChaosSite()
    other = f"tcp://127.0.0.1:{free_port()}"
    try:
        router = site.chaos_router("--bind", other)
        worker = site.chaos_worker("twice", "--connect", other)
        site.chaos_worker("once")
        site.wait_workers(2)
        wait_for(lambda: site.status()["counters"]["links"] >= 3, "the second address was tried")
        with Load(site.http_port, [Clients(get, 8)]) as load:
            load.wait_ok(100)
        assert load.report.is_clean, load.report
        assert sorted(found["name"] for found in site.status()["workers"]) == ["once", "twice"]
        assert not site.status()["refusals"]
        # The router is restarted with the second address alone.
        assert router.terminate() == 0
        site.start(
            *("router", "--http", f"127.0.0.1:{site.http_port}", "--bind", other),
            *("--admin", f"127.0.0.1:{site.admin_port}", "--access-log", "off"),
        ).wait_output("Ctrl-C stops")
        site.wait_state("twice", "up")
        assert worker.popen.poll() is None
    finally:
        site.close()


def test_stream_ids_run_out_and_nobody_notices() -> None:
    """A link lasts for a hundred requests here; the next one takes over, and the old one ends."""
    site = ChaosSite()
    n_processes = site.router_processes
    try:
        router = site.chaos_router("--last-stream-id", "199")
        for name in ("a", "b"):
            site.chaos_worker(name)
        wait_for(lambda: site.status()["links"] == 2 * n_processes, "each worker is known to every process")
        descriptors = {pid: n_fds(pid) for pid in site.router_pids(router)}
        most_links = 0
        with Load(site.http_port, [Clients(get, 16), Clients(post, 8)]) as load:
            for _ in range(20 * n_processes):
                load.wait_ok(100)
                most_links = max(most_links, site.status()["links"])
        assert load.report.is_clean, load.report
        assert max(site.runs().values()) == 1
        counters = site.status()["counters"]
        assert counters["joined"] > 15
        assert counters["lost"] == 0
        assert most_links <= 8 * n_processes
        wait_for(lambda: site.status()["links"] == 2 * n_processes, "only the newest links are left")
        wait_for(lambda: all(n_fds(pid) < n + 3 for pid, n in descriptors.items()), "and no descriptors")
    finally:
        site.close()

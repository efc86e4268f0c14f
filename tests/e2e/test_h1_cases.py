"""HTTP/1 requests, good and bad (tests/data), through a router and a worker: what reaches the application, and what is
said of it. The conformance tests ask the reader alone; here nothing but sockets and the application's own word counts.

Each run has a loopback address of its own to come from, by which the application tells the runs apart.
"""

import contextlib
import json
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import pytest

from tests.conformance.test_h1_cases import CASES, GOOD, expand
from tests.support.raw_http import HttpConnection, Reply, ReplyCutError
from tests.support.sites import ServedSite, make_served_site

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs all of 127.0.0.0/8")

N_THREADS = 64

# The router closes whatever goes silent within these, so every run ends by itself. One that does not, hangs.
TIME_OUTS = ("--head-timeout", "3s", "--body-timeout", "2s", "--keepalive-timeout", "1s")
HANGING_S = 15.0

# Longer requests are cut into as many pieces as this, rather than into octets.
MAX_PIECES = 1500


class Run(NamedTuple):
    """What came of one case: the replies, what came of an incomplete one, and what the application had."""

    replies: list[Reply]
    rest: bytes
    was_reset: bool
    requests: list[dict[str, Any]]

    @property
    def statuses(self) -> list[int]:
        return [reply.status for reply in self.replies]


@pytest.fixture(scope="module")
def site() -> Iterator[ServedSite]:
    options = (*TIME_OUTS, "--retries", "0", "--access-log", "off")
    with make_served_site(*options, app="recorder", worker_options=("--concurrency", "200")) as made:
        yield made
        assert made.router_process.popen.poll() is None
        for process in (made.router_process, made.worker_process):
            assert "Traceback" not in process.output()


def pieces(raw: bytes) -> Iterable[bytes]:
    size = -(-len(raw) // MAX_PIECES)
    return (raw[at : at + size] for at in range(0, len(raw), size))


def send(site: ServedSite, source: str, parts: Iterable[bytes], case: dict[str, Any], n_before: int) -> Run:
    """Send the parts, and read until the router ends the connection. Raises TimeoutError if it does not."""
    with HttpConnection(site.http_port, timeout=HANGING_S, source=source) as connection:
        # Who is refused amid a request may find that nobody reads it any more. The reply must come all the same.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.send(part)
            if case.get("fin"):
                connection.end_sending()
        while connection.receive():
            pass
        replies: list[Reply] = []
        with contextlib.suppress(ReplyCutError):
            while connection.buffer:
                is_head = len(replies) == n_before and case["raw"].startswith("HEAD ")
                replies.append(connection.read_reply("HEAD" if is_head else "GET"))
        return Run(replies, connection.buffer, connection.was_reset, [])


def judge(case: dict[str, Any], run: Run, n_before: int) -> None:
    """`n_before`: how many good requests came first on the connection."""
    assert not run.rest
    assert not run.was_reset
    assert not [request for request in run.requests if "smuggled" in request["path"]]
    whole = [request for request in run.requests if request["is_whole"]]
    assert [request["path"] for request in whole[:n_before]] == ["/good"] * n_before
    assert run.statuses[:n_before] == [200] * n_before
    statuses = run.statuses[n_before:]
    n_served = len(whole) - n_before
    # What the application answered is what it was asked, and after a refusal the connection is of no use any more.
    assert statuses.count(200) == n_served
    assert [status for status in statuses[:-1] if status >= 400] == []
    assert not statuses or statuses[-1] < 400 or "close" in run.replies[-1].get("connection")
    expect = case["expect"]
    most = case["max_app_requests"]
    assert most is None or n_served <= most
    if expect == "ok":
        assert statuses[0] in case["status_in"]
        assert most is None or n_served == most or statuses[0] != 200
    elif expect == "reject400":
        assert n_served == 0
        assert statuses[0] in case["status_in"]
    elif expect == "either":
        assert statuses
        assert statuses[0] in case["status_in"]
    else:
        assert expect == "close"
        assert n_served == 0
        assert not statuses or statuses[0] >= 400


@pytest.mark.parametrize(("way", "network"), [("alone", 1), ("behind a good request", 2), ("octet by octet", 3)])
def test_every_case(site: ServedSite, way: str, network: int) -> None:
    found = failures(site, way, network, CASES)
    # Many at once, on a busy machine, may be slower than the router's time-outs are long. Then alone they are not.
    again = {case["id"]: failures(site, way, network + 10 * (n + 1), [case]) for n, (case, _) in enumerate(found)}
    assert not any(again.values()), "\n".join(reason for _, reason in found)


def failures(site: ServedSite, way: str, network: int, cases: list[dict[str, Any]]) -> list[tuple[dict[str, Any], str]]:
    """What goes wrong when all of them are sent at once, by runs that come from that network."""
    n_before = 1 if way == "behind a good request" else 0

    def run(numbered: tuple[int, dict[str, Any]]) -> tuple[str, Run | TimeoutError]:
        number, case = numbered
        raw = expand(case["raw"])
        parts = pieces(raw) if way == "octet by octet" else [GOOD * n_before + raw]
        source = f"127.{network}.{number // 200}.{number % 200 + 1}"
        try:
            return source, send(site, source, parts, case, n_before)
        except TimeoutError as error:
            return source, error

    with ThreadPoolExecutor(N_THREADS) as threads:
        runs = list(threads.map(run, enumerate(cases)))
    site.wait_in_flight(0)
    requests: dict[str, list[dict[str, Any]]] = {}
    for request in json.loads(site.get("/recorded")[2]):
        requests.setdefault(request["client"], []).append(request)
    found: list[tuple[dict[str, Any], str]] = []
    for case, (source, outcome) in zip(cases, runs, strict=True):
        if isinstance(outcome, TimeoutError):
            found.append((case, f"{case['id']}: hangs"))
            continue
        ended = outcome._replace(requests=requests.get(source, []))
        try:
            judge(case, ended, n_before)
        except (AssertionError, IndexError) as error:
            found.append((case, f"{case['id']}: {error!r}, {ended.statuses} {ended.requests}"))
    return found

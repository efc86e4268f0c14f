"""A router's status, laid out for people."""

import http.client
import io
import json
import sys
from typing import Any

import pytest

from tests.support.each import each
from zerogate.errors import StartError, UsageError
from zerogate.status import _load, duration, fetch_status, render, show_status

WORKER = {
    "name": "worker-2",
    "state": "up",
    "in_flight": 3,
    "capacity": 100,
    "served": 7,
    "weight": 100,
    "joined_s": 200.0,
    "peer": "ipc",
    "routes": ["*", "/api"],
}
STATUS: dict[str, Any] = {
    "router": "r",
    "uptime_s": 3700.0,
    "is_stopping": False,
    "clients": 1,
    "waiting": 0,
    "workers": [{**WORKER, "name": "worker-10"}, WORKER],
    "routes": [{"route": "*", "workers": 2, "waiting": 0}],
    "counters": {
        "requests": 12,
        "connections": 1,
        "replies": {"2": 11, "5": 1, "4": 0},
        "errors": {"timeout": 1},
        "joined": 2,
        "lost": 0,
    },
}


def test_it_is_laid_out_in_columns() -> None:
    assert render(STATUS) == [
        "router r, up 1h 1m: 2 workers, 1 client, 0 requests waiting",
        "",
        "WORKER     STATE  IN FLIGHT  SERVED  WEIGHT  UP FOR  FROM  SERVES",
        "worker-2   up         3/100       7     100  3m 20s  ipc   *, /api",
        "worker-10  up         3/100       7     100  3m 20s  ipc   *, /api",
        "",
        "ROUTE  WORKERS  WAITING",
        "*            2        0",
        "",
        "since its start: 12 requests on 1 connection, replies 11 2xx, 1 5xx",
        "error replies:   1 timeout",
        "also:            2 joined",
    ]


def test_pulses_are_no_links_to_people() -> None:
    lines = render({**STATUS, "counters": {**STATUS["counters"], "links": 6, "pulses": 3}})
    assert lines[-1] == "also:            2 joined, 3 links, 3 pulses"


def test_each_of_several_processes_has_a_row() -> None:
    numbers = {"uptime_s": 61.0, "clients": 5, "workers": 2, "waiting": 0, "counters": {"requests": 1234}}
    lines = render({**STATUS, "processes": [{"process": n, "pid": 100 + n, **numbers} for n in (1, 2)]})
    assert lines[9:12] == [
        "PROCESS  PID  UP FOR  CLIENTS  WORKERS  WAITING  REQUESTS",
        "      1  101   1m 1s        5        2        0      1234",
        "      2  102   1m 1s        5        2        0      1234",
    ]


def test_a_router_without_workers_says_how_to_get_one() -> None:
    counters = {"requests": 0, "connections": 0, "replies": {}, "errors": {}}
    lines = render({**STATUS, "workers": [], "routes": [], "counters": counters, "is_stopping": True})
    assert lines[0] == "router r, up 1h 1m, stopping: 0 workers, 1 client, 0 requests waiting"
    assert lines[2] == "No worker is here. `zerogate hello worker-1` is one."
    assert lines[-1] == "since its start: 0 requests on 0 connections"


@each(
    ("seconds", "text"),
    [(0.44, "0.4s"), (12.9, "12s"), (200, "3m 20s"), (18_120, "5h 2m"), (791_999, "9d 3h")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


class Reply:
    def __init__(self, body: bytes, status: int) -> None:
        self._body = body
        self.status = status

    def read(self) -> bytes:
        return self._body


class Connection:
    """In the place of http.client's. Answers with a body, or fails."""

    def __init__(self, answer: bytes | Exception) -> None:
        self._answer = answer
        self.asked: tuple[Any, ...] = ()
        self.is_closed = False
        self.status = 200
        self.headers: dict[str, str] = {}

    def __call__(self, host: str, port: int, timeout: float) -> "Connection":
        self.asked = host, port
        return self

    def request(self, method: str, path: str, headers: dict[str, str]) -> None:
        assert (method, path) == ("GET", "/status")
        self.headers = headers
        if isinstance(self._answer, Exception):
            raise self._answer

    def getresponse(self) -> Reply:
        assert isinstance(self._answer, bytes)
        return Reply(self._answer, self.status)

    def close(self) -> None:
        self.is_closed = True


def connect(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception) -> Connection:
    connection = Connection(answer)
    monkeypatch.setattr(http.client, "HTTPConnection", connection)
    return connection


def test_it_is_fetched_from_the_admin_port(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(monkeypatch, json.dumps(STATUS).encode())
    assert fetch_status(":9001") == STATUS
    assert connection.asked == ("127.0.0.1", 9001)
    assert connection.is_closed


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (ConnectionRefusedError(111, "Connection refused"), r"no router answers at x:1 \(Connection refused\)"),
        (TimeoutError(), r"no router answers at x:1 \(no answer in time\)"),
        (http.client.BadStatusLine("220"), "what answers at x:1 is no router's admin port"),
        (b"no JSON", "what answers at x:1 is no router's admin port"),
        (b"[]", "what answers at x:1 is no router's admin port"),
        (b"{}", "what answers at x:1 is no router's admin port"),
    ],
)
def test_somebody_else_or_nobody(monkeypatch: pytest.MonkeyPatch, answer: bytes | Exception, said: str) -> None:
    connection = connect(monkeypatch, answer)
    with pytest.raises(StartError, match=said):
        fetch_status("x:1")
    assert connection.is_closed


def test_a_token_goes_along_and_a_wrong_one_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    connection = connect(monkeypatch, json.dumps(STATUS).encode())
    assert fetch_status("x:1", "secret") == STATUS
    assert connection.headers == {"authorization": "Bearer secret"}
    connection.status = 401
    with pytest.raises(UsageError, match="asks for its --admin-token"):
        fetch_status("x:1")
    assert connection.headers == {}


def test_a_bad_address() -> None:
    with pytest.raises(UsageError, match="HOST:PORT"):
        fetch_status("9001")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_no_longer_lines_than_it_can_show(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, json.dumps(STATUS).encode())
    monkeypatch.setenv("COLUMNS", "20")
    for stream, longest in ((Terminal(), 20), (io.StringIO(), 67)):
        monkeypatch.setattr(sys, "stdout", stream)
        show_status("x:1", as_json=False)
        lines = stream.getvalue().splitlines()
        assert max(map(len, lines)) == longest
        # Whoever reads it sees that something is missing.
        assert lines[3].endswith(">" if longest == 20 else "/api")


def test_scripts_get_all_of_it(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    connect(monkeypatch, json.dumps(STATUS).encode())
    show_status("x:1", as_json=True)
    assert json.loads(capsys.readouterr().out) == STATUS


@each(
    ("tunnels", "event_streams", "shown"),
    [(0, 0, "3/100"), (1, 0, "3/100 +1 tunnel"), (12, 1, "3/100 +12 tunnels, 1 event stream")],
)
def test_what_is_counted_for_itself_is_shown_where_there_is_some(tunnels: int, event_streams: int, shown: str) -> None:
    worker = {"in_flight": 3, "capacity": 100, "tunnels": tunnels, "event_streams": event_streams}
    assert _load(worker) == shown

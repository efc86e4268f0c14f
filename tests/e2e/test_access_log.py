"""The access log: a line for each exchange, in a file that may be moved away."""

import json
import os
import re
import signal
from pathlib import Path

from tests.support.processes import wait_for
from tests.support.sites import make_served_site

LINE = re.compile(
    r"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}[+-]\d{4}) (?P<client>\S+) "
    r'"(?P<method>\S+) (?P<target>\S+)" (?P<status>\d{3}|-) (?P<bytes>\d+) (?P<ms>[\d.]+)ms (?P<host>\S+) '
    r"(?P<worker>\S+) (?P<id>\S+) (?P<error>\S+) (?P<retries>\d+) (?P<labels>\S+)"
)


def access_lines(text: str) -> list[dict[str, str]]:
    return [match.groupdict() for match in map(LINE.fullmatch, text.splitlines()) if match]


def wait_access_line(path: Path, target: str) -> dict[str, str]:
    def found() -> dict[str, str] | None:
        lines = access_lines(path.read_text()) if path.exists() else []
        return next((line for line in lines if line["target"] == target), None)

    line: dict[str, str] = wait_for(found, f"{target} in the access log")
    return line


def test_each_exchange_is_a_line_of_the_access_log(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path)) as site, site.open() as client:
        client.get("/inspect?a=b", method="GET")
        reply = client.read_reply()
        line = wait_access_line(path, "/inspect?a=b")
        assert (line["client"], line["method"], line["status"]) == ("127.0.0.1", "GET", "200")
        assert (line["host"], line["worker"]) == ("localhost", "app-worker")
        assert line["id"] == dict(json.loads(reply.body)["headers"])["x-request-id"]
        assert int(line["bytes"]) > len(reply.body)
        client.get("/raise-before")
        assert client.read_reply().status == 500
        assert wait_access_line(path, "/raise-before")["status"] == "500"


def test_refused_requests_are_logged_with_what_they_were_told(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path), "--max-body", "1k") as site:
        with site.open() as client:
            client.send(b"POST /upload?refused HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n")
            assert client.read_reply().status == 400
        assert wait_access_line(path, "/upload?refused")["status"] == "400"


def test_a_moved_log_is_opened_anew(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path)) as site:
        assert site.get("/?before")[0] == 200
        wait_access_line(path, "/?before")
        path.rename(tmp_path / "access.log.1")
        site.router_process.send_signal(signal.SIGHUP)
        wait_for(path.exists, "a new log")
        assert site.get("/?after")[0] == 200
        wait_access_line(path, "/?after")


def test_a_log_nobody_reads_stops_nothing() -> None:
    with make_served_site("--access-log", "off") as site:
        assert site.get("/")[0] == 200
        assert access_lines(site.router_process.output()) == []


def test_a_refused_request_is_logged_with_our_error_code(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path), "--max-target", "100") as site, site.open() as client:
        client.send(b"GET /" + b"a" * 200 + b" HTTP/1.1\r\nhost: a\r\n\r\n")
        reply = client.read_reply()
        assert reply.status == 414
        line = wait_access_line(path, "-")
        assert (line["status"], line["error"], line["worker"]) == ("414", "too_large", "-")
        assert line["id"] == reply.get("x-request-id")


def test_a_client_forges_no_lines(tmp_path: Path) -> None:
    path = tmp_path / "access.log"
    with make_served_site("--access-log", str(path)) as site, site.open() as client:
        client.send(b'GET /"\\ HTTP/1.1\r\nhost: a\r\n\r\n')
        client.read_reply()
        wait_access_line(path, "/\\x22\\x5C")


def test_an_unwritable_log_leaves_the_old_one_in_use(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "access.log"
    path.parent.mkdir()
    with make_served_site("--access-log", str(path)) as site:
        path.parent.rename(tmp_path / "moved")
        site.router_process.send_signal(signal.SIGHUP)
        wait_for(lambda: "is written on" in site.router_process.output(), "a complaint")
        assert site.get("/?after")[0] == 200
        wait_access_line(tmp_path / "moved" / "access.log", "/?after")


def test_a_pipe_that_nobody_reads_stops_nothing(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    reader = os.open(path, os.O_RDWR)
    try:
        with make_served_site("--access-log", str(path)) as site:
            # More than a pipe and the log's own buffer hold, of which each process has one.
            for _ in range(150 * site.router_processes):
                assert site.get("/?" + "x" * 12_000)[0] == 200
            wait_for(lambda: site.counter("log_dropped"), "lines that were dropped")
            site.router_process.wait_output("nobody takes the access log")
            assert site.router_process.terminate() == 0
    finally:
        os.close(reader)

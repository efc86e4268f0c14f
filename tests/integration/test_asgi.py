"""The worker and its application: what an application does wrong, what it hears, how it starts and ends."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import wait_for
from tests.support.raw_http import HttpConnection, ReplyCutError
from tests.support.sites import ServedSite, make_served_site


@pytest.fixture(scope="module")
def shared() -> Iterator[ServedSite]:
    with make_served_site("--max-failures", "1000000", worker_options=("--cancel-after", "300ms")) as site:
        yield site


@pytest.fixture
def client(shared: ServedSite) -> Iterator[HttpConnection]:
    with shared.open() as connection:
        yield connection
    assert shared.get("/")[2] == b"ok"


# What an application does wrong


@pytest.mark.parametrize(
    "path",
    [
        "/raise-before",
        "/raise-after-start",
        "/no-reply",
        "/body-first",
        "/start-twice",
        "/unknown-message",
        "/bad-status",
        "/bad-status?s=text",
        "/bad-header/text",
        "/bad-header/text-value",
        "/bad-header/none",
        "/bad-header/crlf",
        "/bad-header/nul",
        "/bad-header/space",
        "/bad-header/empty-name",
        "/bad-header/colon",
        "/bad-header/not-pairs",
        "/does-not-exist",
    ],
)
def test_a_failure_before_the_reply_is_a_500(shared: ServedSite, client: HttpConnection, path: str) -> None:
    n_lines = len(shared.worker_process.output())
    client.get(path + ("?s=99" if path == "/bad-status" else ""))
    reply = client.read_reply()
    assert reply.status == 500
    assert reply.get("x-injected") == ""
    assert b"Traceback" not in reply.body
    said = "ended without a complete reply" if path == "/no-reply" else "Traceback"
    wait_for(lambda: said in shared.worker_process.output()[n_lines:], f"{said!r} in the worker's log")
    # An application's fault is no fault of the connection's.
    client.get("/")
    assert client.read_reply().body == b"ok"


@pytest.mark.parametrize("path", ["/raise-amid", "/raise-amid?length=yes", "/half-reply"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_failure_amid_the_reply_is_seen(shared: ServedSite, client: HttpConnection, path: str, version: str) -> None:
    client.get(path, version=version)
    with pytest.raises(ReplyCutError):
        client.read_reply()


@pytest.mark.parametrize("path", ["/too-long", "/too-short"])
@pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/1.0"])
def test_a_reply_of_another_length_than_it_says_is_no_reply(
    shared: ServedSite, client: HttpConnection, path: str, version: str
) -> None:
    """It came whole, so nothing of it has been passed on: the client can still be told."""
    client.get(path, version=version)
    reply = client.read_reply()
    assert (reply.status, reply.get("zerogate-error")) == (502, "worker_failed")


def test_what_is_sent_after_the_end_is_dropped(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/after-end")
    client.get("/status/201")
    assert client.read_reply().body == b"the end"
    assert client.read_reply().status == 201
    shared.worker_process.wait_output("body sent after the end")
    assert "after-end went on" in shared.wait_app_log("after-end went on")


@pytest.mark.parametrize("size", [60_000, 65_000, 65_536, 70_000, 1_000_000])
def test_a_huge_head_is_sent_or_is_a_failure(shared: ServedSite, client: HttpConnection, size: int) -> None:
    client.get(f"/huge-head?bytes={size}")
    reply = client.read_reply()
    if size <= 60_000:
        assert (reply.status, reply.body) == (200, b"body")
    else:
        assert reply.status in (200, 500, 502)
    client.get("/")
    assert client.read_reply().status == 200


def test_failing_amid_replies_does_not_use_up_capacity() -> None:
    with make_served_site("--max-failures", "1000000", worker_options=("--concurrency", "2")) as site:
        for path in [
            "/raise-amid",
            "/raise-before",
            "/half-reply",
            "/too-long",
            "/too-short",
            "/after-end",
            "/no-reply",
        ]:
            for _ in range(3):
                with site.open() as client:
                    client.get(path)
                    try:
                        client.read_reply()
                    except ReplyCutError:
                        continue
        site.wait_in_flight(0)
        with site.open() as one, site.open() as two:
            one.get("/wait/one")
            two.get("/wait/one")
            site.wait_in_flight(2)


# What it hears


def test_a_client_that_leaves_is_heard_of(shared: ServedSite) -> None:
    with shared.open() as client:
        client.get("/listen/leaves")
        shared.wait_app_log("leaves began")
    shared.wait_app_log("leaves heard http.disconnect")


def test_a_client_that_leaves_amid_its_upload_is_heard_of(shared: ServedSite) -> None:
    with shared.open() as client:
        client.send(b"POST /upload HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345")
        shared.wait_app_log("upload began")
    shared.wait_app_log("upload left after 5")


def test_a_client_that_leaves_amid_its_download_is_heard_of(shared: ServedSite) -> None:
    """The application stops producing: its `send` raises OSError, and the capacity is free again."""
    n_lines = len(shared.worker_process.output())
    with shared.open() as client:
        client.get("/download?bytes=1000000000")
        client.read_exactly(100_000)
    shared.wait_in_flight(0)
    shared.wait_app_log("download of 1000000000 left")
    assert "Traceback" not in shared.worker_process.output()[n_lines:]


def test_who_does_not_listen_is_cancelled(shared: ServedSite) -> None:
    with shared.open() as client:
        client.get("/deaf/stubborn")
        shared.wait_app_log("stubborn began")
        client.sock.shutdown(2)
    shared.wait_app_log("stubborn cancelled")


def test_a_complete_reply_is_heard_as_a_disconnect(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/after-reply/complete")
    assert client.read_reply().body == b"done"
    shared.wait_app_log("complete heard http.disconnect")


def test_a_lost_router_is_heard_as_a_disconnect() -> None:
    site = ServedSite()
    try:
        router = site.router()
        site.app_worker("app", "app-worker")
        with site.open() as client:
            client.get("/listen/lost")
            site.wait_app_log("lost began")
            router.kill()
        site.router()
        site.wait_workers(1)
        site.wait_app_log("lost heard http.disconnect")
    finally:
        site.close()


def test_capacity_is_freed_when_clients_leave() -> None:
    with make_served_site(worker_options=("--concurrency", "2", "--cancel-after", "100ms")) as site:
        for _ in range(5):
            with site.open() as one, site.open() as two:
                one.get("/listen/many")
                two.get("/deaf/many")
                site.wait_in_flight(2)
            site.wait_in_flight(0)
        assert site.get("/")[0] == 200


# Lifespan


def test_start_up_and_shutdown(tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    site = ServedSite()
    try:
        site.router()
        worker = site.app_worker("with_lifespan", "lives", env={"LIFESPAN_NOTES": str(notes)})
        assert notes.read_text().split() == ["lifespan.startup"]
        # Each request has a copy of the state of its own.
        for _ in range(2):
            assert json.loads(site.get("/")[2]) == {"made": "at start-up"}
        assert worker.terminate() == 0
        assert notes.read_text().split() == ["lifespan.startup", "lifespan.shutdown"]
    finally:
        site.close()


def test_a_start_up_that_fails_ends_the_worker_with_a_reason() -> None:
    site = ServedSite()
    try:
        site.router()
        worker = site.app_worker("lifespan_fails", "never", wait=False)
        assert worker.popen.wait(30) == 1
        assert "the database is on holiday" in worker.output()
        assert "Traceback" not in worker.output()
        assert site.status()["counters"]["joined"] == 0
    finally:
        site.close()


def test_an_application_without_a_lifespan_is_served() -> None:
    with make_served_site(app="lifespan_raises") as site:
        assert site.get("/")[2] == b"ok"


def test_a_lifespan_can_be_demanded() -> None:
    site = ServedSite()
    try:
        site.router()
        worker = site.app_worker("lifespan_raises", "never", "--lifespan", "on", wait=False)
        assert worker.popen.wait(30) == 1
        assert "no lifespan here" in worker.output()
    finally:
        site.close()


def test_a_lifespan_can_be_left_out() -> None:
    with make_served_site(app="lifespan_raises", worker_options=("--lifespan", "off")) as site:
        assert site.get("/")[2] == b"ok"


def test_a_shutdown_that_fails_is_told() -> None:
    site = ServedSite()
    try:
        site.router()
        worker = site.app_worker("lifespan_shutdown_fails", "clumsy")
        worker.terminate()
        assert "could not close the door" in worker.output()
    finally:
        site.close()


def test_a_start_up_that_does_not_end_can_be_stopped() -> None:
    site = ServedSite()
    try:
        worker = site.app_worker("lifespan_never_starts", "never", wait=False)
        worker.wait_output("starting")
        assert worker.terminate() == 0
        assert "interrupted" in worker.output()
        assert "Traceback" not in worker.output()
    finally:
        site.close()


def test_a_shutdown_that_does_not_end_is_left_behind() -> None:
    with make_served_site(app="lifespan_never_stops", worker_options=("--grace", "500ms")) as site:
        assert site.get("/")[2] == b"ok"
        assert site.worker_process.terminate() == 0
        assert "the application did not shut down within" in site.worker_process.output()


# The scope


@pytest.mark.parametrize("written", ["/inspect", "/inspect/"])
def test_root_path_is_told(written: str) -> None:
    with make_served_site(worker_options=("--root-path", written)) as site:
        seen = json.loads(site.get("/below?a")[2])
        assert (seen["root_path"], seen["path"], seen["raw_path"]) == ("/inspect", "/inspect/below", "/inspect/below")


def test_the_server_is_what_the_client_asked_for(shared: ServedSite, client: HttpConnection) -> None:
    client.send(b"GET /inspect HTTP/1.1\r\nHost: Shop.Example:8080\r\n\r\n")
    assert json.loads(client.read_reply().body)["server"] == ["Shop.Example", 8080]


# Extensions


def test_early_hints_come_before_the_reply(shared: ServedSite, client: HttpConnection) -> None:
    client.get("/hints")
    heads = [client.read_head() for _ in range(3)]
    assert [(head.status, head.get("link")) for head in heads] == [
        (103, "</a.css>; rel=preload"),
        (103, "</b.js>; rel=preload"),
        (200, ""),
    ]
    with shared.open() as old:
        old.get("/hints", version="HTTP/1.0")
        reply = old.read_reply()
        assert (reply.interim, reply.body) == ([], b"hinted")


@pytest.mark.parametrize("size", [0, 1, 200_000, 3_000_000])
def test_a_file_by_its_path(shared: ServedSite, client: HttpConnection, tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(os.urandom(size))
    client.get(f"/file?path={path}")
    reply = client.read_reply()
    assert (reply.status, reply.body, reply.framing) == (200, path.read_bytes(), "length")


# Loading


@pytest.mark.parametrize(
    ("app", "code", "word"),
    [
        ("nonsense:", 2, "MODULE:ATTRIBUTE"),
        ("no_such_module", 1, "no_such_module"),
        ("no_such_module:app", 1, "no_such_module"),
        ("tests.e2e.apps:no_such_app", 1, "no_such_app"),
        ("tests.e2e.apps:PIECE", 1, "not an application"),
    ],
)
def test_an_application_that_is_not_there(app: str, code: int, word: str) -> None:
    site = ServedSite()
    try:
        worker = site.worker(app, "never", wait=False)
        assert worker.popen.wait(30) == code
        lines = worker.output().strip().splitlines()
        assert len(lines) == 1
        assert word in lines[0]
    finally:
        site.close()

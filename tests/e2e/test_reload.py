"""Files change, and the application with them: no page load fails meanwhile."""

import contextlib
import http.client
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.commands import children, wait_gone
from tests.support.processes import Process, Site, wait_for

pytest.importorskip("watchfiles")

PAGE = """
import asyncio, os
VERSION = b"%s"
async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    kind = b"text/event-stream" if scope["path"] == "/events" else b"text/plain"
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", kind)]})
    while scope["path"] == "/events":
        await send({"type": "http.response.body", "body": b"data: %%s\\n\\n" %% VERSION, "more_body": True})
        await asyncio.sleep(0.05)
    if scope["path"] == "/slow":
        await asyncio.sleep(3)
    await send({"type": "http.response.body", "body": VERSION})
"""


class Pages:
    """A context: the page is loaded ten times a second, each on a connection of its own. `loaded` are what came."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._is_stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self.loaded: list[bytes] = []
        self.failed: list[str] = []

    def __enter__(self) -> "Pages":
        self._pace = threading.Thread(target=self._run)
        self._pace.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_stopping.set()
        self._pace.join(30)
        for thread in self._threads:
            thread.join(30)

    def wait(self, version: bytes) -> None:
        """Until a page that is asked for from now on is of this version."""
        n = len(self.loaded)
        wait_for(lambda: version in self.loaded[n:], f"a page of version {version!r}", 30)

    def _run(self) -> None:
        while not self._is_stopping.wait(0.1):
            self._threads.append(threading.Thread(target=self._load))
            self._threads[-1].start()

    def _load(self) -> None:
        try:
            status, _, body = self._site.get(timeout=25)
        except (OSError, http.client.HTTPException) as error:
            self.failed.append(repr(error))
            return
        if status == 200:
            self.loaded.append(body)
        else:
            self.failed.append(f"{status} {body!r}")


@pytest.fixture
def app(tmp_path: Path) -> Path:
    path = tmp_path / "page.py"
    path.write_text(PAGE % "0")
    return path


@contextlib.contextmanager
def reloading(site: Site, app: Path, *options: str) -> Iterator[Process]:
    process = site.start(
        *("run", "page:app", "--reload", "--http", f"127.0.0.1:{site.http_port}"),
        *("--admin", f"127.0.0.1:{site.admin_port}", "--access-log", "off", *options),
        cwd=app.parent,
    )
    process.wait_output("Ctrl-C stops")
    yield process
    started = children(process.pid)
    assert process.terminate() == 0
    wait_gone(started)


@pytest.mark.parametrize("n", [1, 2])
def test_files_are_saved_again_and_again_and_no_page_load_fails(site: Site, app: Path, n: int) -> None:
    with reloading(site, app, "--processes", str(n)) as process, Pages(site) as pages:
        pages.wait(b"0")
        for version in ("1", "2", "3"):
            # Each as long as the one before, and maybe in the same second.
            app.write_text(PAGE % version)
            pages.wait(version.encode())
        # Before the one before it is up, and with a slip of the pen.
        for text in (PAGE % "4", "def (\n", PAGE % "5", "def (\n"):
            app.write_text(text)
            time.sleep(0.3)
        process.wait_output("does not start: importing 'page' failed: SyntaxError: invalid syntax (page.py:1: def ()")
        app.write_text(PAGE % "6")
        pages.wait(b"6")
    assert not pages.failed, pages.failed[:5]


def test_an_open_stream_of_events_does_not_hold_it_up_and_a_slow_page_is_finished(site: Site, app: Path) -> None:
    with reloading(site, app, "--reload-grace", "300ms"), contextlib.ExitStack() as opened:
        found: list[tuple[int, bytes]] = []

        def load_slowly() -> None:
            status, _, body = site.get("/slow")
            found.append((status, body))

        slow = threading.Thread(target=load_slowly)
        slow.start()
        events = opened.enter_context(site.connect())
        events.sendall(b"GET /events HTTP/1.1\r\nhost: x\r\n\r\n")
        received = b""
        while b"data: 0" not in received:
            received += events.recv(4096)
        wait_for(lambda: any(worker["in_flight"] for worker in site.status()["workers"]), "the slow page at a worker")
        app.write_text(PAGE % "1")
        while piece := events.recv(4096):  # to its end
            received += piece
        assert b"data: 1" not in received
        wait_for(lambda: site.get()[2] == b"1", "the new page")
        slow.join(20)
        assert found == [(200, b"0")]


def test_it_waits_for_a_slip_of_the_pen_at_the_start_too(site: Site, app: Path) -> None:
    app.write_text("def (\n")
    site.router("--settle", "0s")
    process = site.worker("page:app", "w", "--reload", wait=False, cwd=app.parent)
    process.wait_output("worker w does not start: importing 'page' failed")
    app.write_text(PAGE % "1")
    process.wait_output("joined router")
    assert site.get()[2] == b"1"
    app.write_text(PAGE % "2")
    wait_for(lambda: site.get()[2] == b"2", "the new page")
    # Which replaces it without a gap.
    process.send_signal(signal.SIGHUP)
    process.wait_output("takes over from")
    started = children(process.pid)
    process.kill()
    wait_gone(started)


def test_the_folder_is_taken_away_and_made_anew(site: Site, app: Path) -> None:
    with reloading(site, app) as process:
        shutil.rmtree(app.parent)
        process.wait_output("does not start: the current folder is not there any more. Waiting for a change")
        app.parent.mkdir()
        app.write_text(PAGE % "1")
        assert site.get()[2] == b"1"
        app.write_text(PAGE % "2")
        wait_for(lambda: site.get()[2] == b"2", "the new page")
        assert "Traceback" not in process.output()


def test_which_files(site: Site, app: Path) -> None:
    (app.parent / "templates").mkdir()
    with reloading(site, app, "--reload-dir", "templates", "--reload-include", "*.html") as process:
        app.write_text(PAGE % "1")
        (app.parent / "templates" / "ignored.txt").write_text("x")
        (app.parent / "templates" / "a.html").write_text("x")
        process.wait_output("templates/a.html changed: restarting")
        wait_for(lambda: site.get()[2] == b"1", "the new page")
        assert process.output().count("changed: restarting") == 1

"""An application that holds its event loop is told of, by the request that does."""

from pathlib import Path

from tests.support.processes import Site

APPLICATION = """
import time

async def app(scope, receive, send):
    if scope["path"] == "/hold":
        hold_on(float(scope["query_string"]))
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": dict(scope["headers"])[b"x-request-id"]})

def hold_on(seconds):
    time.sleep(seconds)
"""


def test_who_holds_the_loop(site: Site, tmp_path: Path) -> None:
    (tmp_path / "holding.py").write_text(APPLICATION)
    site.router()
    options = ("--app-dir", str(tmp_path), "--lifespan", "off", "--stall-report", "300ms")
    worker = site.worker("holding", "w", *options)
    status, _, request_id = site.get("/hold?2")
    assert status == 200
    worker.wait_output("the event loop goes on, after ")
    report = worker.output()
    assert f"the event loop is held by GET /hold ({request_id.decode()}), for " in report
    assert "in hold_on\n    time.sleep(seconds)" in report
    # Once a minute.
    assert site.get("/hold?1")[0] == 200
    assert worker.output().count("the event loop is held") == 1


def test_not_at_all(site: Site, tmp_path: Path) -> None:
    (tmp_path / "holding.py").write_text(APPLICATION)
    site.router()
    worker = site.worker("holding", "w", "--app-dir", str(tmp_path), "--lifespan", "off", "--stall-report", "off")
    assert site.get("/hold?1")[0] == 200
    assert "the event loop is held" not in worker.output()

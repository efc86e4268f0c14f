"""A service manager that stops a whole group of processes at once, as systemd does by default."""

import os
import signal
import threading
from pathlib import Path

from tests.support.processes import Site, free_port, wait_for
from tests.support.sites import ROOT

APP = """
import asyncio

async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    open("{path}", "w").close()
    await asyncio.sleep(1.5)
    await send({{"type": "http.response.start", "status": 200, "headers": []}})
    await send({{"type": "http.response.body", "body": b"done"}})
"""


def test_what_is_in_flight_is_finished(site: Site, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "slow_app.py").write_text(APP.format(path=begun))
    ports = ("--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{free_port()}")
    run = site.start("run", "slow_app:app", "--app-dir", str(tmp_path), "--processes", "1", *ports, cwd=ROOT)
    run.wait_output("Ctrl-C stops")
    replies = []
    asking = threading.Thread(target=lambda: replies.append(site.get("/")[2]))
    asking.start()
    wait_for(begun.exists, "the application has the request")
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children").read_text().split()
    assert len(children) == 2
    for pid in (*map(int, children), run.pid):
        os.kill(pid, signal.SIGTERM)
    asking.join(20)
    assert replies == [b"done"]
    assert run.popen.wait(30) == 0

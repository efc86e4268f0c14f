"""Static files by `zerogate files`, and beside an application by `zerogate run --static`."""

import gzip
import os
from pathlib import Path

import pytest

from tests.support.commands import run_command
from tests.support.processes import Site
from tests.support.raw_http import HttpConnection

MIB = 1 << 20
APP = "tests.e2e.apps:app"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "index.html").write_text("<p>top</p>")
    (tmp_path / "app.js").write_text("let a = 1;\n" * 1000)
    (tmp_path / "app.js.gz").write_bytes(gzip.compress((tmp_path / "app.js").read_bytes()))
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "index.html").write_text("<p>sub</p>")
    (tmp_path / ".env").write_text("SECRET=1")
    with open(tmp_path / "big", "wb") as file:
        file.truncate(256 * MIB)
    return tmp_path


def test_files_below_a_route(site: Site, folder: Path) -> None:
    site.router("--settle", "0s")
    files = site.start(
        *("files", str(folder), "--route", "/static", "--cache-control", "max-age=60", "--connect", site.endpoint)
    )
    files.wait_output("joined router")
    assert f"(files of {folder}, ASGI" in files.output()
    status, fields, body = site.get("/static/app.js")
    assert (status, body) == (200, (folder / "app.js").read_bytes())
    assert fields["cache-control"] == "max-age=60"
    status, _, body = site.get("/static/app.js", headers={"if-none-match": fields["etag"]})
    assert (status, body) == (304, b"")
    _, fields, body = site.get("/static/app.js", headers={"accept-encoding": "gzip, br"})
    assert (fields["content-encoding"], body) == ("gzip", (folder / "app.js.gz").read_bytes())
    assert site.get("/static/")[2] == b"<p>top</p>"
    status, fields, _ = site.get("/static?v=1", headers={"host": "a.example"})
    assert (status, fields["location"]) == (307, "http://a.example/static/?v=1")
    status, fields, _ = site.get("/static/sub", headers={"host": "a.example"})
    assert (status, fields["location"]) == (307, "http://a.example/static/sub/")
    for path in ("/static/.env", "/static/%2Eenv", "/app.js"):
        assert site.get(path)[0] == 404, path
    for path in ("/static/../.env", "/static/%2e%2e/%2e%2e/etc/passwd"):
        assert site.get(path)[0] == 400, path
    status, fields, body = site.get("/static/big", method="HEAD")
    assert (status, fields["content-length"], body) == (200, str(256 * MIB), b"")
    status, fields, body = site.get("/static/big", headers={"range": "bytes=100-199"})
    assert (status, fields["content-range"], len(body)) == (206, f"bytes 100-199/{256 * MIB}", 100)


def test_a_large_file_is_never_read_whole(site: Site, folder: Path) -> None:
    site.router("--settle", "0s")
    files = site.start("files", str(folder), "--connect", site.endpoint)
    files.wait_output("joined router")
    site.get("/index.html")
    before = files.rss_kib()
    for fields in ((), ("range: bytes=1-",)):
        with HttpConnection(site.http_port) as client:
            client.get("/big", *fields)
            head = client.read_head()
            assert head.status in (200, 206)
            left = int(head.get("content-length")) - len(client.buffer)
            while left:
                client.buffer = b""
                assert client.receive()
                left -= len(client.buffer)
    assert files.rss_kib(peak=True) - before < 24 * 1024


def test_beside_an_application(site: Site, folder: Path) -> None:
    run = site.start(
        *("run", APP, "--http", f"127.0.0.1:{site.http_port}", "--admin", f"127.0.0.1:{site.admin_port}"),
        *("--processes", "1", "--static", f"/static={folder}", "--static", f"/more={folder}/sub", "--settle", "0s"),
        *("--cache-control", "max-age=5"),
        cwd=ROOT,
    )
    run.wait_output("Ctrl-C stops")
    site.wait_workers(3)
    status, fields, body = site.get("/static/app.js")
    assert (status, fields["cache-control"], body) == (200, "max-age=5", (folder / "app.js").read_bytes())
    assert site.get("/more/")[2] == b"<p>sub</p>"
    assert site.get("/")[0] == 200
    assert site.get("/")[2] != b"<p>top</p>"
    assert run.terminate() == 0


def test_wrong_usage(tmp_path: Path) -> None:
    for words, reason in (
        (("files", str(tmp_path / "nowhere")), "no such folder"),
        (("run", APP, "--static", "static"), "--static static: write PREFIX=DIR"),
        (("run", APP, "--static", f"/static={tmp_path}/nowhere"), "no such folder"),
        (("files", str(tmp_path), "--cache-control", "a\nb"), "--cache-control"),
    ):
        done = run_command(*words, cwd=ROOT)
        assert (done.returncode, reason in done.stderr) == (2, True), done.stderr
    assert os.listdir(tmp_path) == []

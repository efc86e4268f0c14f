"""Static files as an application."""

import asyncio
import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.worker import small_files
from zerogate.worker.files import Files, accepted_codings, media_type

BIG = os.urandom(300_000)


class Reply(NamedTuple):
    status: int
    fields: dict[str, str]
    body: bytes


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    www = tmp_path / "www"
    for name, data in {
        "index.html": b"<p>top</p>",
        "sub/index.html": b"<p>sub</p>",
        "bare/file.txt": b"text\n",
        "app.js": b"let a = 1;" * 100,
        "big": BIG,
        ".env": b"SECRET=1",
        ".git/config": b"secret",
        ".well-known/security.txt": b"mail us",
    }.items():
        (www / name).parent.mkdir(parents=True, exist_ok=True)
        (www / name).write_bytes(data)
    (tmp_path / "secret").write_bytes(b"outside")
    return www


def read(path: str) -> bytes:
    return Path(path).read_bytes()


def ask(
    application: Files,
    path: str = "/",
    *fields: tuple[str, str],
    method: str = "GET",
    root: str = "",
    on_head: Callable[[], object] = lambda: None,
) -> Reply:
    """One request, as the ASGI host puts it; a file by its path is read here. `on_head` is called behind the head."""
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Any) -> None:
        if "path" in message:
            message = {"body": read(message["path"])}
        sent.append(message)
        if len(sent) == 1:
            on_head()

    scope = {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "extensions": {"http.response.pathsend": {}},
        "method": method,
        "scheme": "https",
        "server": ("a.example", 443),
        "path": root + path,
        "root_path": root,
        "query_string": b"",
        "headers": [(b"host", b"a.example"), *((name.encode(), value.encode()) for name, value in fields)],
    }
    asyncio.run(application(scope, receive, send))
    start, *rest = sent
    body = b"".join(message["body"] for message in rest)
    return Reply(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, body)


def test_a_file(folder: Path) -> None:
    files = Files(str(folder))
    reply = ask(files, "/big")
    assert (reply.status, reply.body) == (200, BIG)
    assert reply.fields["content-length"] == str(len(BIG))
    assert reply.fields["accept-ranges"] == "bytes"
    assert "cache-control" not in reply.fields
    head = ask(files, "/big", method="HEAD")
    assert (head.status, head.fields, head.body) == (200, reply.fields, b"")
    assert ask(files, "/bare/file.txt").fields["content-type"] == "text/plain; charset=utf-8"


def test_validators_and_ranges(folder: Path) -> None:
    files = Files(str(folder), "public, max-age=60")
    first = ask(files, "/big")
    etag, modified = first.fields["etag"], first.fields["last-modified"]
    assert first.fields["cache-control"] == "public, max-age=60"
    for field in (("if-none-match", etag), ("if-modified-since", modified)):
        reply = ask(files, "/big", field)
        assert (reply.status, reply.body, reply.fields["etag"]) == (304, b"", etag)
        assert reply.fields["cache-control"] == "public, max-age=60"
    reply = ask(files, "/big", ("range", "bytes=5-9"))
    assert (reply.status, reply.body) == (206, BIG[5:10])
    assert reply.fields["content-range"] == f"bytes 5-9/{len(BIG)}"
    assert ask(files, "/big", ("range", "bytes=-10")).body == BIG[-10:]
    assert ask(files, "/big", ("range", "bytes=999999-")).status == 416
    assert ask(files, "/big", ("range", "bytes=0-9"), ("if-range", '"other"')).status == 200


@each(
    ("asked", "status", "body"),
    [
        ("bytes=0-9,400000-", 206, BIG[:10]),  # RFC 9110, 14.2: one that is there is enough
        ("bytes=400000-,500000-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=-400000", 206, BIG),
        ("bytes=299999-999999999999999999999999", 206, BIG[-1:]),
        ("BYTES = , 0-0 ,", 200, BIG),
        ("Bytes= , 0-0 ,", 206, BIG[:1]),
        ("lines=0-9", 200, BIG),  # 14.2: a unit that is not known means nothing
        ("bytes=9-0", 200, BIG),
        ("bytes=a-b", 200, BIG),
        ("bytes=1_0-2_0", 200, BIG),
        ("bytes=+1-2", 200, BIG),
        ("bytes=", 200, BIG),
        ("bytes=" + "9" * 5000 + "-", 200, BIG),
    ],
)
def test_ranges_as_http_has_them(tmp_path: Path, asked: str, status: int, body: bytes) -> None:
    (tmp_path / "big").write_bytes(BIG)
    files = Files(str(tmp_path))
    reply = ask(files, "/big", ("range", asked))
    assert (reply.status, reply.body) == (status, body)
    # 14.2: they are for GET.
    head = ask(files, "/big", ("range", asked), method="HEAD")
    assert (head.status, head.fields["content-length"]) == (200, str(len(BIG)))


def test_of_an_empty_file_there_is_no_range(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    files = Files(str(tmp_path))
    assert ask(files, "/empty", ("range", "bytes=0-")).status == 416
    assert ask(files, "/empty", ("range", "bytes=-5")).status == 200


def test_what_is_replaced_meanwhile_is_the_one_or_the_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a rename, as it should be: no head of one, and body of another."""
    files = Files(str(folder))
    other = BIG[::-1] + b"more"

    def replace() -> None:
        (folder / "new").write_bytes(other)
        (folder / "new").replace(folder / "big")

    # Between head and body.
    reply = ask(files, "/big", on_head=replace)
    assert (reply.body, reply.fields["content-length"]) == (BIG, str(len(BIG)))
    assert ask(files, "/big", ("range", "bytes=1-4"), on_head=lambda: (folder / "big").unlink()).body == other[1:5]
    assert ask(files, "/big").status == 404
    # Between the look at it and the head.
    (folder / "big").write_bytes(BIG)
    find, changes = Files.lookup_path, [replace, (folder / "big").unlink]

    def lookup_path(self: Files, path: str) -> Any:
        found = find(self, path)
        if changes and path == "big":
            changes.pop(0)()
        return found

    monkeypatch.setattr(Files, "lookup_path", lookup_path)
    assert ask(files, "/big").status == 404
    (folder / "big").write_bytes(BIG)
    changes.extend([replace] * 40)  # however often
    reply = ask(files, "/big")
    assert (reply.body, reply.fields["content-length"]) == (other, str(len(other)))


def test_index_pages_and_none_of_ours(folder: Path) -> None:
    files = Files(str(folder))
    assert ask(files, "/").body == b"<p>top</p>"
    assert ask(files, "/sub/").body == b"<p>sub</p>"
    reply = ask(files, "/sub", root="/static")
    assert (reply.status, reply.fields["location"]) == (307, "https://a.example/static/sub/")
    # A folder is not listed.
    assert ask(files, "/bare/").status == 404


def test_the_top_of_a_route_is_a_folder_like_others(folder: Path) -> None:
    files = Files(str(folder), "", ("/static", "", "/static/more"))
    for prefix in ("/static", "/static/more"):
        for root in ("", "/shop"):
            reply = ask(files, prefix, root=root)
            assert (reply.status, reply.fields["location"]) == (307, f"https://a.example{root}{prefix}/")
            assert ask(files, f"{prefix}/", root=root).body == b"<p>top</p>"
            assert ask(files, f"{prefix}/sub/", root=root).body == b"<p>sub</p>"
    # By whole segments; and what is on no route of its own is below its top.
    assert ask(files, "/staticsub/").status == 404
    assert ask(files, "/sub/").body == b"<p>sub</p>"


def test_what_is_not_there(folder: Path) -> None:
    files = Files(str(folder))
    reply = ask(files, "/nowhere")
    assert (reply.status, reply.body) == (404, b"Not Found\n")
    assert ask(files, "/" + "x" * 5000).status == 404
    assert ask(files, "/a\0b").status == 404
    (folder / "404.html").write_text("<p>gone</p>")
    reply = ask(files, "/nowhere")
    assert (reply.status, reply.body) == (404, b"<p>gone</p>")
    reply = ask(files, "/big", method="POST")
    assert (reply.status, reply.fields["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize("path", ["/../secret", "/sub/../../secret", "//etc/passwd", "/..", "/%2e%2e/secret", "/link"])
def test_nothing_is_served_from_outside(folder: Path, path: str) -> None:
    (folder / "link").symlink_to("../secret")
    (folder / "good").symlink_to("big")
    files = Files(str(folder))
    assert ask(files, path).status == 404
    # Where a link stays within, it is as good as a file.
    assert ask(files, "/good").body == BIG


def test_what_is_compressed_beforehand_is_a_file_within_the_folder(folder: Path) -> None:
    for name in ("app.js", "bare/file.txt", "big"):
        (folder / f"{name}.gz").symlink_to(folder.parent / "secret")
    (folder / "app.js.br").mkdir()
    os.mkfifo(folder / "bare" / "file.txt.br")
    (folder / "packed").write_bytes(b"packed")
    (folder / "big.br").symlink_to("packed")
    os.utime(folder.parent / "secret")
    os.utime(folder / "packed")
    files = Files(str(folder))
    for name in ("app.js", "bare/file.txt"):
        reply = ask(files, f"/{name}", ("accept-encoding", "gzip, br"))
        assert ("content-encoding" in reply.fields, reply.body) == (False, (folder / name).read_bytes())
    assert ask(files, "/big", ("accept-encoding", "gzip, br")).body == b"packed"
    assert ask(files, "/big", ("accept-encoding", "gzip")).body == BIG


def test_a_link_to_itself_leads_nowhere(folder: Path) -> None:
    (folder / "loop").symlink_to("loop")
    for path in ("/loop", "/loop/file", "/loop/"):
        assert ask(Files(str(folder)), path).status == 404


def test_names_that_begin_with_a_dot(folder: Path) -> None:
    files = Files(str(folder))
    for path in ("/.env", "/.git/config", "/.git/", "/sub/../.env"):
        assert ask(files, path).status == 404
    assert ask(files, "/.well-known/security.txt").body == b"mail us"


def test_what_is_compressed_beforehand(folder: Path) -> None:
    packed = gzip.compress((folder / "app.js").read_bytes())
    (folder / "app.js.gz").write_bytes(packed)
    (folder / "app.js.br").write_bytes(b"brotli")
    files = Files(str(folder))
    plain = ask(files, "/app.js")
    assert plain.fields["vary"].lower() == "accept-encoding"
    for accepts, coding, body in (
        ("gzip, br", "br", b"brotli"),
        ("gzip;q=0.5", "gzip", packed),
        ("*", "br", b"brotli"),
    ):
        reply = ask(files, "/app.js", ("accept-encoding", accepts))
        assert (reply.fields["content-encoding"], reply.body) == (coding, body)
        assert reply.fields["content-type"] == plain.fields["content-type"]
        assert reply.fields["content-length"] == str(len(body))
        assert reply.fields["vary"].lower() == "accept-encoding"
        assert reply.fields["etag"] != plain.fields["etag"]
        again = ask(files, "/app.js", ("accept-encoding", accepts), ("if-none-match", reply.fields["etag"]))
        assert (again.status, again.fields["vary"].lower()) == (304, "accept-encoding")
    for accepts in ("", "identity", "br;q=0, gzip;q=0", "gzip;q=x"):
        reply = ask(files, "/app.js", ("accept-encoding", accepts))
        assert ("content-encoding" in reply.fields, reply.body) == (False, plain.body)
    # One that is older is of an older file.
    for suffix in (".br", ".gz"):
        os.utime(folder / f"app.js{suffix}", (0, 0))
    assert "vary" not in ask(files, "/app.js", ("accept-encoding", "br")).fields


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written just now is kept, too."""
    monkeypatch.setattr(small_files, "SETTLED_S", -60.0)


@pytest.mark.usefixtures("keeping")
def test_a_small_file_is_answered_alike_from_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "app.js.gz").write_bytes(gzip.compress((folder / "app.js").read_bytes()))
    files = Files(str(folder), "max-age=60")
    asked: list[Any] = [("/app.js",), ("/app.js", ("accept-encoding", "gzip")), ("/",), ("/sub/",)]
    first = [ask(files, *each) for each in asked]
    modified = ("if-modified-since", first[0].fields["last-modified"])
    others: list[Any] = [
        ("/app.js", modified),
        ("/app.js", ("if-none-match", first[0].fields["etag"]), ("if-modified-since", "x")),
        ("/app.js", ("if-none-match", '"other"'), modified),
    ]
    with monkeypatch.context() as patch:
        patch.setattr("zerogate.worker.files.Files.lookup_path", None)  # nobody asks the disk
        assert [ask(files, *each) for each in asked] == first
        head = ask(files, "/app.js", method="HEAD")
        assert (head.fields, head.body) == (first[0].fields, b"")
        kept = [ask(files, *each) for each in others]
    assert kept == [ask(Files(str(folder), "max-age=60"), *each) for each in others]
    assert [reply.status for reply in kept] == [304, 304, 200]
    assert ask(files, "/app.js", ("range", "bytes=4-6")).body == b"a ="
    assert ask(files, "/app.js", method="POST").status == 405


@pytest.mark.usefixtures("keeping")
def test_what_has_changed_is_read_again(folder: Path) -> None:
    files = Files(str(folder))
    (folder / "link").symlink_to("app.js")
    assert ask(files, "/link").body == ask(files, "/link").body == (folder / "app.js").read_bytes()
    (folder / "app.js").write_bytes(b"new")
    assert ask(files, "/link").body == b"new"
    # Also beside what a link leads to.
    (folder / "bare" / "link").symlink_to("../app.js")
    for _ in range(2):
        assert ask(files, "/bare/link", ("accept-encoding", "gzip")).body == b"new"
    (folder / "app.js.gz").write_bytes(b"packed")
    assert ask(files, "/bare/link", ("accept-encoding", "gzip")).body == b"packed"
    (folder / "link").unlink()
    (folder / "link").symlink_to("../secret")
    assert ask(files, "/link").status == 404
    # What is compressed beforehand may come and go.
    assert ask(files, "/app.js", ("accept-encoding", "br")).body == b"new"
    (folder / "app.js.br").write_bytes(b"brotli")
    for _ in range(2):
        assert ask(files, "/app.js", ("accept-encoding", "br")).body == b"brotli"
        assert ask(files, "/app.js").body == b"new"
    (folder / "app.js.br").write_bytes(b"another")
    assert ask(files, "/app.js", ("accept-encoding", "br")).body == b"another"
    (folder / "app.js").unlink()
    assert ask(files, "/app.js").status == 404


@pytest.mark.usefixtures("keeping")
def test_a_page_for_404_is_none_for_another_path(folder: Path) -> None:
    (folder / "404.html").write_text("<p>gone</p>")
    files = Files(str(folder))
    assert ask(files, "/nowhere").status == ask(files, "/nowhere").status == 404
    (folder / "nowhere").write_text("here")
    assert ask(files, "/nowhere").body == b"here"


def test_what_may_not_be_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("zerogate.worker.files.os.access", lambda path, mode: False)
    files = Files(str(folder))
    assert ask(files, "/big").status == 403
    assert ask(files, "/sub/").status == 403


def test_codings_and_types() -> None:
    assert accepted_codings("gzip, deflate, BR") == {"br", "gzip"}
    assert accepted_codings("*;q=0.1, br;q=0") == {"gzip"}
    assert accepted_codings("") == set()
    assert media_type("/a/b.woff2") == "font/woff2"
    assert media_type("/a/b.tar.gz") == "application/gzip"
    assert media_type("/a/b.svg.Z") == "application/octet-stream"
    assert media_type("/a/b") == "application/octet-stream"


def test_no_such_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        Files(str(tmp_path / "nowhere"))

"""docs/coming-from.md and docs/configuration.md: what they promise, with the files as they stand there."""

import http.client
import re
import shlex
import shutil
import ssl
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import Authority
from tests.support.commands import ROOT, children, folder, run_command
from tests.support.processes import Process, Site, free_port, wait_for

__all__ = ["folder"]

PAGE = (ROOT / "docs" / "coming-from.md").read_text()
CONFIGURATION = (ROOT / "docs" / "configuration.md").read_text()

SHOP = """
import json


async def app(scope, receive, send):
    if scope["type"] != "http":
        raise NotImplementedError
    size, more = 0, True
    while more:
        message = await receive()
        size += len(message.get("body", b""))
        more = message.get("more_body", False)
    told = {"scheme": scope["scheme"], "path": scope["path"], "client": scope["client"][0], "size": size}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})
"""
WSGI_SHOP = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [environ["REMOTE_ADDR"].encode()]
"""


def recipe(page: str, kind: str, number: int = 0) -> str:
    """A block of a page."""
    blocks: list[str] = re.findall(rf"^```{kind}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return blocks[number]


def changed(text: str, *changes: tuple[str, str]) -> str:
    """With what is a test's own; each change has to find what it is for."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def start(site: Site, words: str, cwd: Path, **variables: str) -> Process:
    """A command that says when it is up, with nothing but its HTTP port open."""
    process = site.start(*words.split(), cwd=cwd, env={"ZEROGATE_ADMIN": "off", **variables})
    process.wait_output("Ctrl-C stops")
    return process


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    return tmp_path


# Their command lines


def command_lines() -> list[str]:
    return [line for line in recipe(PAGE, "").splitlines() if line.startswith("zerogate ")]


@pytest.mark.parametrize("line", command_lines())
def test_the_same_command_lines(line: str, site: Site, shop: Path) -> None:
    words = changed(line, ("8000", str(site.http_port)), ("0.0.0.0", "127.0.0.1"))
    process = start(site, words.removeprefix("zerogate "), shop)
    assert site.get("/x")[0] == 200
    assert len(children(process.pid)) >= 1 + 4
    assert "router and 4 workers (shop:app, ASGI)" in process.output()


def test_a_path_by_its_name_elsewhere(site: Site, shop: Path) -> None:
    process = start(site, f"run shop:app -w 1 --uds {shop}/socket", shop)
    assert f"  http    unix:{shop}/socket\n" in process.output()
    assert (shop / "socket").is_socket()


# Platforms


def test_port_means_every_address_and_web_concurrency_the_workers(site: Site, shop: Path) -> None:
    port = free_port()
    process = start(site, "run shop:app", shop, PORT=str(port), WEB_CONCURRENCY="1")
    assert f"  http    http://localhost:{port}/ (every address)\n" in process.output()
    assert "router and 1 worker " in process.output()
    # Any of loopback's is another than the default.
    connection = http.client.HTTPConnection("127.0.0.2", port, timeout=20)
    connection.request("GET", "/x")
    assert connection.getresponse().status == 200
    connection.close()


def test_what_is_said_goes_before_port(site: Site, shop: Path) -> None:
    line = f"run shop:app -w 1 --http 127.0.0.1:{site.http_port}"
    process = start(site, line, shop, PORT=str(free_port()), WEB_CONCURRENCY="3")
    assert process.output().count("  http    ") == 1
    assert "router and 1 worker " in process.output()
    assert site.get()[0] == 200


def test_parts_from_the_environment_reach_every_process(site: Site, shop: Path) -> None:
    variables = {"ZEROGATE_HOST": "127.0.0.1", "ZEROGATE_PORT": str(site.http_port)}
    start(site, "run shop:app -w 1 --router-processes 2", shop, **variables)
    assert site.get("/x")[0] == 200


@pytest.mark.parametrize(("name", "value"), [("PORT", "http"), ("WEB_CONCURRENCY", "0")])
def test_a_variable_of_a_platform_is_named_where_it_is_wrong(shop: Path, name: str, value: str) -> None:
    result = run_command("run", "shop:app", cwd=shop, env={name: value})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"zerogate run: {name}={value}: ")


# A server block


def ask(port: int, method: str, path: str, authority: Authority | None, host: str, **more: Any) -> Any:
    """Status, fields and body."""
    if authority is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    else:
        context = ssl.create_default_context(cafile=authority.path)
        context.check_hostname = False
        connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    try:
        connection.request(method, path, headers={"host": host, **more.pop("headers", {})}, **more)
        reply = connection.getresponse()
        return reply.status, {name.lower(): value for name, value in reply.getheaders()}, reply.read()
    finally:
        connection.close()


def test_a_server_block(site: Site, shop: Path) -> None:
    pytest.importorskip("starlette")
    authority = Authority(shop)
    files = authority.issue("example.org")
    (shop / "static").mkdir()
    (shop / "static" / "a.css").write_text("p {}")
    https_port = free_port()
    text = changed(
        recipe(PAGE, "toml"),
        ('":80"', f'"127.0.0.1:{site.http_port}"'),
        ('":443"', f'"127.0.0.1:{https_port}"'),
        ("/etc/ssl/example.org.crt", files.certificate),
        ("/etc/ssl/example.org.key", files.key),
        ("/srv/shop/static", f"{shop}/static"),
    )
    (shop / "zerogate.toml").write_text(text)
    process = start(site, "run shop:app -w 1", shop)
    assert "  timeout 504 for a request whose reply has not begun within 120 s" in process.output()
    status, fields, _ = ask(site.http_port, "GET", "/x?y", None, "example.org")
    assert (status, fields["location"]) == (308, "https://example.org/x?y")
    status, _, body = ask(https_port, "GET", "/x", authority, "example.org")
    assert (status, b'"scheme": "https"' in body, b'"client": "127.0.0.1"' in body) == (200, True, True)
    status, fields, body = ask(https_port, "GET", "/static/a.css", authority, "example.org")
    assert (status, fields["cache-control"], body) == (200, "max-age=3600", b"p {}")
    status, _, body = ask(https_port, "POST", "/x", authority, "example.org", body=bytes(10 << 20))
    assert (status, f'"size": {10 << 20}'.encode() in body) == (200, True)
    # What is announced to be too large need not be sent.
    too_large = {"content-length": str((10 << 20) + 1)}
    assert ask(https_port, "POST", "/x", authority, "example.org", headers=too_large)[0] == 413
    assert ask(https_port, "GET", "/x", authority, "other.example")[0] == 404
    shown = run_command("config", "run", cwd=shop).stdout
    assert re.search(r"^keepalive-timeout +65s +zerogate\.toml: run\.keepalive-timeout$", shown, re.MULTILINE)


@pytest.mark.skipif(not shutil.which("nginx"), reason="no nginx")
def test_what_it_was_is_nginx_configuration(tmp_path: Path) -> None:
    files = Authority(tmp_path).issue("example.org")
    text = changed(
        recipe(PAGE, "nginx"),
        ("/etc/ssl/example.org.crt", files.certificate),
        ("/etc/ssl/example.org.key", files.key),
    )
    config = tmp_path / "nginx.conf"
    config.write_text(f"pid {tmp_path}/pid; error_log stderr; events {{}}\nhttp {{ access_log off;\n{text}}}\n")
    done = subprocess.run(["nginx", "-t", "-c", str(config)], capture_output=True, text=True, timeout=20, check=False)
    assert "syntax is ok" in done.stderr


# gunicorn.conf.py


def test_gunicorns_settings(site: Site, tmp_path: Path) -> None:
    theirs: dict[str, Any] = {}
    exec(recipe(PAGE, "python"), theirs)
    ours = tomllib.loads(recipe(PAGE, "toml", 1))["run"]
    names = {
        "bind": "http",
        "workers": "processes",
        "threads": "threads",
        "timeout": "timeout",
        "graceful_timeout": "grace",
        "keepalive": "keepalive-timeout",
        "max_requests": "max-requests",
        "max_requests_jitter": "max-requests-jitter",
        "accesslog": "access-log",
        "loglevel": "log-level",
    }
    assert {names[name]: value for name, value in theirs.items() if name in names} | {
        "trust": [theirs["forwarded_allow_ips"]]
    } == ours
    (tmp_path / "shop.py").write_text(WSGI_SHOP)
    text = changed(recipe(PAGE, "toml", 1), ("0.0.0.0:8000", f"127.0.0.1:{site.http_port}"))
    (tmp_path / "zerogate.toml").write_text(text)
    process = start(site, "run shop:app", tmp_path)
    assert "router and 4 workers (shop:app, WSGI, 8 threads)" in process.output()
    assert site.get()[2] == b"127.0.0.1"
    # Loopback is not among whom it trusts.
    assert site.get(headers={"x-forwarded-for": "1.2.3.4"})[2] == b"127.0.0.1"


# systemd


def units() -> dict[str, str]:
    found = re.findall(r"^```ini\n# /etc/systemd/system/(\S+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    return dict(found)


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="no systemd")
@pytest.mark.parametrize("name", units())
def test_the_units_are_units(name: str, tmp_path: Path) -> None:
    text = changed(units()[name], ("/srv/shop/.venv/bin/zerogate", sys.executable))
    path = tmp_path / name.replace("@", "@1")
    path.write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    if "Failed to" in done.stderr and path.name not in done.stderr:
        pytest.skip(done.stderr)
    assert path.name not in done.stderr, done.stderr


def exec_start(name: str) -> list[str]:
    (line,) = re.findall(r"^ExecStart=/srv/shop/\.venv/bin/zerogate (.*)$", units()[name], re.MULTILINE)
    return shlex.split(line.replace("%i", "1"))


def test_what_the_units_start(site: Site, shop: Path) -> None:
    environment = {"ZEROGATE_BIND": site.endpoint, "ZEROGATE_CONNECT": site.endpoint, "ZEROGATE_ADMIN": "off"}
    words = [word.replace(":80", f"127.0.0.1:{site.http_port}") for word in exec_start("router.service")]
    router = site.start(*words, env=environment)
    router.wait_output("Ctrl-C stops")
    worker = site.start(*exec_start("shop@.service"), env=environment, cwd=shop)
    worker.wait_output("shop-1 joined router")
    assert site.get()[0] == 200
    port = free_port()
    (shop / "zerogate.toml").write_text(f"[run]\nport = {port}\nprocesses = 1\n")
    start(site, " ".join(exec_start("shop.service")), shop)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()


# docs/configuration.md


def test_the_file_of_the_page_can_be_read(tmp_path: Path) -> None:
    text = recipe(CONFIGURATION, "toml")
    for name, path in (("zerogate.toml", text), ("pyproject.toml", _in_pyproject(text))):
        (tmp_path / name).write_text(path)
        for command in (["router"], ["worker"], ["run"], ["keys", "worker"], ["status"]):
            result = run_command("config", *command, "--config", name, cwd=tmp_path)
            assert result.returncode == 0, result.stderr
            assert f"{name}: " in result.stdout


def _in_pyproject(text: str) -> str:
    return "[tool.zerogate]\n" + re.sub(r"^\[", "[tool.zerogate.", text, flags=re.MULTILINE)


def test_what_config_shows(tmp_path: Path) -> None:
    (tmp_path / "zerogate.toml").write_text('queue-timeout = "5s"\n')
    dialogue = recipe(CONFIGURATION, "console").splitlines()
    _, *words = dialogue[0].removeprefix("$ ").split()
    shown = run_command(*words, cwd=tmp_path, env={"PORT": "5000"}).stdout.splitlines()
    for line in dialogue[1:-1]:
        assert line.split() in [each.split() for each in shown]


def test_children_do_not_read_it_again(site: Site, folder: Path) -> None:
    """What is another command's is not for them, and what was turned off on the command line stays so."""
    (folder / "zerogate.toml").write_text(
        "[router]\ntls-client-ca = 'nowhere'\nkeys = 'nowhere'\n[worker]\nenv-file = 'nowhere'\n[run]\nprocesses = 1\n"
    )
    start(site, f"run good:app --http 127.0.0.1:{site.http_port}", folder)
    assert site.get()[2] == b"here\n"


def test_a_mistake_in_it_is_one_line(folder: Path) -> None:
    (folder / "zerogate.toml").write_text("[run]\nworkers = 4\n")
    for command in (["run", "good:app"], ["router"], ["config"], ["demo", "--once"]):
        result = run_command(*command, cwd=folder)
        assert result.returncode == 2
        assert result.stderr == "zerogate: zerogate.toml: run.workers: is no option: did you mean processes?\n"


def test_demo_is_its_own_whatever_lies_there(folder: Path) -> None:
    """Its router and workers are those of the README."""
    (folder / "zerogate.toml").write_text("[router]\nqueue-size = 0\nhold = 0\n[hello]\nprocesses = 3\n")
    ports = [f"127.0.0.1:{free_port()}" for _ in range(3)]
    result = run_command(
        *("demo", "--once", "--http", ports[0], "--admin", ports[1], "--bind", f"tcp://{ports[2]}"),
        cwd=folder,
        env={"WEB_CONCURRENCY": "2", "PORT": "1"},
        seconds=90,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_what_is_said_elsewhere_goes_before_the_file(site: Site, folder: Path) -> None:
    """Environment and command line go before the file."""
    (folder / "zerogate.toml").write_text(f"http = '127.0.0.1:{free_port()}'\n[run]\nprocesses = 3\ngrace = '1h'\n")
    process = start(site, "run good:app -w 1", folder, ZEROGATE_HTTP=f"127.0.0.1:{site.http_port}", ZEROGATE_GRACE="1s")
    assert "router and 1 worker " in process.output()
    wait_for(lambda: site.get()[0] == 200, "a reply")

"""What is found for an application on the command line, and what is said of it."""

import json
from pathlib import Path

import pytest

from tests.support.commands import run_command, said_by
from tests.support.processes import Site

SHOP = """
import json, os

def create_app(name="made"):
    def made(environ, start_response):
        start_response("200 OK", [])
        found = [name, os.environ.get("SHOP_KEY"), os.environ.get("SHOP_PLACE"), environ["SCRIPT_NAME"]]
        return [json.dumps(found).encode()]
    return made

class Twice:
    def __init__(self, scope):
        assert scope["type"] == "http"
    async def __call__(self, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b'"twice"'})

def untold(*words):
    return create_app("untold")(*words)

def needs(config):
    ...
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "shop.py").write_text(SHOP)
    (tmp_path / "variables").write_text("SHOP_KEY='a b'\nSHOP_PLACE=file\n")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "said", "answer"),
    [
        (["shop"], "(shop:create_app(), WSGI, 5 threads)", ["made", None, "outside", ""]),
        (["shop:create_app", "--factory"], "(shop:create_app(), WSGI, 5 threads)", ["made", None, "outside", ""]),
        (["shop:create_app()", "--env-file", "variables"], "WSGI", ["made", "a b", "outside", ""]),
        (["shop:untold", "--interface", "wsgi", "--root-path", "/r"], "WSGI", ["untold", None, "outside", "/r"]),
        (["shop:Twice", "--lifespan", "off"], "(shop:Twice, ASGI 2)", "twice"),
    ],
)
def test_a_worker_says_what_it_has_found(site: Site, folder: Path, words: list[str], said: str, answer: object) -> None:
    site.router()
    app, *options = words
    worker = site.worker(app, "w", *options, "--threads", "5", cwd=folder, env={"SHOP_PLACE": "outside"})
    worker.wait_output("dials")
    assert said in worker.output()
    assert json.loads(site.get()[2]) == answer


def test_a_run_says_it_for_all_of_its_workers(site: Site, folder: Path) -> None:
    ports = ("--http", f"127.0.0.1:{site.http_port}", "--admin", "off")
    run = site.start("run", "shop", "--processes", "2", "--threads", "1", *ports, cwd=folder)
    run.wait_output("Ctrl-C stops")
    assert "router and 2 workers (shop:create_app(), WSGI, 1 thread)" in run.output()
    assert json.loads(site.get()[2])[0] == "made"


@pytest.mark.parametrize("command", ["worker", "run"])
@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["shop:create_app"], 1, "shop:create_app is a factory: add --factory"),
        (["shop:needs", "--factory"], 1, "shop:needs takes (config): a factory is called without anything"),
        (["shop:untold"], 1, "shop:untold does not tell how it is called: say --interface asgi3 or --interface wsgi"),
        (["json"], 1, "module 'json' has none of app, application, create_app() and make_app(): write json:ATTRIBUTE"),
        (["shop", "--env-file", "nowhere"], 2, "--env-file nowhere: No such file or directory"),
        (["shop", "--threads", "0"], 2, "--threads 0: at least 1"),
    ],
)
def test_a_wrong_guess_is_one_line(folder: Path, command: str, words: list[str], code: int, said: str) -> None:
    ports = ["--http", "127.0.0.1:0", "--admin", "off"] if command == "run" else []
    result = run_command(command, *words, *ports, cwd=folder)
    assert (result.returncode, len(said_by(result))) == (code, 1)
    assert said in result.stderr

"""zerogate in other people's programs: what docs/library.md and the example show, typed, cheap, and with Ctrl-C."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import Script
from tests.support.processes import clean_environment, free_port, wait_for

ROOT = Path(__file__).resolve().parents[2]


def python(*arguments: str, cwd: Path = ROOT, seconds: float = 100.0) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
        env=clean_environment(),
    )


def test_the_example() -> None:
    done = python("-W", "error", "-m", "examples.embedded")
    assert (done.stdout, done.stderr) == ("You are at /\nYou are at /two\none two\n", "")


def test_to_import_it_is_cheap() -> None:
    done = python("-c", "import sys, zerogate; print(*(name for name in sys.modules if name.startswith('zerogate')))")
    assert sorted(done.stdout.split()) == ["zerogate", "zerogate.lazy", "zerogate.version"]


WRONG = """
import zerogate

async def app(scope, receive, send): ...  # type: ignore[no-untyped-def]

zerogate.Router(htpp=("a:1",))
zerogate.Router(http=7)
zerogate.Worker(app, concurrency="many")
zerogate.Worker(app, connect=("tcp://a:1",), route=("/a",), timeout=None)
zerogate.Server
zerogate.run(app, http=("127.0.0.1:1",), queue_timeout=1.0)
zerogate.run(app, queue_timout=1.0)
"""


def test_it_is_typed(tmp_path: Path) -> None:
    """By mypy, strict: the example passes, and what is wrong is found, line by line."""
    pytest.importorskip("mypy")
    (tmp_path / "wrong.py").write_text(WRONG)
    options = ("-m", "mypy", "--strict", "--no-error-summary", "--cache-dir", str(tmp_path / "cache"))
    done = python(*options, "examples/embedded.py", str(tmp_path / "wrong.py"))
    found = sorted(int(line) for line in re.findall(r"wrong\.py:(\d+): error", done.stdout))
    assert found == [6, 7, 8, 10, 12], done.stdout
    assert "embedded.py" not in done.stdout


RUN = """
import sys
import zerogate

async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"here"})

if __name__ == "__main__":
    what = app if sys.argv[2] == "object" else "tests.e2e.apps:app"
    zerogate.run(what, http=(f"127.0.0.1:{sys.argv[1]}",), admin="off", access_log="off", processes=1)
    print("it has returned")
"""


@pytest.mark.parametrize("what", ["object", "name"])
def test_run_until_a_signal_comes(what: str, tmp_path: Path) -> None:
    script = tmp_path / "main.py"
    script.write_text(RUN)
    port = free_port()
    process = Script(script, str(port), what)
    try:
        process.wait_output("Ctrl-C stops")
        wait_for(lambda: get(port), "a reply")
        assert process.terminate() == 0
        assert process.output().endswith("it has returned\n")
    finally:
        process.close()


def get(port: int) -> bool:
    done = python(
        "-c", f"import urllib.request; print(urllib.request.urlopen('http://127.0.0.1:{port}/echo/x').status)"
    )
    return done.stdout == "200\n"

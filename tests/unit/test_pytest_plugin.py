"""The fixture that pytest finds by itself."""

import importlib.metadata
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest

import zerogate.testing


def hello(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [("content-type", "text/plain")])
    return [b"hello"]


def test_it_makes_sites(zerogate_site: type[zerogate.testing.Site]) -> None:
    urls = [zerogate_site(hello).url for _ in range(2)]
    for url in urls:
        with urllib.request.urlopen(url, timeout=20) as reply:
            assert reply.read() == b"hello"


def test_it_is_an_entry_point() -> None:
    found = importlib.metadata.entry_points(group="pytest11", name="zerogate")
    assert {each.value for each in found} == {"zerogate.pytest_plugin"}


@pytest.mark.slow
def test_it_costs_nothing_where_nobody_asks(tmp_path: Path) -> None:
    """And needs no other plugin: pytest has only this one here."""
    (tmp_path / "test_it.py").write_text(
        "import sys\n"
        "def test_nothing():\n"
        "    found = {name for name in sys.modules if name.startswith('zerogate')}\n"
        "    assert found <= {'zerogate', 'zerogate.lazy', 'zerogate.version', 'zerogate.pytest_plugin'}, found\n"
        "def test_a_site(zerogate_site):\n"
        "    def app(environ, start_response):\n"
        "        start_response('200 OK', [])\n"
        "        return [b'hello']\n"
        "    from urllib.request import urlopen\n"
        "    assert urlopen(zerogate_site(app).url, timeout=20).read() == b'hello'\n"
    )
    options = ("-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "no:xdist", "-W", "error")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "--rootdir", str(tmp_path), str(tmp_path)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout

"""Options from a file."""

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from zerogate.cli import config_file
from zerogate.cli.commands import commands
from zerogate.cli.config_file import ConfigFile, Entry, find_config
from zerogate.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def entries(text: str, *path: str) -> dict[str, Entry]:
    Path("zerogate.toml").write_text(text)
    found = find_config("")
    assert found is not None
    return found.entries(commands, list(path))


def values(text: str, *path: str) -> dict[str, Any]:
    return {name: entry.value for name, entry in entries(text, *path).items()}


# Which file


def test_what_the_folder_has(folder: Path) -> None:
    assert find_config("") is None
    Path("pyproject.toml").write_text("[project]\nname = 'x'\n")
    assert find_config("") is None
    Path("pyproject.toml").write_text("[tool.zerogate]\ngrace = 1\n")
    assert find_config("") == ConfigFile("pyproject.toml", "tool.zerogate.", {"grace": 1})
    Path("zerogate.toml").write_text("grace = 2\n")
    assert find_config("") == ConfigFile("zerogate.toml", "", {"grace": 2})


def test_what_is_named(folder: Path) -> None:
    Path("zerogate.toml").write_text("grace = 2\n")
    Path("other.toml").write_text("grace = 3\n")
    (folder / "sub").mkdir()
    Path("sub/pyproject.toml").write_text("[tool.zerogate]\ngrace = 4\n")
    assert find_config("other.toml") == ConfigFile("other.toml", "", {"grace": 3})
    assert find_config("sub/pyproject.toml") == ConfigFile("sub/pyproject.toml", "tool.zerogate.", {"grace": 4})
    assert find_config("off") is None


UNREADABLE: dict[str, tuple[str | bytes | None, str]] = {
    "gunicorn.conf.py": (
        "workers = 4\n",
        r"^gunicorn\.conf\.py: not TOML \(gunicorn's is Python; here it is TOML, see",
    ),
    "broken.toml": ("[router\n", r"^broken\.toml: not TOML: .*line 1"),
    "latin.toml": (b"name = '\xe4'\n", r"^latin\.toml: not TOML: it is not UTF-8$"),
    "missing.toml": (None, r"^--config missing\.toml: No such file or directory$"),
    "pyproject.toml": ("[project]\n", r"^--config pyproject\.toml: it has no \[tool\.zerogate\]$"),
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read(name: str) -> None:
    content, said = UNREADABLE[name]
    if content is not None:
        Path(name).write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(UsageError, match=said):
        find_config(name)


def test_what_nests_too_deeply_or_never_ends() -> None:
    Path("zerogate.toml").write_text("grace = " + "9" * 5000)
    with pytest.raises(UsageError, match=r"^zerogate\.toml: not TOML: Exceeds the limit"):
        find_config("")
    Path("zerogate.toml").write_text("route = " + "[" * 10_000)
    with pytest.raises(UsageError, match=r"^zerogate\.toml: it is nested too deeply$"):
        find_config("")
    with pytest.raises(UsageError, match=r"^--config /dev/zero: more than 16M$"):
        find_config("/dev/zero")


def test_a_pipe_is_read_to_its_end_and_not_waited_for_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo("fifo")
    monkeypatch.setattr(config_file, "PIPE_PATIENCE_S", 0.05)
    with pytest.raises(UsageError, match=r"^--config fifo: a pipe into which nobody has written for 0\.05 s$"):
        find_config("fifo")
    monkeypatch.setattr(config_file, "PIPE_PATIENCE_S", 20.0)
    read_fd, write_fd = os.pipe()

    def write() -> None:
        for text in (b"grace", b" = 3\n"):
            os.write(write_fd, text)
            time.sleep(0.05)
        os.close(write_fd)

    thread = threading.Thread(target=write)
    thread.start()
    path = f"/dev/fd/{read_fd}"
    assert find_config(path) == ConfigFile(path, "", {"grace": 3})
    thread.join()
    os.close(read_fd)


@pytest.mark.parametrize("text", ["tool = 1", "[tool]\nzerogate = 1"])
def test_where_a_table_should_be(text: str) -> None:
    Path("pyproject.toml").write_text(text)
    with pytest.raises(UsageError, match=r"^pyproject\.toml: tool\.zerogate: not a table$"):
        find_config("")


# What is in it

EXAMPLE = """
grace = "10s"
log-level = "warning"
http = ["127.0.0.1:80", "unix:/run/s"]
processes = 3

[run]
grace = 0
processes = "auto"
route = "example.org"
factory = true
timeout = 2.5
queue_bytes = "1M"

[keys]
keys = "/etc/keys"

[keys.worker]
route = ["a", "b"]
"""


def test_common_keys_and_those_of_a_command() -> None:
    assert values(EXAMPLE, "router") == {
        "grace": 10.0,
        "log_level": "warning",
        "http": ("127.0.0.1:80", "unix:/run/s"),
        "processes": 3,
    }
    run = values(EXAMPLE, "run")
    assert run.pop("processes") >= 1
    assert run == {
        "grace": 0.0,
        "log_level": "warning",
        "http": ("127.0.0.1:80", "unix:/run/s"),
        "route": ("example.org",),
        "factory": True,
        "timeout": 2.5,
        "queue_bytes": 1 << 20,
    }
    assert values(EXAMPLE, "keys", "worker") == {"keys": "/etc/keys", "route": ("a", "b")}
    assert values(EXAMPLE, "keys", "list") == {"keys": "/etc/keys"}


def test_each_says_where_it_is() -> None:
    found = entries(EXAMPLE, "run")
    assert found["grace"].where == "zerogate.toml: run.grace"
    assert found["log_level"].where == "zerogate.toml: log-level"
    assert entries(EXAMPLE, "keys", "worker")["route"].where == "zerogate.toml: keys.worker.route"


WRONG = {
    # What nobody knows.
    "queue-timout = 1": "zerogate.toml: queue-timout: is no option: did you mean queue-timeout?",
    "colour = 1": "zerogate.toml: colour: is no option",
    "workers = 4": "zerogate.toml: workers: is no option: did you mean processes?",
    "[run]\nssl-certfile = 'x'": "zerogate.toml: run.ssl-certfile: is no option: did you mean tls-cert?",
    "[worker]\nqueue-timeout = 1": (
        "zerogate.toml: worker.queue-timeout: is no option of `zerogate worker`: `zerogate router` and `zerogate run` "
        "have --queue-timeout"
    ),
    "[ruoter]\nhttp = 'a:1'": "zerogate.toml: ruoter: is no command: did you mean [router]?",
    "[colour]\nred = 1": "zerogate.toml: colour: is no command",
    "[run.worker]\nname = 'x'": "zerogate.toml: run.worker: is no command",
    "[http]\nport = 1": "zerogate.toml: http: is an option, and no table: write http = ...",
    "config = 'x'": "zerogate.toml: config: is no option: did you mean log-config?",
    "own-router = 1": "zerogate.toml: own-router: is no option",
    "queue-timeout = 1\nqueue_timeout = 1": "zerogate.toml: queue_timeout: is there twice, with - and with _",
    # What it cannot be.
    "http-mode = 0o666": "zerogate.toml: http-mode = 438: not a text: put it in quotes",
    "http = ['a:1', '9000x']": ('zerogate.toml: http = ["a:1", "9000x"]: \'9000x\': not an address: write HOST:PORT'),
    "http = []": "zerogate.toml: http = []: an empty list says nothing: leave it out",
    "http = 80": "zerogate.toml: http = 80: not a text, or a list of texts",
    "queue-size = '4'": 'zerogate.toml: queue-size = "4": not a whole number: write it without quotes',
    "queue-size = true": "zerogate.toml: queue-size = true: not a whole number",
    "queue-size = 1.5": "zerogate.toml: queue-size = 1.5: not a whole number",
    "timeout = 'soon'": (
        'zerogate.toml: timeout = "soon": not a duration: write seconds, or a number with ms, s, m or h'
    ),
    "timeout = nan": "zerogate.toml: timeout = NaN: at least 1ms, or 0: no limit",
    "timeout = 2026-11-29": (
        'zerogate.toml: timeout = "2026-11-29": not a duration: write seconds, or a number with ms, s, m or h'
    ),
    "factory = 1": "zerogate.toml: factory = 1: write true or false",
    "log-level = 'loud'": 'zerogate.toml: log-level = "loud": one of debug, info, warning, error, critical',
    f"name = {list('abcdefghijklmnopqrstuvwxyz')}": (
        'zerogate.toml: name = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l",...: not a text: put it in '
        "quotes"
    ),
    "log-config = 1\nlog-level = 'a\\tb'": ("zerogate.toml: log-config = 1: not a text: put it in quotes"),
    'log-level = "two\\nlines"': (
        'zerogate.toml: log-level = "two\\nlines": one of debug, info, warning, error, critical'
    ),
    # A secret is not repeated.
    "admin-token = 123": "zerogate.toml: admin-token: not a text: put it in quotes",
}


@pytest.mark.parametrize("text", WRONG)
def test_what_cannot_be_is_told_by_file_and_key(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        # `name` is no option of run.
        entries(text, "router" if text.startswith("name") else "run")
    assert caught.value.reason == WRONG[text]


def test_in_pyproject_keys_are_written_in_full() -> None:
    Path("pyproject.toml").write_text("[tool.zerogate.run]\ntimeout = 'soon'\n")
    found = find_config("")
    assert found is not None
    with pytest.raises(UsageError, match=r"^pyproject\.toml: tool\.zerogate\.run\.timeout = "):
        found.entries(commands, ["run"])
    # It is nothing to other commands.
    assert found.entries(commands, ["router"]) == {}

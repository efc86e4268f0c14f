"""What the README and the pages behind it say is so: its commands are run as they are written there."""

import ast
import os
import re
import shlex
import shutil
import struct
import subprocess
import sys
import textwrap
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.attached import NODE_SERVER, needs
from tests.support.commands import ROOT, clean_environment, run_command
from tests.support.processes import Process, Site, free_port, make_site, wait_for
from zerogate.settings import RouterSettings, WorkerSettings
from zerogate.settings.cores import n_cores
from zerogate.wire.spdy import frames
from zerogate.wire.spdy.dictionary import DICTIONARY

README = (ROOT / "README.md").read_text()
PROTOCOL = (ROOT / "docs" / "protocol.md").read_text()
WALK = (ROOT / "docs" / "life-of-a-request.md").read_text()

MAX_LINES = 150


def blocks(page: str) -> list[list[str]]:
    """The lines of each code block."""
    return [match.splitlines() for match in re.findall(r"^```\w*\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)]


def section(title: str) -> str:
    return README.partition(f"\n## {title}\n")[2].partition("\n## ")[0]


def environment(site: Site) -> dict[str, str]:
    """The README's commands on ports of this test's own."""
    return {
        "ZEROGATE_HTTP": f"127.0.0.1:{site.http_port}",
        "ZEROGATE_BIND": site.endpoint,
        "ZEROGATE_CONNECT": site.endpoint,
        "ZEROGATE_ADMIN": f"127.0.0.1:{site.admin_port}",
    }


def start(site: Site, line: str, cwd: Path | None = None) -> Process:
    """Start a `zerogate` line as it is written."""
    command, *arguments = shlex.split(line, comments=True)
    assert command == "zerogate"
    return site.start(*arguments, env=environment(site), cwd=cwd)


def curl(site: Site, line: str) -> str:
    """Run a `curl` line as it is written, but for the port. Without curl on this machine, do what it does."""
    assert " http://localhost:9000/" in line
    words = shlex.split(line.replace("localhost:9000", f"127.0.0.1:{site.http_port}"))
    if shutil.which("curl"):
        return subprocess.run([*words, "-sS"], capture_output=True, text=True, timeout=20, check=True).stdout
    assert words[0] == "curl"
    assert len(words) == 2
    return site.get()[2].decode()


def test_it_is_short() -> None:
    assert README.count("\n") < MAX_LINES


# The example


def test_the_example_says_what_it_says() -> None:
    """The lines that the project promises."""
    commands, dialogue = blocks(section("The example"))
    assert commands == ["zerogate hello worker-1", "zerogate hello worker-2", "zerogate router"]
    assert dialogue == [
        "$ curl http://localhost:9000/",
        "Hello from worker-1",
        "$ curl http://localhost:9000/",
        "Hello from worker-2",
    ]


@pytest.mark.parametrize("order", ["as written", "backwards"])
def test_the_example_works(site: Site, order: str) -> None:
    commands, dialogue = blocks(section("The example"))
    for line in commands if order == "as written" else reversed(commands):
        start(site, line)
    wait_for(lambda: len(joined(site)) == 2, "both workers")
    answers = [curl(site, line.removeprefix("$ ")) for line in dialogue if line.startswith("$ ")]
    promised = [f"{line}\n" for line in dialogue if not line.startswith("$ ")]
    # Who is first is who joined first; from then on they take turns.
    assert sorted(answers) == sorted(promised)
    assert [curl(site, "curl http://localhost:9000/") for _ in range(2)] == answers


def test_the_example_answers_as_written_whoever_joined_first(site: Site) -> None:
    commands, dialogue = blocks(section("The example"))
    start(site, commands[2]).wait_output("Ctrl-C stops")
    for line in (commands[1], commands[0]):
        start(site, line).wait_output("joined router")
    answers = [curl(site, line.removeprefix("$ ")) for line in dialogue if line.startswith("$ ")]
    assert answers == [f"{line}\n" for line in dialogue if not line.startswith("$ ")]


def joined(site: Site) -> list[str]:
    try:
        return [worker["name"] for worker in site.status()["workers"] if worker["state"] == "up"]
    except OSError:
        return []


def test_what_the_reader_may_do_next(site: Site) -> None:
    text = section("The example").split("```")[-1]
    assert "`kill -9` one of them, start five more, stop the router and start it again" in " ".join(text.split())
    first = start(site, "zerogate hello worker-1")
    start(site, "zerogate hello worker-2")
    router = start(site, "zerogate router")
    site_wait(site, 2)
    first.kill()
    assert {site.get()[2] for _ in range(4)} == {b"Hello from worker-2\n"}
    for number in range(3, 8):
        start(site, f"zerogate hello worker-{number}")
    site_wait(site, 6)
    assert len({site.get()[2] for _ in range(6)}) == 6
    assert router.terminate() == 0
    start(site, "zerogate router")
    site_wait(site, 6)
    shown = run_command("status", env=environment(site)).stdout
    assert all(f"worker-{number} " in shown for number in range(2, 8))


def site_wait(site: Site, n: int) -> None:
    wait_for(lambda: len(joined(site)) == n, f"{n} workers up")


# Your application


def test_real_applications(site: Site, tmp_path: Path) -> None:
    package = tmp_path / "mypkg"
    package.mkdir()
    (package / "app.py").write_text((ROOT / "examples" / "hello.py").read_text())
    worker, run, _, _ = blocks(section("Your application"))[0]
    assert worker.startswith("zerogate worker mypkg.app:app ")
    assert run.startswith("zerogate run mypkg.app:app ")
    router = start(site, "zerogate router")
    ours = start(site, worker, cwd=tmp_path)
    site_wait(site, 1)
    assert curl(site, "curl http://localhost:9000/") == "Hello, world!\n"
    assert (router.terminate(), ours.terminate()) == (0, 0)
    start(site, run, cwd=tmp_path)
    site_wait(site, n_cores())
    assert curl(site, "curl http://localhost:9000/") == "Hello, world!\n"


@needs("node")
def test_a_server_and_files(site: Site, tmp_path: Path) -> None:
    shutil.copy(NODE_SERVER, tmp_path / "server.js")
    (tmp_path / "public").mkdir()
    (tmp_path / "public" / "a.txt").write_text("a file\n")
    _, _, attach, files = blocks(section("Your application"))[0]
    site.router("--settle", "0s")
    start(site, attach.replace(":3000 ", f":{free_port()} "), cwd=tmp_path).wait_output("joined router")
    start(site, files, cwd=tmp_path).wait_output("joined router")
    assert site.get("/static/a.txt")[2] == b"a file\n"
    assert site.get("/echo/x")[2].endswith(b" node")


def test_the_examples_that_it_names_run_from_a_clone(site: Site) -> None:
    pytest.importorskip("fastapi")
    (line,) = re.findall(r"`(zerogate run examples\.\S+)`", README)
    start(site, line, cwd=ROOT)
    site_wait(site, n_cores())
    assert '"message":"hello"' in curl(site, "curl http://localhost:9000/")
    for name in re.findall(r"`(examples/\S+)`", README):
        assert (ROOT / name).is_file()


def test_routes_as_they_are_written(site: Site, tmp_path: Path) -> None:
    for name in ("shop", "api"):
        (tmp_path / name).mkdir()
        text = (ROOT / "examples" / "hello.py").read_text()
        (tmp_path / name / "app.py").write_text(text.replace("Hello, world!", name))
    site.router("--settle", "0s")
    (lines,) = [block for block in blocks(section("Your application")) if "--strip-prefix" in "".join(block)]
    for line in lines:
        start(site, line, cwd=tmp_path)
    site_wait(site, 2)
    served = {
        ("shop.example.org", "/x"): b"shop\n",
        ("example.org", "/shop/x"): b"shop\n",
        ("any.example.org", "/api"): b"api\n",
    }
    for (host, path), expected in served.items():
        assert site.get(path, headers={"host": host})[2] == expected
    assert site.get("/shopping", headers={"host": "example.org"})[0] == 404
    (api,) = [worker for worker in site.status()["workers"] if "/api" in worker["routes"]]
    assert (api["weight"], api["capacity"]) == (200, 20)


def test_an_option_is_an_environment_variable(site: Site) -> None:
    assert "`--queue-timeout` is `ZEROGATE_QUEUE_TIMEOUT`" in " ".join(README.split())
    site.router(env={"ZEROGATE_QUEUE_TIMEOUT": "100ms"})
    status, fields, _ = site.get()
    assert (status, fields["zerogate-error"]) == (503, "queue_timeout")


# How it behaves

E2E = "tests/e2e/"
# Each row of the table, and the tests that hold it to its word.
PROOFS = {
    "a worker is killed (`kill -9`)": [
        "test_chaos_kill.py::test_get_survives_kill_9_of_one_of_three_again_and_again",
        "test_losses.py::test_what_is_not_safe_to_repeat_is_not_repeated",
    ],
    "a worker is stopped (Ctrl-C, SIGTERM)": [
        "test_draining.py::test_rolling_restarts_of_every_worker_fail_nothing",
        "test_run.py::test_a_stop_is_a_success",
    ],
    "new code is to be served": [
        "test_rolls.py::test_a_hangup_under_load_fails_nothing",
        "test_rolls.py::test_an_application_that_does_not_start_any_more_leaves_the_old_one",
        "test_reload.py::test_files_are_saved_again_and_again_and_no_page_load_fails",
    ],
    "a worker starts": ["test_order.py::test_a_worker_that_joins_takes_the_oldest_that_waits"],
    "no worker is there, or all are full": [
        "test_order.py::test_requests_before_any_worker_are_answered_once_there_is_one",
        "test_refusals.py::test_a_full_queue_says_when_to_come_again",
        "test_refusals.py::test_a_queue_has_an_end",
        "test_readme.py::test_numbers",
    ],
    "the router dies or is restarted": ["test_readme.py::test_workers_are_back_within_two_seconds"],
    "the router is replaced": ["test_draining.py::test_a_router_is_replaced_under_load"],
    "one router process is not enough": [
        "test_processes.py::test_shares_are_even_and_a_worker_appears_once",
        "test_processes.py::test_a_process_that_is_killed_is_started_again_and_its_queue_is_not_lost",
    ],
    "a client is slow": [
        "test_streaming.py::test_a_download_that_the_client_reads_slowly",
        "test_streaming.py::test_stalled_downloads_hold_up_nobody",
    ],
    "a client goes away": ["test_aborts.py::test_in_the_reply"],
    "an application raises": [
        "../integration/test_asgi.py::test_a_failure_before_the_reply_is_a_500",
        "../integration/test_asgi.py::test_a_failure_amid_the_reply_is_seen",
    ],
    "a WebSocket's worker, or router, is stopped; is killed": [
        "test_tunnels.py::test_each_client_hears_of_its_workers_end",
        "test_tunnels.py::test_a_router_that_stops_waits_for_no_websocket",
    ],
    "an attached server goes down": [
        "test_attach_kill.py::test_the_only_one_is_killed_and_requests_wait_for_it",
        "test_attach.py::test_it_leaves_while_the_server_is_ill",
    ],
    "a request is malformed": ["../conformance/test_h1_cases.py::"],
}


def test_each_promise_has_a_test() -> None:
    rows = [line.split(" | ") for line in section("How it behaves").splitlines() if line.startswith("| ")]
    assert [row[0].removeprefix("| ") for row in rows[2:]] == list(PROOFS)
    for proofs in PROOFS.values():
        for proof in proofs:
            file, _, name = proof.partition("::")
            assert f"def {name or 'test_'}" in (ROOT / E2E / file).read_text(), proof


def test_numbers() -> None:
    text = " ".join(section("How it behaves").split())
    assert "up to 30 s and 1024 of them" in text
    assert (RouterSettings.queue_timeout, RouterSettings.queue_size) == (30.0, 1024)


def test_workers_are_back_within_two_seconds(site: Site) -> None:
    """Also after a while in which they have dialled in vain."""
    router = site.router()
    names = [f"worker-{number}" for number in range(4)]
    workers = [site.hello(name, "--log-level", "debug") for name in names]
    router.kill()
    # Until the pauses between two tries are as long as they get.
    for worker in workers:
        wait_for(lambda: worker.output().count(": dialling on") > 7, "tries in vain")  # noqa: B023 (called at once)
    assert WorkerSettings.redial_max < 2.0
    site.router()
    # From now on each try is a success; one may have begun before.
    before = [worker.output().count(": dialling on") for worker in workers]
    wait_for(lambda: sorted(joined(site)) == names, "all workers")
    assert all(worker.output().count(": dialling on") <= n + 1 for worker, n in zip(workers, before, strict=True))


def test_strangers_are_kept_out_unless_one_says_so() -> None:
    assert "From anywhere else they need one" in " ".join(section("How it behaves").split())
    ports = ("--http", "127.0.0.1:0", "--admin", "off", "--bind", f"tcp://0.0.0.0:{free_port()}")
    assert "zerogate keys router" in run_command("router", *ports).stderr
    with make_site() as site:
        site.start("router", *ports, "--insecure").wait_output("Ctrl-C stops")


# Installing it


def test_the_two_commands() -> None:
    assert blocks(section("See it"))[0] == [
        "pip install . && zerogate demo",
        "pip install '.[test]' && python -m pytest",
    ]
    assert blocks(section("See it"))[1:] == [["python3 -m venv .venv && . .venv/bin/activate"]]


@pytest.mark.skipif(not os.environ.get("CI"), reason="it installs from the package index: run with CI=1")
@pytest.mark.timeout(300)
def test_the_first_command_on_a_fresh_machine(site: Site, tmp_path: Path) -> None:
    copy = tmp_path / "clone"
    ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__", "results")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (line,) = [line for line in blocks(section("See it"))[0] if "demo" in line]
    make_environment = blocks(section("See it"))[1][0]
    # Beside the README's own line: the Python that these tests run with, and the end of the demo.
    python3 = tmp_path / "bin" / "python3"
    python3.parent.mkdir()
    python3.symlink_to(sys.executable)
    done = subprocess.run(
        ["sh", "-e", "-c", f"{make_environment}\n{line}"],
        cwd=copy,
        env=clean_environment(
            **environment(site), ZEROGATE_ONCE="1", PATH=f"{python3.parent}:{os.environ['PATH']}", VIRTUAL_ENV=""
        ),
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("Hello from worker-") == 13


# The pages behind it


def links() -> Iterator[object]:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]:
        for target in sorted(set(re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()))):
            if "://" in target:
                continue
            is_missing = target.endswith("bench/RESULTS.md") and not (page.parent / target).exists()
            marks = [pytest.mark.xfail(strict=True, reason="measured at the end")] if is_missing else []
            yield pytest.param(page, target, id=f"{page.name} {target}", marks=marks)


@pytest.mark.parametrize(("page", "target"), list(links()))
def test_each_link_leads_somewhere(page: Path, target: str) -> None:
    assert (page.parent / target).exists()


def test_the_protocol_has_the_dictionary() -> None:
    words, text = (
        textwrap.dedent(match) for match in re.findall(r"  ```(?:words|text)\n(.*?)  ```", PROTOCOL, re.DOTALL)
    )
    built = (
        b"".join(struct.pack(">I", len(word)) + word.replace("_", " ").encode() for word in words.split())
        + text.replace("\n", "").replace("_", " ").encode()
    )
    assert built == DICTIONARY
    assert f"{len(built)} bytes whose Adler-32 is `{zlib.adler32(built):#x}`" in " ".join(PROTOCOL.split())


def test_the_protocol_has_the_right_octets() -> None:
    written = [bytes.fromhex(match) for match in re.findall(r"`(8003[0-9a-f ]+)`", PROTOCOL)]
    assert written == [frames.settings([(4, 100), (7, 256 * 1024)]), frames.window_update(0, 16 * 1024**2 - 64 * 1024)]


def test_the_protocol_has_the_right_numbers() -> None:
    text = " ".join(PROTOCOL.split())
    assert f"Silent for {RouterSettings.suspect_after:g} s: **suspect**" in text
    assert f"Silent for {RouterSettings.lost_after:g} s: **lost**" in text
    assert (
        f"{RouterSettings.stream_window // 1024} KiB a stream and {RouterSettings.session_window // 1024**2} MiB"
        in text
    )
    for kind in frames.FrameType:
        assert f"| {kind.value} | {kind.name} |" in text
    for status in frames.RstStatus:
        if status.name not in ("UNSUPPORTED_VERSION", "INVALID_CREDENTIALS"):  # SPDY's, without a use here
            assert f"{status.value} {status.name}" in text


def test_the_protocol_has_the_right_pauses() -> None:
    pauses = f"from {WorkerSettings.redial_min * 1000:g} ms up to {WorkerSettings.redial_max:g} s"
    assert pauses in " ".join(PROTOCOL.split())


def test_the_walk_names_what_is_there() -> None:
    known: dict[str, set[str]] = {}
    for path in (ROOT / "src").rglob("*.py"):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.ClassDef):
                members = {item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)}
                known.setdefault(node.name, set()).update(members)
    named = [name for name in re.findall(r"`([A-Z]\w+)(?:\.(\w+))?`", WALK) if name[0] in known or name[1]]
    assert len(named) > 30
    for owner, method in named:
        assert owner in known, owner
        assert not method or method in known[owner], f"{owner}.{method}"
    files = [path.relative_to(ROOT / "src" / "zerogate") for path in (ROOT / "src" / "zerogate").rglob("*.py")]
    for name in re.findall(r"`([\w/]+\.py)`", WALK):
        assert any(str(file).endswith(name) for file in files), name

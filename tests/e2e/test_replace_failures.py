"""A replacement that goes wrong at any point: whoever had the clients has them still."""

import os
import signal
from collections.abc import Callable

import pytest

from tests.support.commands import run_command
from tests.support.open_loop import OpenLoop
from tests.support.processes import Process, Site, wait_for
from tests.support.takeover import PlayedEnd, PlayedPredecessor, play_successor, tcp_key
from zerogate.router.rendezvous import name_of
from zerogate.runtime import make_directory


def router(site: Site, *options: str, wait: bool = True) -> Process:
    return site.router("--settle", "0s", "--access-log", "off", *options, wait=wait)


def site_options(site: Site) -> tuple[str, ...]:
    return (
        *("--http", f"127.0.0.1:{site.http_port}", "--bind", site.endpoint),
        *("--admin", f"127.0.0.1:{site.admin_port}", "--access-log", "off"),
    )


def keys(site: Site) -> list[str]:
    return [tcp_key(port) for port in (site.http_port, site.link_port, site.admin_port)]


# The successor dies, or talks nonsense


def greet(end: PlayedEnd, site: Site) -> None:
    assert end.hear()["router"]


def want(end: PlayedEnd, site: Site) -> None:
    end.say(want=keys(site))


def have(end: PlayedEnd, site: Site) -> None:
    assert set(end.hear()["have"]) == set(keys(site))
    assert len(end.sockets) == 3


def go(end: PlayedEnd, site: Site) -> None:
    end.say(go=1.0)


def moving(end: PlayedEnd, site: Site) -> None:
    assert end.hear()["workers"] == 1


LINES: list[Callable[[PlayedEnd, Site], None]] = [greet, want, have, go, moving]


@pytest.mark.parametrize("n_lines", range(len(LINES) + 1))
def test_a_successor_that_dies_after_any_line(site: Site, n_lines: int) -> None:
    old = router(site)
    site.hello("a")
    with OpenLoop(site.http_port, 50.0, keeps_alive=False) as load:
        end = play_successor(site.http_port)
        for line in LINES[:n_lines]:
            line(end, site)
        end.close()
        wanted = load.report.ok + 30
        wait_for(lambda: load.report.ok >= wanted, "good replies")
        site.wait_workers(1)
    assert not load.report.failed, load.report
    assert old.popen.poll() is None
    # And it can be replaced by one that lives.
    router(site, "--replace")
    assert old.popen.wait(30) == 0


@pytest.mark.parametrize(
    "nonsense",
    [b"\0\xff\n", b"[]\n", b"{}\n", b'{"want": 7}\n', b'{"want": [[]]}\n', b'{"want": ["tcp 1.2.3.4:5"]}\n'],
)
def test_a_successor_that_talks_nonsense(site: Site, nonsense: bytes) -> None:
    old = router(site)
    site.hello("a")
    end = play_successor(site.http_port)
    greet(end, site)
    end.say_raw(nonsense)
    assert end.hear() == {}
    assert site.get()[0] == 200
    assert "Traceback" not in old.output()
    end.close()


@pytest.mark.parametrize("seconds", [b"-1", b"NaN", b'"1"', b"null"])
def test_a_successor_that_talks_nonsense_late(site: Site, seconds: bytes) -> None:
    old = router(site)
    site.hello("a")
    end = play_successor(site.http_port)
    for line in (greet, want, have):
        line(end, site)
    end.say_raw(b'{"go": ' + seconds + b"}\n")
    assert end.hear() == {}
    assert site.get()[0] == 200
    assert "Traceback" not in old.output()
    end.close()


def test_a_successor_that_never_gets_done(site: Site) -> None:
    """The old one waits as long as was said, and a little more; then it goes on."""
    old = router(site)
    site.hello("a")
    end = play_successor(site.http_port)
    for line in LINES:
        line(end, site)
    assert "no" in end.hear()
    assert site.get()[0] == 200
    assert old.popen.poll() is None
    end.close()


def test_the_latest_successor_has_its_turn(site: Site) -> None:
    old = router(site)
    first = play_successor(site.http_port)
    for line in (greet, want, have):
        line(first, site)
    router(site, "--replace")
    assert "no" in first.hear()
    first.close()
    assert old.popen.wait(30) == 0


def test_a_successor_that_cannot_bind_what_is_its_own(site: Site) -> None:
    old = router(site)
    site.hello("a")
    result = run_command("router", *site_options(site), "--replace", "--http", "192.0.2.1:80")
    assert result.returncode == 1
    assert "192.0.2.1" in result.stderr
    assert site.get()[0] == 200
    assert old.popen.poll() is None


def test_a_successor_that_is_killed_while_it_takes_over(site: Site) -> None:
    # A worker that is waited for, as it is not suspect, and has no request that is asked here.
    old = router(site, "--suspect-after", "60s", "--lost-after", "60s")
    frozen = site.hello("frozen", "--route", "other.example")
    lively = site.hello("lively")
    frozen.send_signal(signal.SIGSTOP)
    new = router(site, "--replace", "--takeover-wait", "60s", wait=False)
    lively.wait_output("is leaving")
    wait_for(lambda: lively.output().count("joined router") == 2, "it has come over")
    new.kill()
    assert site.get()[2] == b"Hello from lively\n"
    assert old.popen.poll() is None
    frozen.send_signal(signal.SIGCONT)
    site.wait_workers(2)


# The predecessor


def test_one_that_was_killed_is_in_nobodys_way(site: Site) -> None:
    old = router(site)
    site.hello("a")
    old.kill()
    paths = [make_directory() / name_of(key) for key in keys(site)]
    assert all(path.exists() for path in paths)
    new = router(site, "--replace")
    assert site.get()[0] == 200
    assert new.terminate() == 0
    assert not any(path.exists() for path in paths)


def test_what_a_killed_one_left_is_no_hindrance_without_replace(site: Site) -> None:
    router(site).kill()
    router(site)


def test_one_that_hangs_is_given_up(site: Site) -> None:
    old = router(site)
    site.hello("a")
    old.send_signal(signal.SIGSTOP)
    result = run_command("router", *site_options(site), "--replace")
    assert result.returncode == 1
    assert f"(process {old.pid}) does not answer" in result.stderr
    old.send_signal(signal.SIGCONT)
    assert site.get()[0] == 200
    assert old.popen.poll() is None


def test_one_that_hangs_is_named_without_replace(site: Site) -> None:
    old = router(site)
    old.send_signal(signal.SIGSTOP)
    result = run_command("router", *site_options(site))
    assert result.returncode == 1
    assert f"(process {old.pid})" in result.stderr
    old.send_signal(signal.SIGCONT)


@pytest.mark.parametrize("how", ["before go", "after go", "before done"])
def test_one_that_dies_has_given_its_sockets_away(site: Site, how: str) -> None:
    with PlayedPredecessor(site.http_port) as old:
        new = router(site, "--replace", wait=False)
        end = old.give()
        if how != "before go":
            assert "go" in end.hear()
        if how == "before done":
            end.say(workers=0)
            assert "done" in end.hear()
        old.listening.close()
        end.close()
        new.wait_output("Ctrl-C stops")
    site.hello("a")
    assert site.get()[0] == 200


def test_one_that_will_not_be_replaced(site: Site) -> None:
    with PlayedPredecessor(site.http_port) as old:
        new = router(site, "--replace", wait=False)
        end = old.give()
        assert "go" in end.hear()
        end.say(no="of this and that")
        assert new.popen.wait(30) == 1
        assert "of this and that" in new.output()
        end.close()


def test_one_that_hangs_at_the_end_does_not_hold_the_new_one_up(site: Site) -> None:
    with PlayedPredecessor(site.http_port) as old:
        new = router(site, "--replace", wait=False)
        end = old.give()
        assert "go" in end.hear()
        end.say(workers=0)
        assert "done" in end.hear()
        new.wait_output("hangs")
        new.wait_output("Ctrl-C stops")
        end.close()


def test_a_directory_that_others_may_enter_is_not_used(site: Site, tmp_path_factory: pytest.TempPathFactory) -> None:
    temporary = tmp_path_factory.mktemp("t")
    directory = temporary / f"zerogate-{os.geteuid()}"
    directory.mkdir()
    directory.chmod(0o755)
    process = site.router(env={"TMPDIR": str(temporary), "XDG_RUNTIME_DIR": ""})
    assert "no successor will find this router" in process.output()
    assert list(directory.iterdir()) == []

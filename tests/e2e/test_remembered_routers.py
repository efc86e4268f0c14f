"""A worker that is started as before finds the second router when the one in its only --connect is gone."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.processes import Site, make_site, wait_for


@pytest.fixture
def sites() -> Iterator[tuple[Site, Site]]:
    with make_site() as first, make_site() as second:
        yield first, second


def test_across_a_restart(sites: tuple[Site, Site], tmp_path: Path) -> None:
    first, second = sites
    named = ("--advertise", first.endpoint, "--advertise", second.endpoint)
    router = first.router(*named)
    second.router(*named)
    state = ("--state", str(tmp_path / "state"))
    worker = first.hello("w", *state)
    second.wait_workers(1)
    router.kill()
    worker.kill()
    wait_for(lambda: second.status()["workers"] == [], "it is gone")
    # The same command.
    worker = first.hello("w", *state, wait=False)
    second.wait_workers(1)
    assert second.get()[2] == b"Hello from w\n"
    # It still knows who it was told of, and dials that one, too.
    first.router(*named)
    first.wait_workers(1)
    assert worker.popen.poll() is None


def test_not_if_it_shall_not(sites: tuple[Site, Site], tmp_path: Path) -> None:
    first, second = sites
    first.router("--advertise", second.endpoint)
    second.router()
    worker = first.hello("w", "--state", "off", cwd=tmp_path, env={"XDG_STATE_HOME": str(tmp_path)})
    second.wait_workers(1)
    assert worker.terminate() == 0
    assert not [*tmp_path.iterdir()]

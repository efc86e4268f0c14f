"""What the limit on open files leaves for clients."""

import resource

import pytest

from tests.support.each import each
from zerogate.router.room import RESERVED_FDS, client_room, share_out
from zerogate.settings import RouterSettings


@each("n_fds", [256, 1024, 4096, 20_000, 1_000_000])
@each("max_links", [1, 1024])
def test_links_and_the_admin_port_keep_theirs(n_fds: int, max_links: int) -> None:
    room = share_out(n_fds, 1_000_000, max_links)
    assert 0 < room.max_clients < room.max_connections
    assert room.max_connections + RESERVED_FDS + min(max_links, n_fds // 4) <= n_fds


def test_enough_is_enough() -> None:
    assert share_out(20_000, 10_000, 1024).max_clients == 10_000


def test_next_to_nothing_is_still_something() -> None:
    assert share_out(10, 10_000, 1024).max_clients >= 1


def test_it_is_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 1024))
    room = client_room(RouterSettings())
    assert room.max_clients < 1024
    assert caplog.messages == [f"--max-clients 10000: {room.max_clients}, as this process may open 1024 files"]


def test_no_limit_is_not_said(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    assert client_room(RouterSettings(max_clients=77)).max_clients == 77
    assert not caplog.messages

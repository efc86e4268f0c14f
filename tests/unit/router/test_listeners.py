"""Where a router listens: what its settings ask for, what it was given, and what it says of it."""

import asyncio
import socket
import stat
from pathlib import Path

import pytest

from zerogate.errors import StartError, UsageError
from zerogate.link.bind import place_of
from zerogate.link.listen import Listener
from zerogate.link.systemd import Inherited
from zerogate.router import listeners as router_listeners
from zerogate.router.listeners import Kind, Listeners, Makers
from zerogate.settings import RouterSettings


class Silent(asyncio.Protocol):
    """Says nothing."""


MAKERS: Makers = {kind: lambda key: Silent for kind in Kind}


def make(**options: object) -> Listeners:
    defaults: dict[str, object] = {"http": ("127.0.0.1:0",), "bind": ("tcp://127.0.0.1:0",), "admin": "off"}
    settings = RouterSettings(**{**defaults, **options})  # type: ignore[arg-type]
    return Listeners(settings, MAKERS, lambda n_connecting: True)


def test_addresses_are_those_in_use(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listeners = make(bind=(f"ipc://{path}", "tcp://127.0.0.1:0"), admin="127.0.0.1:0", https=("127.0.0.1:0",))
    assert not listeners.wants_tls
    listeners.find()
    assert listeners.wants_tls
    listeners.bind({})
    found = listeners.addresses
    assert len(listeners.descriptors()) == 5
    listeners.close()
    assert not path.exists()
    (http,), (https,), (ipc, tcp), (admin,) = found
    assert ipc == f"ipc://{path}"
    assert https.endswith(f":{listeners.tls_port}")
    for text in (http, https, tcp.removeprefix("tcp://"), admin):
        assert text.startswith("127.0.0.1:")
        assert not text.endswith(":0")


def test_what_is_given_is_not_bound() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        listeners = make(http=(address,))
        assert f"tcp {address}" in listeners.find()
        given = {f"tcp {address}": other.dup()}
        listeners.bind(given)
        assert not given
        assert listeners.addresses.http == [address]
        listeners.close()


def test_a_taken_port_is_explained_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listeners = make(admin=f"127.0.0.1:{other.getsockname()[1]}")
        listeners.find()
        with pytest.raises(
            StartError, match=r"--admin .* is taken by this command itself: say another one, or --admin off"
        ):
            listeners.bind({})
        listeners.close()


def test_workers_without_keys_are_for_this_machine() -> None:
    with pytest.raises(UsageError, match="--insecure"):
        make(bind=("tcp://0.0.0.0:0",)).find()
    assert make(bind=("tcp://0.0.0.0:0",), insecure=True).find()


def test_clients_by_a_path_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "s"
    listeners = make(http=(f"unix:{path}", "127.0.0.1:0", "[::1]:0"), http_mode="660", bind=())
    assert listeners.find()[0] == f"ipc {path}"
    listeners.bind({})
    assert [address.rpartition(":")[0] for address in listeners.addresses.http] == ["unix", "127.0.0.1", "[::1]"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o660
    listeners.close()
    assert not path.exists()


def test_nowhere_at_all() -> None:
    listeners = make(http=("off",), bind=())
    assert listeners.find() == []


def test_sockets_from_systemd_are_handed_over_to_who_has_them_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is replaced has to stop; the sockets are the same."""
    with socket.create_server(("127.0.0.1", 0)) as theirs:
        key = f"tcp 127.0.0.1:{theirs.getsockname()[1]}"
        ours = Listener(theirs.dup(), place_of(theirs, "--bind x"), is_inherited=True)
        monkeypatch.setattr(router_listeners, "inherited_listeners", lambda **_: Inherited([], [], [ours]))
        listeners = make(http=("off",))
        assert listeners.find() == [key]
        given = {key: theirs.dup()}
        sock = given[key]
        listeners.bind(given)
        assert not given
        assert sock.fileno() == -1
        assert list(listeners.descriptors()) == [key]
        listeners.accept_links()  # Not before whoever is replaced has stopped to.
        assert repr(ours).endswith("waits>")
        listeners.close()

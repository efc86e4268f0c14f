"""Where a router listens: what its settings ask for, what it was given, and what it says of it."""

import asyncio
import socket
from pathlib import Path

import pytest

from zerogate.errors import StartError, UsageError
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
    listeners = make(bind=(f"ipc://{path}", "tcp://127.0.0.1:0"), admin="127.0.0.1:0")
    listeners.find()
    listeners.bind({})
    found = listeners.addresses
    assert len(listeners.descriptors()) == 4
    listeners.close()
    assert not path.exists()
    (http,), (ipc, tcp), (admin,) = found
    assert ipc == f"ipc://{path}"
    for text in (http, tcp.removeprefix("tcp://"), admin):
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
            StartError, match=r"--admin .* is taken by this command itself: stop it, or choose another port"
        ):
            listeners.bind({})
        listeners.close()


def test_workers_without_keys_are_for_this_machine() -> None:
    with pytest.raises(UsageError, match="--insecure"):
        make(bind=("tcp://0.0.0.0:0",)).find()
    assert make(bind=("tcp://0.0.0.0:0",), insecure=True).find()

"""What a router can set."""

import math
import os
from typing import Any

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings import ListenSettings, RouterSettings
from zerogate.settings.router import MAX_HEAD_BYTES, process_name
from zerogate.wire.spdy.headers import MAX_BLOCK_BYTES


def test_a_router_is_made_of_what_one_wants_to_be_otherwise() -> None:
    settings = RouterSettings(queue_timeout=1.0)
    assert (settings.queue_timeout, settings.timeout, settings.max_body) == (1.0, 60.0, None)
    assert RouterSettings(timeout=0).timeout == math.inf


def test_its_name_is_this_processes() -> None:
    assert RouterSettings().name == process_name()
    assert process_name().endswith(f"-{os.getpid()}")


def test_a_head_fits_into_a_block_of_the_link() -> None:
    assert MAX_HEAD_BYTES <= MAX_BLOCK_BYTES
    assert RouterSettings(max_head=MAX_HEAD_BYTES).max_head == MAX_HEAD_BYTES


@each("token", ["secret ü", "two words", "hush\n", " secret", "\x7f"])
def test_a_token_that_no_request_could_bring_is_refused_and_not_told(token: str) -> None:
    """As a file with a line end makes of it."""
    assert RouterSettings(admin_token="sec-ret_/+=~!").admin_token == "sec-ret_/+=~!"
    with pytest.raises(UsageError, match=r"^--admin-token: ") as caught:
        RouterSettings(admin_token=token)
    assert token.strip() not in caught.value.reason


@each("mode", ["600", "660", "0600"])
def test_a_mode_in_octal(mode: str) -> None:
    assert ListenSettings(ipc_mode=mode).ipc_mode == mode
    assert ListenSettings(http_mode=mode).http_mode == mode


@each("mode", ["", "6", "680", "rw-rw----", "0o600"])
def test_a_mode_that_is_none(mode: str) -> None:
    with pytest.raises(UsageError, match="octal"):
        ListenSettings(ipc_mode=mode)
    with pytest.raises(UsageError, match="octal"):
        ListenSettings(http_mode=mode)


def test_off_and_somewhere() -> None:
    assert ListenSettings(http=("off",)).http == ("off",)
    with pytest.raises(UsageError, match="--http off goes with no other"):
        ListenSettings(http=("off", ":80"))


@pytest.mark.parametrize("name", ["http", "https"])
def test_where_clients_connect_to_is_an_address(name: str) -> None:
    for address in ("127.0.0.1:9000", ":80", "[::1]:80", "unix:/run/s", "off"):
        made: Any = RouterSettings().changed(**{name: (address,)})
        assert getattr(made, name) == (address,)
    with pytest.raises(UsageError, match=rf"^--{name} 9000x: not an address: write HOST:PORT$"):
        RouterSettings().changed(**{name: ("9000x",)})
    with pytest.raises(UsageError, match=rf"^--{name} :80 9000x: '9000x': not an address: write HOST:PORT$"):
        RouterSettings().changed(**{name: (":80", "9000x")})


def test_what_others_dial_is_an_endpoint() -> None:
    for name in ("bind", "advertise"):
        with pytest.raises(
            UsageError, match=rf"^--{name} :8000: not an endpoint: write tcp://HOST:PORT or ipc://PATH$"
        ):
            RouterSettings().changed(**{name: (":8000",)})


def test_where_people_look() -> None:
    assert RouterSettings(admin="off").admin == "off"
    with pytest.raises(UsageError, match=r"^--admin unix:/s: not an address"):
        RouterSettings(admin="unix:/s")

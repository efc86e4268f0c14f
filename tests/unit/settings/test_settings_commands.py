"""What the other commands can set."""

import pytest

from tests.support.each import each
from zerogate.errors import UsageError
from zerogate.settings import KeySettings, RunSettings, StatusSettings, WorkerKeySettings


@each("token", ["secret ü", "two words", "hush\n", " secret", "\x7f"])
def test_a_token_that_no_request_could_bring_is_refused_and_not_told(token: str) -> None:
    """As a file with a line end makes of it."""
    assert StatusSettings(admin_token="sec-ret_/+=~!").admin_token == "sec-ret_/+=~!"
    with pytest.raises(UsageError, match=r"^--admin-token: ") as caught:
        StatusSettings(admin_token=token)
    assert token.strip() not in caught.value.reason


def test_keys_lie_where_it_is_said() -> None:
    assert KeySettings().keys == ""
    made = WorkerKeySettings(keys="/k", route=("example.org/api",))
    assert (made.keys, made.route) == ("/k", ("example.org/api",))
    with pytest.raises(UsageError, match="not an endpoint"):
        WorkerKeySettings(connect="router:8000")


@each("text", ["tcp://0.0.0.0:8000", "tcp://*:8000", "tcp://:8000", "tcp://[::]:8000", "tcp://router.example:0"])
def test_where_a_router_binds_is_nowhere_to_dial(text: str) -> None:
    """A worker on another machine would dial itself there."""
    with pytest.raises(UsageError, match="that is where a router binds"):
        WorkerKeySettings(connect=text)
    for good in ("tcp://router.example:8000", "tcp://[2001:db8::1]:8000", "tcp://127.0.0.1:1", "ipc:///run/zg"):
        assert WorkerKeySettings(connect=good).connect == good


def test_a_run_has_no_port_for_more_workers_and_waits_for_its_application() -> None:
    made = RunSettings()
    assert made.bind == ()
    assert made.timeout == made.idle_timeout == float("inf")

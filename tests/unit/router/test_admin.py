"""The admin port's answers: through a real HTTP/1 client, and through one that is not."""

import json
from typing import Any

import pytest

from tests.support.bench import Notes
from tests.support.each import each
from tests.support.http1_asker import Http1Connection
from tests.support.memory_client import MemoryConnection
from tests.support.virtual_time import run_virtually
from zerogate.router.admin import Admin
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.settings import RouterSettings


def ask(kind: str, method: bytes, target: bytes, **options: Any) -> Any:
    """The answer, which comes at once. Asked as people ask: by the port's address."""
    options.setdefault("host", b"127.0.0.1:9001")
    is_ready = options.pop("is_ready", True)
    token = options.pop("token", "")

    async def main() -> Any:
        notes: Any = Notes()
        desk = Desk(
            RouterSettings(), Counters(), Admin(lambda: {"router": "r", "n": 1}, lambda: is_ready, token=token), notes
        )
        if kind == "memory":
            asked: Any = MemoryConnection(desk).request(method, target, **options)
        else:
            asked = Http1Connection(Http1Clients(desk)).request(method, target, **options)
        assert asked.is_complete
        desk.close()
        return asked

    return run_virtually(main())


KINDS = pytest.mark.parametrize("kind", ["memory", "http1"])


@KINDS
def test_the_status_in_json(kind: str) -> None:
    asked = ask(kind, b"GET", b"/status?x=y")
    assert (asked.status, asked.fields[b"content-type"]) == (200, b"application/json")
    assert asked.fields[b"cache-control"] == b"no-store"
    assert json.loads(asked.body) == {"router": "r", "n": 1}


@KINDS
def test_health(kind: str) -> None:
    asked = ask(kind, b"GET", b"/healthz")
    assert (asked.status, asked.fields[b"content-type"]) == (200, b"text/plain; charset=utf-8")
    assert asked.body == b"ok\n"


@KINDS
def test_readiness(kind: str) -> None:
    asked = ask(kind, b"GET", b"/readyz")
    assert (asked.status, asked.body) == (200, b"ready\n")
    asked = ask(kind, b"GET", b"/readyz", is_ready=False)
    assert asked.status == 503


@KINDS
def test_a_head_says_as_much_without_the_body(kind: str) -> None:
    asked = ask(kind, b"HEAD", b"/healthz")
    assert (asked.status, asked.fields[b"content-length"], asked.body) == (200, b"3", b"")


@KINDS
@pytest.mark.parametrize(
    ("method", "target", "status", "code"),
    [
        (b"GET", b"/", 404, "no_route"),
        (b"GET", b"/status/", 404, "no_route"),
        (b"POST", b"/status", 405, "bad_request"),
        (b"DELETE", b"/nothing", 405, "bad_request"),
    ],
)
def test_what_is_not_there_or_not_for_writing(kind: str, method: bytes, target: bytes, status: int, code: str) -> None:
    asked = ask(kind, method, target)
    assert (asked.status, asked.error) == (status, code)


def test_what_comes_after_the_answer_comes_to_nothing() -> None:
    """A body, and whatever else a client may say of an exchange that is over."""
    asked = ask("memory", b"POST", b"/status", has_body=True)
    exchange = asked.exchange
    exchange.receive_body(b"x")
    exchange.receive_end(())
    for event in ("resume_reply", "abandon", "expire", "shut_down"):
        getattr(exchange, event)()
    exchange.reject_request(None)
    assert asked.status == 405


@each(
    ("fields", "status"),
    [
        ([], 401),
        ([(b"authorization", b"Bearer wrong")], 401),
        ([(b"authorization", b"Basic secret")], 401),
        ([(b"authorization", b"Bearer secret"), (b"authorization", b"Bearer secret")], 401),
        ([(b"authorization", b"bearer secret")], 200),
        ([(b"authorization", b"Bearer secret")], 200),
    ],
)
def test_a_token_is_asked_for(fields: list[tuple[bytes, bytes]], status: int) -> None:
    asked = ask("http1", b"GET", b"/status", host=b"router.example", fields=fields, token="secret")
    assert asked.status == status
    if status == 401:
        assert asked.fields[b"www-authenticate"] == b"Bearer"


@pytest.mark.parametrize("path", [b"/healthz", b"/readyz"])
def test_health_is_for_everybody(path: bytes) -> None:
    assert ask("http1", b"GET", path, host=b"router.example", token="secret").status == 200

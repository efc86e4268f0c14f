"""Who comes without TLS is sent to the same place with it, wherever that is from outside."""

from typing import Any

from tests.support.each import each
from tests.support.memory_client import MemoryConnection
from tests.support.virtual_time import run_virtually
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.forwarding import Forwarding
from zerogate.router.own import OwnExchange
from zerogate.router.redirect import Redirect
from zerogate.settings import RouterSettings
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead


def answer(desk: Desk, client: Any, head: RequestHead, forwarding: Forwarding, request_id: bytes) -> OwnExchange:
    reply = ReplyHead.of(200, [(b"content-length", b"0")]), b""
    return OwnExchange(desk, client, head, request_id, lambda: reply)


def location(host: bytes, *, target: bytes = b"/a?b", port: int = 443, local: bytes = b"192.0.2.1:80") -> bytes:
    head = RequestHead(b"GET", target, target.partition(b"?")[0], host, 1)
    return Redirect(answer, lambda: port)._location(host or local, head, local)


@each(
    ("host", "options", "expected"),
    [
        (b"a.example", {}, b"https://a.example/a?b"),
        (b"a.example", {"port": 8443}, b"https://a.example:8443/a?b"),
        (b"a.example", {"port": 0}, b"https://a.example/a?b"),
        # Ports are mapped from outside, as the client names none and has not come to 80.
        (b"a.example", {"port": 9443, "local": b"192.0.2.1:9000"}, b"https://a.example/a?b"),
        (b"a.example:9000", {"port": 9443, "local": b"192.0.2.1:9000"}, b"https://a.example:9443/a?b"),
        (b"[::1]", {}, b"https://[::1]/a?b"),
        (b"[::1]:9000", {"port": 9443}, b"https://[::1]:9443/a?b"),
        (b"a.example", {"target": b"*"}, b"https://a.example/"),
        (b"", {}, b"https://192.0.2.1/a?b"),
    ],
)
def test_where_to(host: bytes, options: Any, expected: bytes) -> None:
    assert location(host, **options) == expected


def ask(*fields: tuple[bytes, bytes], address: str = "203.0.113.9", **options: Any) -> Any:
    async def main() -> Any:
        desk = Desk(RouterSettings(trust=("10.0.0.0/8",)), Counters(), Redirect(answer, lambda: 443))
        connection = MemoryConnection(desk, address)
        asked = connection.request(b"GET", b"/x", host=b"a.example", fields=fields, **options)
        desk.close()
        return asked

    return run_virtually(main())


def test_plain_requests_are_sent_away() -> None:
    asked = ask()
    assert (asked.status, asked.fields[b"location"]) == (308, b"https://a.example/x")
    assert asked.body == b"308: https://a.example/x\n"


def test_who_has_come_by_tls_to_a_proxy_that_is_trusted_is_where_it_should_be() -> None:
    told = (b"x-forwarded-proto", b"https")
    assert ask(told, address="10.0.0.1").status == 200
    assert ask(told).status == 308
    asked = ask((b"x-forwarded-proto", b"http"), (b"x-forwarded-host", b"b.example"), address="10.0.0.1")
    assert asked.fields[b"location"] == b"https://b.example/x"
    asked = ask((b"x-forwarded-host", b"b, c"), address="10.0.0.1")
    assert asked.fields[b"location"] == b"https://a.example/x"

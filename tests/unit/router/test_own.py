"""Requests that the router answers by itself: the admin port's have more tests of their own (test_admin.py)."""

import time
from typing import Any

from tests.support.bench import Notes
from tests.support.memory_client import MemoryConnection
from tests.support.virtual_time import run_virtually
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.own import OwnExchange
from zerogate.settings import RouterSettings
from zerogate.wire.http.errors import FORBIDDEN, HttpError
from zerogate.wire.http.reply import ReplyHead


def forbid() -> Any:
    raise HttpError(FORBIDDEN)


def answer_with(make: Any) -> Any:
    async def main() -> Any:
        notes: Any = Notes()
        counters = Counters()

        def answer(desk: Desk, client: Any, head: Any, forwarding: Any, request_id: bytes) -> OwnExchange:
            return OwnExchange(desk, client, head, request_id, make)

        desk = Desk(RouterSettings(), counters, answer, notes)
        asked = MemoryConnection(desk).request(b"POST", b"/x", length=7)
        desk.close()
        return asked, counters, notes

    return run_virtually(main())


def test_it_is_counted_and_logged() -> None:
    asked, counters, notes = answer_with(lambda: (ReplyHead.of(200, [(b"content-length", b"2")]), b"ok"))
    assert (asked.status, asked.body) == (200, b"ok")
    assert counters.replies[2] == 1
    (entry,) = notes.entries
    assert (entry.status, entry.error_code, entry.worker_name, entry.retries) == (200, "", "", 0)
    assert entry.arrived <= time.monotonic()


def test_so_is_an_error() -> None:
    asked, counters, notes = answer_with(forbid)
    assert asked.status == 403
    assert counters.replies[4] == 1
    assert notes.entries[0].error_code == "bad_request"

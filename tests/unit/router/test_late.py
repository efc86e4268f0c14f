"""What the router answers by itself, later."""

from collections.abc import Callable
from typing import Any

from tests.support.each import each
from tests.support.fakes import FakeClient, FakeDesk, Notes
from zerogate.router.late import LateExchange
from zerogate.wire.http.errors import BAD_REQUEST, HttpError
from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestHead

GoOn = Callable[[], None]


def asking() -> tuple[LateExchange, Notes, list[GoOn]]:
    notes: Notes = []
    found: list[GoOn] = []
    desk: Any = FakeDesk(notes)
    client: Any = FakeClient(notes)
    return (
        LateExchange(desk, client, RequestHead(), b"id", lambda: (ReplyHead.of(200, []), b"x"), found.append),
        notes,
        found,
    )


def test_it_is_answered_when_the_answer_is_known() -> None:
    exchange, notes, (*found,) = asking()
    exchange.begin()
    assert not notes
    exchange, notes, found = asking()
    exchange.begin()
    (go_on,) = found
    go_on()
    assert notes == ["client.whole 200 x", "desk.note", "client.end"]
    exchange.abandon()
    exchange.shut_down()
    go_on()
    assert len(notes) == 3


@each(
    ("leave", "said"),
    [
        (lambda exchange: exchange.abandon(), ["client.end"]),
        (lambda exchange: exchange.shut_down(), ["client.error 503", "desk.note", "client.end"]),
        (lambda exchange: exchange.break_off(), ["client.cut", "client.end"]),
        (
            lambda exchange: exchange.reject_request(HttpError(BAD_REQUEST, "")),
            ["client.error 400", "desk.note", "client.end"],
        ),
    ],
)
def test_nobody_is_there_any_more(leave: Callable[[LateExchange], None], said: list[str]) -> None:
    exchange, notes, found = asking()
    exchange.begin()
    leave(exchange)
    found[0]()
    assert notes == said

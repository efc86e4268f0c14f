"""A connection, for all inputs: when the input comes, and how it is cut, changes nothing that either side is told."""

from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.http1_events import GET, head_values, octets, with_fields
from tests.http1_strategies import Sent, bodies, cuts, requests

from zerogate.wire.http.reply import ReplyHead
from zerogate.wire.http.request import RequestEnd, RequestHead
from zerogate.wire.http1 import Connection, HttpLimits, Reading, Situation, Writing


class Answer(NamedTuple):
    """How one request is answered: before its body has come, or after it; in pieces, or whole."""

    is_early: bool
    pieces: list[bytes]
    has_length: bool
    is_whole: bool
    close: bool

    def send(self, connection: Connection) -> bytes:
        body = b"".join(self.pieces)
        fields = [(b"content-length", b"%d" % len(body))] if self.has_length else []
        head = ReplyHead.of(200, fields)
        if self.is_whole:
            return connection.send_whole(head, body, date=b"today", close=self.close)
        written = connection.send_head(head, fin=False, date=b"today", close=self.close)
        return written + b"".join(map(connection.send_body, self.pieces)) + connection.send_end([(b"x-sum", b"1")])


answers = st.builds(
    Answer,
    is_early=st.booleans(),
    pieces=st.lists(bodies, max_size=3),
    has_length=st.booleans(),
    is_whole=st.booleans(),
    close=st.sampled_from([False, False, False, True]),
)


def serve(parts: list[bytes], plan: list[Answer], *, eof: bool) -> tuple[list[object], bytes, Situation]:
    """What came of the requests (but for the bodies of those answered early), and what the client was sent."""
    connection = Connection(HttpLimits())
    seen: list[Any] = []
    sent = b""
    n_heads = 0
    for part in [*parts, None] if eof else parts:
        if part is None:
            connection.receive_eof()
        events = connection.receive(part or b"")
        while True:
            for event in events:
                if isinstance(event, RequestHead):
                    seen.append(head_values(event))
                    n_heads += 1
                elif plan[n_heads % len(plan)].is_early:
                    continue
                elif isinstance(event, bytes) and isinstance(seen[-1], bytes):
                    seen[-1] += event
                else:
                    seen.append(event)
            answer = plan[n_heads % len(plan)]
            is_read = answer.is_early or connection.reading is not Reading.BODY
            if connection.writing is Writing.DUE and connection.error is None and is_read:
                sent += answer.send(connection)
            if not (events := connection.next()):
                break
    return seen, sent, connection.situation


tails = st.sampled_from(
    [b"", b"", b"\r\n", b"GET / HT", b"garbage\r\n\r\n", with_fields(b"Connection: close\r\n") + GET]
)


@settings(deadline=None)
@given(
    data=st.data(),
    sent=st.lists(requests(), min_size=1, max_size=4),
    tail=tails,
    plan=st.lists(answers, min_size=1, max_size=4),
    eof=st.booleans(),
)
def test_cuts_change_neither_events_nor_output(
    data: st.DataObject, sent: list[Sent], tail: bytes, plan: list[Answer], eof: bool
) -> None:
    raw = b"".join(request.raw for request in sent) + tail
    one_by_one = serve([*(request.raw for request in sent), tail], plan, eof=eof)
    assert serve([raw], plan, eof=eof) == one_by_one
    assert serve(octets(raw), plan, eof=eof) == one_by_one
    assert serve(data.draw(cuts(raw)), plan, eof=eof) == one_by_one


moves = st.lists(
    st.sampled_from(["receive", "receive", "begin", "piece", "end", "whole", "interim", "next", "hold", "release"]),
    max_size=60,
)
PIECE = b"<piece>"
STREAMED = ReplyHead.of(200, [])
WHOLE = ReplyHead.of(200, [(b"content-length", b"0")])


@settings(deadline=None)
@given(data=st.data(), sent=st.lists(requests(), min_size=1, max_size=5), drawn=moves)
def test_no_request_begins_before_the_reply_to_the_one_before_it_is_complete(
    data: st.DataObject, sent: list[Sent], drawn: list[str]
) -> None:
    connection = Connection(HttpLimits())
    parts = data.draw(cuts(b"".join(request.raw for request in sent)))
    heads: list[RequestHead] = []
    n_replied = 0

    def take(events: list[RequestHead | bytes | RequestEnd]) -> None:
        for event in events:
            if isinstance(event, RequestHead):
                assert n_replied == len(heads)
                heads.append(event)

    def make(move: str) -> None:
        nonlocal n_replied
        if move == "receive" and parts:
            take(connection.receive(parts.pop(0)))
        elif move == "begin" and connection.writing is Writing.DUE:
            assert connection.send_head(STREAMED, fin=False, date=b"", close=False)
        elif move == "piece" and connection.writing is Writing.BODY:
            assert (PIECE in connection.send_body(PIECE)) is (heads[-1].method != b"HEAD")
        elif move == "end" and connection.writing is Writing.BODY:
            assert bool(connection.send_end()) is (heads[-1].method != b"HEAD")
            n_replied += 1
        elif move == "whole" and connection.writing is Writing.DUE:
            assert connection.send_whole(WHOLE, b"", date=b"", close=False)
            n_replied += 1
        elif move == "interim":
            assert bool(connection.send_interim(100)) is (connection.writing is Writing.DUE)
        elif move == "next":
            take(connection.next())
        elif move == "hold":
            connection.hold()
        elif move == "release":
            connection.release()
        assert connection.error is None

    for move in drawn:
        make(move)
    connection.release()
    while parts or connection.has_unread or connection.writing is not Writing.IDLE:
        for move in ("receive", "end", "whole", "next"):
            make(move)
    assert [(head.method, head.target) for head in heads] == [(request.method, request.target) for request in sent]
    assert n_replied == len(sent)
    assert connection.situation is Situation.REQUEST

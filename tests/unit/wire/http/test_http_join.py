"""JOIN: what a worker may say of itself, and what it is told."""

import math

import pytest
from tests.support.each import each

from zerogate.wire.http.join import (
    PULSE_METHOD,
    Join,
    JoinError,
    JoinReply,
    parse_join,
    parse_join_reply,
    parse_pulse,
    pulse_fields,
)
from zerogate.wire.http.routes import Route

JOIN = {b":method": b"JOIN", b":path": b"/", b":version": b"HTTP/1.1", b":host": b"", b":scheme": b"zmq"}


def test_all_that_can_be_said() -> None:
    fields = {**JOIN, b"worker": b"w-1", b"route": b"a.b/c\0*.d\0/e", b"weight": b"250", b"software": b"mine/1"}
    join = parse_join(fields, 128)
    assert join.name == "w-1"
    assert join.routes == [Route("a.b", "/c"), Route("*.d", ""), Route("", "/e")]
    assert (join.weight, join.software) == (250, "mine/1")


def test_a_name_is_enough() -> None:
    assert parse_join({b":method": b"JOIN", b"worker": b"w"}, 1) == Join("w", [Route("", "")])


@each("method", [b"GET", b"join", b"JOIN ", b""])
def test_workers_open_streams_to_join_only(method: bytes) -> None:
    with pytest.raises(JoinError) as caught:
        parse_join({**JOIN, b":method": method, b"worker": b"w"}, 128)
    assert caught.value.status == 405


@each(
    ("field", "value"),
    [("worker", value) for value in (b"", b"a b", b"a/b", b"a\0b", b"\xe9", b"a\n", b"x" * 129)]
    + [("route", value) for value in (b"", b"a b", b"/\0/ ", b"*\0", b"\xe9", b"http://a")]
    + [("weight", value) for value in (b"", b"0", b"1001", b"-1", b"+1", b"1.5", b"1_0", b" 1", b"9" * 5000, b"\xb2")],
)
def test_the_reason_names_the_field(field: str, value: bytes) -> None:
    with pytest.raises(JoinError) as caught:
        parse_join({**JOIN, b"worker": b"w", field.encode(): value}, 128)
    assert caught.value.status == 400
    assert caught.value.reason.startswith(field)
    reply = JoinReply(caught.value.status, reason=caught.value.reason)
    told = reply.fields()
    assert told[b":status"] == b"400"
    assert told[b"reason"].startswith(field.encode())
    assert told[b"reason"].isascii()
    assert len(told[b"reason"]) < 1500
    assert not reply.is_accepted
    assert parse_join_reply(told).status == 400
    assert parse_join_reply(told).reason == told[b"reason"].decode("ascii")


def test_without_a_name() -> None:
    with pytest.raises(JoinError, match="worker"):
        parse_join(JOIN, 128)


@each(("field", "value"), [("worker", b"x" * 128), ("weight", b"1"), ("weight", b"1000")])
def test_at_the_limits(field: str, value: bytes) -> None:
    parse_join({**JOIN, b"worker": b"w", field.encode(): value}, 128)


def test_no_more_routes_than_allowed() -> None:
    fields = {**JOIN, b"worker": b"w", b"route": b"/a\0/b\0/c"}
    assert len(parse_join(fields, 3).routes) == 3
    with pytest.raises(JoinError, match="route: 3 of them, at most 2"):
        parse_join(fields, 2)


def test_software_is_for_people_and_short() -> None:
    join = parse_join({**JOIN, b"worker": b"w", b"software": b"\xff\xfe" + b"x" * 1000}, 128)
    assert len(join.software) == 200


def test_what_is_written_is_read() -> None:
    join = Join("w-1", [Route("a.b", "/c"), Route("*.d", ""), Route("", "/e"), Route("", "")], 250, "mine/1 \xe9")
    assert parse_join(join.fields(), 128) == join
    assert {name: join.fields()[name] for name in JOIN} == JOIN
    assert parse_join(Join("w", [Route("", "")]).fields(), 1) == Join("w", [Route("", "")])


def test_what_the_router_answers() -> None:
    status = {b":status": b"200 OK", b":version": b"HTTP/1.1"}
    assert JoinReply(200, "r").fields() == {**status, b"router": b"r"}
    both = JoinReply(200, "r", ("tcp://a:1", "ipc:///b"))
    more = {b"router": b"r", b"routers": b"tcp://a:1\0ipc:///b"}
    assert both.fields() == {**status, **more}
    assert parse_join_reply(both.fields()) == both
    assert parse_join_reply(JoinReply(200, "r").fields()) == JoinReply(200, "r")
    assert both.is_accepted


@each("status", [b"", b"x", b"2000", b"20", b"\xb2\xb2\xb2"])
def test_an_answer_that_cannot_be_read(status: bytes) -> None:
    assert parse_join_reply({b":status": status}) == JoinReply(0)
    assert parse_join_reply({}) == JoinReply(0)


def test_ids_of_processes() -> None:
    join = Join("w", [Route("", "")], id="0f3a")
    assert join.fields()[b"id"] == b"0f3a"
    assert parse_join(join.fields(), 1) == join
    assert b"id" not in Join("w", [Route("", "")]).fields()
    reply = JoinReply(200, "r", id="77", accepts=("id", "pulse"))
    assert reply.fields()[b"accepts"] == b"id\0pulse"
    assert parse_join_reply(reply.fields()) == reply


def test_several_processes_are_named() -> None:
    reply = JoinReply(200, "r", id="1", processes=("1", "2"))
    assert reply.fields()[b"processes"] == b"1\x002"
    assert parse_join_reply(reply.fields()) == reply


@each("value", [b"", b"a b", b"x" * 65, b"\xe9"])
def test_a_bad_id(value: bytes) -> None:
    for parse in (lambda fields: parse_join(fields, 1), parse_pulse):
        with pytest.raises(JoinError, match=r"^id ") as caught:
            parse({**JOIN, b"worker": b"w", b"id": value})
        assert caught.value.status == 400


def test_a_pulse_says_whose_it_is() -> None:
    fields = pulse_fields("0f3a")
    assert fields[b":method"] == PULSE_METHOD == b"PULSE"
    assert parse_pulse(fields) == "0f3a"
    with pytest.raises(JoinError, match="id"):
        parse_pulse({b":method": PULSE_METHOD})


def test_what_a_worker_wants_for_its_replies() -> None:
    plain = Join("w", [Route("", "")])
    assert not {b"timeout", b"idle-timeout", b"max-body"} & plain.fields().keys()
    join = plain._replace(timeout_s=0.25, idle_timeout_s=math.inf, max_body_bytes=1 << 40)
    fields = join.fields()
    assert (fields[b"timeout"], fields[b"idle-timeout"], fields[b"max-body"]) == (b"0.25", b"off", b"1099511627776")
    assert parse_join(fields, 1) == join
    assert join.wants == ["timeout", "idle-timeout", "max-body"]
    assert plain.wants == []
    assert plain._replace(timeout_s=86_400.0).fields()[b"timeout"] == b"86400"


@each(
    ("field", "value"),
    [
        *(
            (name, value)
            for name in ("timeout", "idle-timeout")
            for value in (b"0", b"-1", b"1e3", b"inf", b"31536001")
        ),
        *(("max-body", value) for value in (b"-1", b"1k", b"off", b"1" * 19)),
    ],
)
def test_what_it_may_not_want(field: str, value: bytes) -> None:
    with pytest.raises(JoinError, match=rf"^{field} ") as caught:
        parse_join({**JOIN, b"worker": b"w", field.encode(): value}, 1)
    assert caught.value.status == 400


@each("field", [(b"label", b"no value"), (b"share", b"200"), (b"sticky", b"header")])
def test_terms_that_are_none(field: tuple[bytes, bytes]) -> None:
    with pytest.raises(JoinError) as caught:
        parse_join({**JOIN, b"worker": b"w", field[0]: field[1]}, 128)
    assert caught.value.status == 400

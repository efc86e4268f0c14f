"""The fields of a request, read where they lie or not."""

from collections.abc import Mapping

import pytest

from tests.support.each import each
from zerogate.errors import SpdyError
from zerogate.native import compiled
from zerogate.wire.spdy.headers import HeaderFieldError, encode_block
from zerogate.worker.request_block import read_request_block

FIELDS = {b":method": b"GET", b":path": b"/", b"x-many": b"1\0002", b"x-empty": b"", b"x": b"y"}


def test_it_is_as_a_dict() -> None:
    fields = read_request_block(encode_block(FIELDS))
    assert isinstance(fields, dict) is not compiled.IS_ON
    assert fields == FIELDS
    assert fields == read_request_block(encode_block(FIELDS))
    assert fields != {}
    assert list(fields) == list(fields.keys()) == list(FIELDS)
    assert list(fields.values()) == list(FIELDS.values())
    assert dict(fields.items()) == FIELDS
    assert dict(fields) == FIELDS
    assert len(fields) == len(FIELDS)
    assert "GET" in repr(fields)


def test_what_is_there_and_what_is_not() -> None:
    fields = read_request_block(encode_block(FIELDS))
    for name, value in FIELDS.items():
        assert name in fields
        assert fields[name] == fields.get(name) == value
    for name in (b"", b"X", b"xx", b"x-man", b":metho", b"GET", b"x-manyy"):
        assert name not in fields
        assert fields.get(name) is None
        assert fields.get(name, b"other") == b"other"
        with pytest.raises(KeyError):
            fields[name]
    assert "x" not in fields


def test_an_empty_block() -> None:
    fields: Mapping[bytes, bytes] = read_request_block(encode_block({}))
    assert len(fields) == 0
    assert b"x" not in fields
    assert dict(fields) == {}


@each("fields", [{b"y" * 65: b"1"}, {b"x": b"1" * 60_000}, {b"x-%d" % n: b"" for n in range(2000)}])
def test_what_is_large(fields: dict[bytes, bytes]) -> None:
    assert read_request_block(encode_block(fields)) == fields


def test_what_is_no_block_is_none() -> None:
    with pytest.raises(SpdyError):
        read_request_block(b"\0\0\0\1")
    for wrong in (b"\n", b"\0", b"a\0", b"a\0\0b"):
        with pytest.raises(HeaderFieldError):
            read_request_block(encode_block({b"x": wrong}))

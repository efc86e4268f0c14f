import pytest
from tests.spdy_peer import raw_block

from zerogate.wire.spdy import known_blocks
from zerogate.wire.spdy.headers import HeaderBlockError, HeaderFieldError
from zerogate.wire.spdy.known_blocks import MAX_BLOCKS, MAX_KNOWN_BYTES, decode_known

REQUEST = {b":method": b"GET", b"accept": b"*/*"}


@pytest.fixture(autouse=True)
def nothing_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_blocks, "_whole_blocks", {})
    monkeypatch.setattr(known_blocks, "_beginnings", {})


def test_a_block_seen_before_is_the_same_object() -> None:
    fields = decode_known(raw_block(REQUEST))
    assert fields == REQUEST
    assert (fields.base, fields.note) == (None, None)
    assert decode_known(raw_block(REQUEST)) is fields


def test_requests_that_differ_in_their_id_share_the_rest() -> None:
    first = decode_known(raw_block(REQUEST | {b"x-request-id": b"1"}))
    second = decode_known(raw_block(REQUEST | {b"x-request-id": b"22"}))
    assert first == REQUEST | {b"x-request-id": b"1"}
    assert second == REQUEST | {b"x-request-id": b"22"}
    assert list(second) == [*REQUEST, b"x-request-id"]
    assert first.base is second.base
    assert second.base == REQUEST


@pytest.mark.parametrize("request_id", [b"", b"a b", b"\x01", b"x" * 129])
def test_ids_that_are_unlike_one_are_decoded(request_id: bytes) -> None:
    raw = raw_block(REQUEST | {b"x-request-id": request_id})
    if request_id == b"\x01":
        with pytest.raises(HeaderFieldError):
            decode_known(raw)
    else:
        assert decode_known(raw) == REQUEST | {b"x-request-id": request_id}


@pytest.mark.parametrize("after", [{}, {b"x": b""}, {b"a": b"b"}, {b"x-request-id": b"1"}])
def test_a_value_that_is_the_name_of_the_id_is_none(after: dict[bytes, bytes]) -> None:
    """It stands behind the same four octets of length as the name would."""
    fields = REQUEST | {b"vary": b"x-request-id"} | after
    for _ in range(2):
        assert decode_known(raw_block(fields)) == fields


def test_a_known_beginning_is_no_whole_block_and_the_other_way_round() -> None:
    whole = raw_block(REQUEST | {b"x-request-id": b"1"})
    decode_known(whole)
    with pytest.raises(HeaderBlockError):
        decode_known(whole[: -len(raw_block({b"x-request-id": b"1"})) + 4])
    decode_known(raw_block(REQUEST))
    with pytest.raises(HeaderBlockError):
        decode_known(raw_block(REQUEST) + raw_block({b"x-request-id": b"1"})[4:])


def test_a_known_beginning_with_a_wrong_length_behind_it() -> None:
    whole = raw_block(REQUEST | {b"x-request-id": b"1"})
    decode_known(whole)
    for raw in (whole + b"2", whole[:-1] + b"", whole[:-2] + b"\2" + whole[-1:]):
        with pytest.raises(HeaderBlockError):
            decode_known(raw)


def test_bad_blocks_are_not_kept() -> None:
    for raw in (raw_block({b"Upper": b"v"}), raw_block({b"accept": b"\n", b"x-request-id": b"1"})):
        for _ in range(2):
            with pytest.raises(HeaderFieldError):
                decode_known(raw)
    assert not known_blocks._whole_blocks
    assert not known_blocks._beginnings


def test_what_is_kept_is_bounded_in_number_and_size() -> None:
    for number in range(3 * MAX_BLOCKS):
        decode_known(raw_block({b":path": b"/%d" % number}))
        decode_known(raw_block({b":path": b"/%d" % number, b"x-request-id": b"1"}))
        assert len(known_blocks._whole_blocks) <= MAX_BLOCKS
        assert len(known_blocks._beginnings) <= MAX_BLOCKS
    kept = len(known_blocks._whole_blocks), len(known_blocks._beginnings)
    large = {b"cookie": b"c" * MAX_KNOWN_BYTES}
    assert decode_known(raw_block(large)) == large
    assert decode_known(raw_block(large | {b"x-request-id": b"1"})) == large | {b"x-request-id": b"1"}
    assert (len(known_blocks._whole_blocks), len(known_blocks._beginnings)) == kept

"""HTTP/1 requests, good and bad, each with what RFC 9110, 9112 and others want done with it (tests/data)."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.http1_events import MAX_OCTETS, Read, fragments, octets, read
from tests.support.each import each

GOOD = b"GET /good HTTP/1.1\r\nHost: localhost\r\n\r\n"

CASES: list[dict[str, Any]] = [
    json.loads(line) for line in (Path(__file__).parent.parent / "data" / "h1_cases.jsonl").read_text().splitlines()
]

# Accepted by the reader, which does not know the end of an unfinished body from the middle: `close` is kept by not
# taking the request for complete.
UNFINISHED = {"ck-7fff16", "ck-fffffff0"}


def expand(text: str) -> bytes:
    """A character is an octet; `{{REP:x:n}}` is x n times."""
    return re.sub(
        r"\{\{REP:(.):(\d+)\}\}", lambda match: match.group(1) * int(match.group(2)), text, flags=re.DOTALL
    ).encode("latin-1")


def judge(case: dict[str, Any], reading: Read, before: int) -> None:
    """`before`: how many good requests came first."""
    complete = reading.complete
    targets = [head.target for head in complete]
    assert targets[:before] == [b"/good"] * before
    served = len(complete) - before
    assert b"/smuggled" not in targets
    expect = case["expect"]
    most = case.get("max_app_requests", 1)
    assert most is None or served <= most
    if reading.error is not None:
        assert not reading.connection.receive(GOOD)
    if expect == "ok":
        assert reading.error is None or reading.error.status in case["status_in"]
        assert reading.error is not None or most is None or served == most
    elif expect == "reject400":
        assert served == 0
        assert reading.error is not None
        assert reading.error.status in case["status_in"]
    elif expect == "either":
        assert served or reading.error is not None
        assert reading.error is None or reading.error.status in case["status_in"]
    else:
        assert expect == "close"
        assert served == 0
        assert reading.error is not None or case["id"] in UNFINISHED


@each("case", CASES)
def test_alone_behind_a_good_request_and_octet_by_octet(case: dict[str, Any]) -> None:
    raw, eof = expand(case["raw"]), case.get("fin", False)
    alone = read([raw], eof=eof)
    judge(case, alone, 0)
    judge(case, read([GOOD + raw], eof=eof), 1)
    judge(case, read([GOOD, raw], eof=eof), 1)
    assert read(fragments(raw), eof=eof).outcome == alone.outcome


@pytest.mark.slow
@each("case", [case for case in CASES if len(expand(case["raw"])) > MAX_OCTETS])
def test_long_ones_octet_by_octet(case: dict[str, Any]) -> None:
    raw, eof = expand(case["raw"]), case.get("fin", False)
    assert read(octets(raw), eof=eof).outcome == read([raw], eof=eof).outcome


@each("case", [case for case in CASES if case["expect"] == "ok"])
def test_what_is_valid_is_accepted(case: dict[str, Any]) -> None:
    assert read([expand(case["raw"])], eof=case.get("fin", False)).error is None

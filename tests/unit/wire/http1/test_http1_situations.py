"""The table itself; that a connection comes to each of its pairs, and to no other, test_http1_connection.py shows."""

import pytest

from zerogate.wire.http1 import Reading, Situation, Writing
from zerogate.wire.http1.situations import SITUATIONS


def column(writing: Writing) -> list[Situation | None]:
    return [row[writing] for row in SITUATIONS]


def test_every_pair_has_a_place_and_every_situation_a_pair() -> None:
    assert [len(row) for row in SITUATIONS] == [len(Writing)] * len(Reading)
    assert {situation for row in SITUATIONS for situation in row} == {*Situation, None}
    # They are looked up by number.
    assert [*Reading] == [*range(len(Reading))]
    assert [*Writing] == [*range(len(Writing))]


def test_what_was_cut_is_gone() -> None:
    assert set(column(Writing.CLOSED)) == {Situation.GONE}


@pytest.mark.parametrize("writing", [Writing.DUE, Writing.BODY])
def test_a_request_in_progress_is_replied_to_or_fails(writing: Writing) -> None:
    assert set(column(writing)) <= {Situation.REPLY, Situation.TELL, Situation.CUT, None}


def test_a_fault_is_told_once_and_only_before_a_reply() -> None:
    assert SITUATIONS[Reading.FAILED][: Writing.TUNNEL] == (Situation.TELL, Situation.TELL, Situation.CUT)
    assert SITUATIONS[Reading.FAILED][Writing.LAST] is Situation.LINGER


def test_only_a_client_that_sends_no_more_lets_a_connection_close() -> None:
    closing = [Reading(index) for index, row in enumerate(SITUATIONS) if Situation.CLOSE in row]
    assert closing == [Reading.ENDED]

"""A process's place among several."""

from zerogate.router.seat import Seat


def test_numbers() -> None:
    assert Seat("a").number == 0
    assert [Seat(each, ("a", "b")).number for each in "ab"] == [1, 2]

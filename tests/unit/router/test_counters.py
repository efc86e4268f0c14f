"""What is counted, and what it starts from."""

from zerogate.router.counters import Counters


def test_all_begin_at_nothing() -> None:
    counters = Counters().as_dict()
    assert counters.pop("replies") == {"1": 0, "2": 0, "3": 0, "4": 0, "5": 0}
    assert counters.pop("errors") == {}
    assert set(counters.values()) == {0}
    assert len(counters) == 16


def test_errors_are_counted_by_their_code() -> None:
    counters, others = Counters(), Counters()
    for code in ("timeout", "no_route", "timeout"):
        counters.count_error(code)
    assert counters.errors == {"timeout": 2, "no_route": 1}
    assert others.errors == {}

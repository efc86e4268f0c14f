"""How slow a client may be."""

import math

from hypothesis import given
from hypothesis import strategies as st

from zerogate.router.exchange.pace import GRACE_S, Pace


def test_at_first_everybody_has_the_grace() -> None:
    assert Pace(500, 60.0, 100.0).late_at == 100.0 + GRACE_S


def test_silence_may_be_shorter_than_the_grace() -> None:
    assert Pace(500, 3.0, 100.0).late_at == 103.0


def test_each_byte_buys_time_at_the_rate() -> None:
    pace = Pace(500, 60.0, 100.0)
    pace.receive(1000, 101.0)
    assert pace.late_at == 100.0 + GRACE_S + 2.0
    pace.receive(1, 101.5)
    assert pace.late_at == 100.0 + GRACE_S + 2.0 + 1 / 500


def test_nobody_buys_more_than_silence_may_last() -> None:
    pace = Pace(500, 60.0, 100.0)
    pace.receive(1 << 30, 101.0)
    assert pace.late_at == 161.0


def test_without_a_rate_only_silence_counts() -> None:
    pace = Pace(0, 60.0, 100.0)
    assert pace.late_at == 160.0
    pace.receive(1, 150.0)
    assert pace.late_at == 210.0


def test_silence_may_last_for_ever() -> None:
    pace = Pace(500, math.inf, 100.0)
    assert pace.late_at == 110.0
    pace.receive(5000, 101.0)
    assert pace.late_at == 120.0
    pace = Pace(0, math.inf, 100.0)
    pace.receive(1, 101.0)
    assert pace.late_at == math.inf


def test_a_new_beginning_has_a_grace_of_its_own() -> None:
    pace = Pace(500, 60.0, 100.0)
    pace.receive(1, 109.0)
    pace.restart(200.0)
    assert pace.late_at == 200.0 + GRACE_S


@given(st.lists(st.tuples(st.floats(0.01, 20.0), st.integers(1, 100_000)), max_size=50))
def test_who_keeps_to_the_rate_is_never_late_and_who_does_not_is(pieces: list[tuple[float, int]]) -> None:
    pace, now, sent = Pace(500, 60.0, 0.0), 0.0, 0
    for pause, n_bytes in pieces:
        now += pause
        assert (now < pace.late_at) == (now < GRACE_S + sent / 500) or abs(now - pace.late_at) < 1e-6
        pace.receive(n_bytes, now)
        sent += n_bytes
        assert pace.late_at <= now + 60.0

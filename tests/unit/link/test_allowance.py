"""So many at once, and so many each second."""

from zerogate.link.allowance import Allowance


def test_a_burst_and_then_a_rate() -> None:
    allowance = Allowance(3, 2.0, 100.0)
    assert [allowance.spend(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert [allowance.spend(100.5) for _ in range(2)] == [True, False]
    assert [allowance.spend(200.0) for _ in range(5)] == [True, True, True, False, False]

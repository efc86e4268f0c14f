"""How a service is, in words."""

from zerogate.condition import Condition


def test_in_words() -> None:
    assert str(Condition("worker", "w", True, "has joined router r")) == "worker w has joined router r"

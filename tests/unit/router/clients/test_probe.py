"""A client is asked again and again whether it is there, less and less often, and not for ever."""

from tests.support.fakes import FakeTimers
from zerogate.router.clients.probe import PROBES_S, probe


def test_as_often_as_it_says() -> None:
    timers = FakeTimers()
    began = timers.time()
    asked: list[float] = []

    def ask() -> bool:
        asked.append(timers.time() - began)
        return True

    probe(ask, timers)
    timers.wind(2 * sum(PROBES_S))
    assert len(asked) == 1 + len(PROBES_S)
    for number, at in enumerate(asked):
        assert abs(at - sum(PROBES_S[:number])) < 0.001


def test_not_once_there_is_nothing_to_ask() -> None:
    timers = FakeTimers()
    answers = [True, False]
    probe(lambda: answers.pop(0), timers)
    timers.wind(2 * sum(PROBES_S))
    assert answers == []

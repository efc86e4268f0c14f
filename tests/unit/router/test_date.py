"""The Date field's value."""

import re
import time
from email.utils import parsedate_to_datetime

import pytest

from tests.support.fakes import FakeTimers
from zerogate.router import date
from zerogate.router.date import HttpDate


def test_it_is_now_as_http_writes_it() -> None:
    """RFC 9110, 5.6.7: IMF-fixdate."""
    made = HttpDate(FakeTimers())
    assert re.fullmatch(rb"(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT", made.value)
    assert abs(parsedate_to_datetime(made.value.decode()).timestamp() - time.time()) < 60


def test_it_is_made_anew_once_a_second_until_it_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    dates = iter(f"date {number}" for number in range(100))
    monkeypatch.setattr(date, "formatdate", lambda usegmt: next(dates))
    timers = FakeTimers()
    made = HttpDate(timers)
    assert made.value == b"date 0"
    timers.wind(0.9)
    assert made.value == b"date 0"
    timers.wind(0.2)
    assert made.value == b"date 1"
    timers.wind(10.0)
    assert made.value == b"date 11"
    made.close()
    timers.wind(10.0)
    assert made.value == b"date 11"
    assert timers.n_waiting == 0

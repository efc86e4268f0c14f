"""What a worker can set."""

import os

import pytest

from zerogate.errors import UsageError
from zerogate.settings import DialSettings, ServeSettings
from zerogate.settings.worker import MAX_WEIGHT, n_cores
from zerogate.wire.http import join


def test_the_longest_wait_is_no_shorter_than_the_shortest() -> None:
    assert DialSettings(redial_min=1.0, redial_max=1.0).redial_max == 1.0
    with pytest.raises(UsageError, match=r"^--redial-max 500ms: at least --redial-min 1s$"):
        DialSettings(redial_min=1.0, redial_max=0.5)


def test_weights_are_those_that_a_router_takes() -> None:
    assert join.MAX_WEIGHT == MAX_WEIGHT
    assert ServeSettings(weight=MAX_WEIGHT).weight == MAX_WEIGHT


def test_cores_are_those_that_one_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert n_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_cores() == 1

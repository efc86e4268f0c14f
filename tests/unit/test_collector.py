"""The garbage collector while requests are served."""

import gc
from types import ModuleType

import pytest

from zerogate import collector
from zerogate.collector import GC_THRESHOLD, IS_TUNABLE, restored_collector, tune_collector

tunable = pytest.mark.skipif(not IS_TUNABLE, reason="there is nothing to set")


@tunable
def test_it_collects_less_and_is_as_it_was_afterwards() -> None:
    before = gc.get_threshold()
    assert before[0] < GC_THRESHOLD
    with restored_collector():
        tune_collector()
        assert gc.get_threshold()[0] == GC_THRESHOLD
        assert gc.get_freeze_count()
    assert gc.get_threshold() == before
    assert not gc.get_freeze_count()


def test_an_interpreter_where_nothing_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    bare = ModuleType("gc")
    vars(bare)["collect"] = lambda: 0
    monkeypatch.setattr(collector, "gc", bare)
    monkeypatch.setattr(collector, "IS_TUNABLE", False)
    with restored_collector():
        tune_collector()

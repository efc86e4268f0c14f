"""How many processes a machine has work for."""

import os

import pytest

from zerogate.settings import cores
from zerogate.settings.cores import n_cores, n_router_processes


def test_cores_are_those_that_one_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    assert n_cores() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert n_cores() == 1


@pytest.mark.parametrize(
    ("n", "processes"), [(1, 1), (2, 1), (3, 1), (4, 2), (7, 2), (8, 2), (11, 2), (12, 3), (16, 4), (64, 16)]
)
def test_router_processes_are_by_the_cores(n: int, processes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cores, "n_cores", lambda: n)
    assert n_router_processes() == processes

"""Turns by shorter ways: whoever is picked, and when, is who the careful Python would pick."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.support.fakes import FakeLink

from zerogate.router.turns import CarefulTurns, Turns
from zerogate.router.workers import Away, Worker


def play(turns: Any, steps: list[tuple[int, int]]) -> list[str]:
    """Each step and what came of it. Workers come and go, are full, slow, heavy or away."""
    workers: list[Worker] = []
    seen = []
    for what, which in steps:
        worker = workers[which % len(workers)] if workers else None
        if what == 0 or worker is None:
            link: Any = FakeLink()
            worker = Worker(link, 1 + which % 3, 0.0, f"p{len(workers) % 3}")
            worker.set_name(f"w{len(workers)}")
            worker.serial = len(workers)
            worker.rank = (worker.name, worker.serial)
            worker.set_weight(50 * (1 + which % 4))
            workers.append(worker)
            turns.add(worker)
        elif what == 1 and worker.in_flight:
            worker.free_slot()
            worker.offer()
        elif what == 2:
            worker.set_away(Away.SUSPECT, not worker.away)
            worker.offer()
        elif what == 3 and worker.serial in turns.members:
            turns.remove(worker)
        elif what == 4:
            picked = turns.pick((f"p{which % 3}",), (f"p{which % 2}",))
            seen.append(picked.name if picked else "nobody")
        else:
            picked = turns.pick()
            seen.append(picked.name if picked else "nobody")
        seen.append(" ".join(f"{each.in_flight}{each.has_room:d}" for each in workers))
    return seen


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 60)), max_size=60))
def test_both_pick_the_same(steps: list[tuple[int, int]]) -> None:
    assert play(Turns(), steps) == play(CarefulTurns(), steps)

"""Workers that fail are passed over for a while: how many at once, and for how long."""

from tests.support.each import each
from tests.support.fakes import FakeTimers, make_worker
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.rests import REST_HALF_LIFE_S
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.routes import parse_route


class Ward:
    """A dispatcher, and workers of it that fail on demand."""

    def __init__(self, n_workers: int, rest: float = 30.0) -> None:
        self.timers = FakeTimers()
        self.dispatcher = Dispatcher(RouterSettings(max_failures=2, rest=rest), Counters(), self.timers)
        self.workers = [make_worker(f"w{number}") for number in range(n_workers)]
        for worker in self.workers:
            self.dispatcher.join(worker, [parse_route("*")])

    def fail(self, worker: Worker) -> None:
        for _ in range(2):
            self.dispatcher.blame(worker)

    @property
    def n_resting(self) -> int:
        return sum(Away.RESTING in worker.away for worker in self.workers)

    def rest_s(self, worker: Worker) -> float:
        """How long a worker that fails now is passed over."""
        began = self.timers.time()
        self.fail(worker)
        assert Away.RESTING in worker.away
        while Away.RESTING in worker.away:
            self.timers.wind(1.0)
        return self.timers.time() - began


@each(("n_workers", "n_resting"), [(1, 0), (2, 1), (3, 1), (4, 2), (9, 4)])
def test_a_request_that_fails_everywhere_takes_half_a_pool_at_most(n_workers: int, n_resting: int) -> None:
    ward = Ward(n_workers)
    for _ in range(3):
        for worker in ward.workers:
            ward.fail(worker)
    assert ward.n_resting == n_resting
    ward.timers.wind(10 * 30.0)
    assert ward.n_resting == 0


def test_half_of_each_pool() -> None:
    """Of a worker that serves two routes both must be able to do without it."""
    ward = Ward(4)
    lonely = ward.workers[0]
    ward.dispatcher.join(lonely, [parse_route("*"), parse_route("/only")])
    ward.fail(lonely)
    assert not lonely.away


def test_when_others_leave_those_that_rest_are_needed() -> None:
    ward = Ward(4)
    for worker in ward.workers[:2]:
        ward.fail(worker)
    ward.dispatcher.leave(ward.workers[3])
    assert ward.n_resting == 1
    ward.dispatcher.leave(ward.workers[2])
    assert [bool(worker.away) for worker in ward.workers] in ([True, False, True, True], [False, True, True, True])


def test_when_no_other_is_awake_all_are_needed() -> None:
    ward = Ward(4)
    for worker in ward.workers[:2]:
        ward.fail(worker)
    for worker in ward.workers[2:]:
        worker.set_away(Away.SUSPECT, True)
        ward.dispatcher.reconsider(worker)
    assert ward.n_resting == 0


def test_each_rest_is_longer_and_old_ones_are_forgotten() -> None:
    ward = Ward(2)
    bad = ward.workers[0]
    assert [ward.rest_s(bad) for _ in range(3)] == [30, 60, 90]
    assert ward.rest_s(bad) == 120
    ward.timers.wind(20 * REST_HALF_LIFE_S)
    assert ward.rest_s(bad) == 30

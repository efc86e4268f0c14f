"""For how long a client waits for its worker: each as long as it should, and none costs more than its place."""

from tests.support.fakes import FakeTimers, FakeWaiting, make_worker
from zerogate.router.patience import Patience
from zerogate.router.pool import Pool
from zerogate.router.queue import Queue
from zerogate.router.waiting import Waiting
from zerogate.wire.http.routes import Route
from zerogate.wire.http.terms import make_terms


class Scene:
    """A line of one worker, and who has waited in it for long enough."""

    def __init__(self, seconds: float = 10.0) -> None:
        self.timers = FakeTimers()
        self.over: list[Waiting] = []
        self.patience = Patience(seconds, self.timers, self.over.extend)
        pool = Pool(Route("", ""), Queue(1000, 1000000))
        self.line = pool.add_line(make_worker("a", pool, terms=make_terms([], None, "cookie")))

    def wait(self, longest_s: float = 100.0) -> FakeWaiting:
        request = FakeWaiting()
        request.wait_until = self.timers.time() + longest_s
        assert self.line.queue.push(request)
        self.patience.begin(self.line, request)
        return request


def test_each_waits_as_long_as_it_should() -> None:
    scene = Scene()
    first = scene.wait()
    scene.timers.wind(4.0)
    second, third = scene.wait(), scene.wait()
    scene.timers.wind(5.9)
    assert scene.over == []
    assert repr(scene.patience) == "<Patience of 10 s with 1 lines>"
    scene.timers.wind(0.2)
    assert scene.over == [first]
    scene.timers.wind(3.8)
    assert scene.over == [first]
    scene.timers.wind(0.2)
    assert scene.over == [first, second, third]
    assert scene.timers.n_waiting == 0
    late = scene.wait()
    scene.timers.wind(10.0)
    assert scene.over[-1] is late


def test_nobody_waits_longer_than_for_anybody() -> None:
    scene = Scene()
    hurried = scene.wait(3.0)
    scene.timers.wind(3.0)
    assert scene.over == [hurried]


def test_who_leaves_sooner_has_cost_no_timer() -> None:
    """Clients that ask and leave again are many within a minute."""
    scene = Scene()
    for _ in range(100):
        scene.line.queue.remove(scene.wait())
    assert scene.timers.n_waiting == 1
    scene.timers.wind(9.0)
    stays = scene.wait()
    scene.timers.wind(9.9)
    assert scene.over == []
    scene.timers.wind(0.1)
    assert scene.over == [stays]
    scene.line.queue.remove(scene.wait())
    scene.timers.wind(10.0)
    assert (scene.over, scene.timers.n_waiting) == ([stays], 0)

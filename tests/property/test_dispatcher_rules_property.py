"""The dispatcher with shares and clients that come back: whatever happens in whatever order, nobody is forgotten."""

from collections.abc import Callable
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fakes import FakeTimers, FakeWaiting, make_worker

from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import Terms, make_terms

ROUTES = [parse_route(text) for text in ("*", "/a", "h/a")]
N_STEPS = 100
MAX_WORKERS = 6


class Story:
    """What happens to one dispatcher, as the dice fall."""

    def __init__(self, dice: Random) -> None:
        self.dice = dice
        self.timers = FakeTimers()
        limits = RouterSettings(
            sticky_wait=dice.choice([0.0, 1.0, 60.0]), queue_size=dice.choice([0, 3, 50]), hold=dice.choice([0.0, 5.0])
        )
        self.dispatcher = Dispatcher(limits, Counters(), self.timers)
        self.workers: list[Worker] = []
        self.requests: list[FakeWaiting] = []
        self.n_joined = 0

    def step(self) -> None:
        events: list[tuple[int, Callable[[], object], object]] = [
            (12, self.join, len(self.workers) < MAX_WORKERS),
            (5, self.leave, self.workers),
            (6, self.join_again, self.workers),
            (7, self.go_away_or_return, self.workers),
            (4, self.pause, self.workers),
            (4, self.blame, self.workers),
            (32, self.ask, True),
            (20, self.answer, any(request.worker for request in self.requests)),
            (4, self.withdraw, any(request.queue is not None for request in self.requests)),
            (6, self.wait, True),
        ]
        possible = [(weight, event) for weight, event, can_be in events if can_be]
        (event,) = self.dice.choices([event for _, event in possible], [weight for weight, _ in possible])
        event()
        self.requests = [request for request in self.requests if not request.error]

    def terms(self) -> Terms:
        return make_terms(
            self.dice.choice([[], ["v=1"], ["v=2"]]),
            self.dice.choice([None, None, 5.0, 50.0, 100.0]),
            self.dice.choice(["", "", "cookie", "client", "header:x"]),
        )

    def some_routes(self) -> list[object]:
        return self.dice.sample(ROUTES, self.dice.randint(1, len(ROUTES)))

    def join(self) -> None:
        self.n_joined += 1
        worker = make_worker(
            f"w{self.n_joined}",
            capacity=self.dice.choice([0, 1, 2, 5]),
            process_id=f"p{self.n_joined % 4}",
            terms=self.terms(),
        )
        self.dispatcher.join(worker, self.some_routes())  # type: ignore[arg-type]
        self.workers.append(worker)

    def leave(self) -> None:
        worker = self.workers.pop(self.dice.randrange(len(self.workers)))
        self.dispatcher.leave(worker)
        for request in [request for request in self.requests if request.worker is worker]:
            request.worker = None
            worker.free_slot()
            request.tried |= {worker.process_id}
            if self.dice.random() < 0.3:
                request.shunned |= {worker.process_id}
            self.dispatcher.submit(request)

    def join_again(self) -> None:
        worker = self.dice.choice(self.workers)
        worker.set_name(worker.name, self.terms())
        self.dispatcher.join(worker, self.some_routes())  # type: ignore[arg-type]

    def go_away_or_return(self) -> None:
        worker, away = self.dice.choice(self.workers), self.dice.choice([Away.SUSPECT, Away.RESTING])
        worker.set_away(away, away not in worker.away)
        self.dispatcher.reconsider(worker)

    def pause(self) -> None:
        self.dispatcher.pause(self.dice.choice(self.workers))

    def blame(self) -> None:
        self.dispatcher.blame(self.dice.choice(self.workers))

    def ask(self) -> None:
        request = FakeWaiting(
            self.dice.choice([b"/", b"/a", b"/a/b"]), self.dice.choice([b"h", b"g"]), arrived=self.timers.time()
        )
        request.client_address = self.dice.choice("1234")
        request.head.fields = [(b"x", self.dice.choice([b"1", b"2"]))]
        if cookies := [each.cookie for each in self.requests if each.cookie]:
            cookie = self.dice.choice(cookies)
            request.head.fields.append((b"cookie", cookie.name + b"=" + cookie.value))
        self.dispatcher.submit(request)
        self.requests.append(request)

    def answer(self) -> None:
        request = self.dice.choice([request for request in self.requests if request.worker])
        worker, request.worker = request.worker, None
        assert worker is not None
        self.requests.remove(request)
        self.dispatcher.free_slot(worker)

    def withdraw(self) -> None:
        request = self.dice.choice([request for request in self.requests if request.queue is not None])
        self.dispatcher.withdraw(request)
        self.requests.remove(request)

    def wait(self) -> None:
        self.timers.wind(self.dice.choice([0.05, 0.5, 2.0]))

    def check(self) -> None:
        queues = [self.dispatcher.lobby]
        for pool in self.dispatcher.routes.values():
            lines = pool.lines.values()
            queues += [pool.queue, *(line.queue for line in lines)]
            members = pool.members if pool.has_rules else pool.workers
            for worker in members.values():
                takes_one = any(worker.process_id not in each.shunned for each in pool.queue.waiting)
                assert not (worker.has_room and takes_one), "it is idle, and somebody waits whom it may have"
        for request in self.requests:
            assert request.worker is not None or any(request.queue is queue for queue in queues), "it is forgotten"
        for worker in self.workers:
            assert worker.in_flight == sum(request.worker is worker for request in self.requests)


@settings(max_examples=settings().max_examples * 2)
@given(st.integers(0, 2**32))
def test_nobody_is_forgotten_and_nobody_idle(seed: int) -> None:
    story = Story(Random(seed))
    for _ in range(N_STEPS):
        story.step()
        story.check()

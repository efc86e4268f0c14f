"""Clients that come back: to whom, for how long it is waited for, and what a cookie can and cannot do."""

import collections
import weakref
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from tests.support.each import each
from tests.support.fakes import FakeTimers, FakeWaiting, make_worker
from zerogate.router.counters import Counters
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.workers import Away, Worker
from zerogate.settings import RouterSettings
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import make_terms


class Site:
    """A router's dispatcher, and clients that keep their cookies."""

    def __init__(self, sticky: str = "cookie", **options: Any) -> None:
        self.sticky = sticky
        self.timers = FakeTimers()
        self.dispatcher = Dispatcher(RouterSettings(**options), Counters(), self.timers)
        self.cookies: dict[str, bytes] = {}

    def join(
        self, name: str, *routes: str, capacity: int = 100, share: float | None = None, weight: int = 100
    ) -> Worker:
        terms = make_terms([], share, self.sticky)
        worker = make_worker(name, capacity=capacity, weight=weight, process_id=f"id-{name}", terms=terms)
        self.dispatcher.join(worker, [parse_route(route) for route in routes or ("*",)])
        return worker

    def ask(self, client: str = "", path: bytes = b"/", **fields: bytes) -> FakeWaiting:
        request = FakeWaiting(path)
        request.client_address = client
        request.head.fields = [(name.encode().replace(b"_", b"-"), value) for name, value in fields.items()]
        if client in self.cookies:
            request.head.fields += [(b"cookie", self.cookies[client])]
        self.dispatcher.submit(request)
        return request

    def learn(self, client: str, request: FakeWaiting) -> None:
        """What the client hears with its reply."""
        if request.cookie is not None:
            self.cookies[client] = request.cookie.text(b"", is_secure=False).partition(b";")[0]

    def name_of(self, client: str, **options: Any) -> str:
        """Who serves a request of this client, at once."""
        request = self.ask(client, **options)
        self.learn(client, request)
        assert request.worker is not None
        worker, request.worker = request.worker, None
        self.dispatcher.free_slot(worker)
        return worker.name


def test_a_client_comes_back() -> None:
    site = Site()
    for name in "abc":
        site.join(name)
    first = {client: site.name_of(client) for client in "123456"}
    assert set(first.values()) == set("abc")
    for _ in range(3):
        assert {client: site.name_of(client) for client in "654321"} == first


def test_it_is_told_once_and_again_when_it_changes() -> None:
    site = Site()
    a = site.join("a")
    request = site.ask("1")
    assert request.cookie is not None
    told = request.cookie.text(b"/outer", is_secure=True)
    assert told.startswith(b"zerogate-")
    assert told.endswith(b"; Path=/outer; HttpOnly; SameSite=Lax; Secure")
    site.learn("1", request)
    assert site.ask("1").cookie is None
    site.join("b")
    site.dispatcher.leave(a)
    again = site.ask("1")
    assert again.cookie is not None
    assert again.cookie.value != request.cookie.value


def test_routers_agree_without_a_word() -> None:
    one, other = Site(), Site()
    for name in "ab":
        one.join(name)
    for name in "ba":
        other.join(name)
    names = {client: one.name_of(client) for client in "1234"}
    other.cookies = one.cookies
    assert {client: other.name_of(client) for client in "4321"} == names


def test_what_is_no_cookie_of_ours_is_none() -> None:
    site = Site()
    for name in "ab":
        site.join(name)
    cookie = site.ask().cookie
    assert cookie is not None
    for value in (b"", b"0" * 16, b"../../../../etc", b"f" * 4096, b"id-a", b'"; x="'):
        request = site.ask(cookie=cookie.name + b"=" + value)
        assert request.worker is not None
        assert request.cookie is not None


@pytest.mark.parametrize("between", [b"; ", b";", b" ;; x=y;\t"])
def test_of_several_cookies_of_its_name_the_one_that_means_somebody_counts(between: bytes) -> None:
    """A page of another host below the same domain may have set one as well, or a proxy's prefix is another now."""
    site = Site()
    for name in "ab":
        site.join(name)
    request = site.ask()
    assert request.cookie is not None
    assert request.worker is not None
    label = request.cookie.name + b"="
    good = label + request.cookie.value
    for others in ([b"0" * 16], [b"f" * 16, b"", b"nonsense", b"0" * 16]):
        stale = between.join(label + other for other in others)
        for values in ([stale + between + good], [good + between + stale], [stale, good]):
            again = FakeWaiting()
            again.head.fields = [(b"cookie", value) for value in values]
            site.dispatcher.submit(again)
            assert again.worker is request.worker
            assert again.cookie is None


def test_a_cookie_is_of_its_route_alone() -> None:
    """Its value, too, means nothing in another route: no client can pick a worker elsewhere by it."""
    site = Site()
    site.join("a", "/a", "/b")
    site.join("c", "/b")
    on_a = site.ask(path=b"/a").cookie
    assert on_a is not None
    on_b = {site.ask(path=b"/b").cookie for _ in range(8)} - {None}
    assert len({each.value for each in on_b if each} | {on_a.value}) == 3
    (name,) = {each.name for each in on_b if each}
    assert name != on_a.name
    for value in (on_a.value, on_a.value.upper()):
        forged = site.ask(path=b"/b", cookie=name + b"=" + value)
        assert forged.cookie is not None
        assert forged.worker is not None


def test_a_full_worker_is_waited_for_and_then_another_takes_over() -> None:
    site = Site(sticky_wait=1.0)
    a = site.join("a", capacity=1)
    held = site.ask("1")
    site.learn("1", held)
    site.join("b")
    request = site.ask("1")
    assert (request.worker, request.waits_s) == (None, [30.0])
    site.timers.wind(0.9)
    assert request.worker is None
    site.timers.wind(0.2)
    assert request.worker is not None
    assert request.worker.name == "b"
    assert request.cookie is not None
    assert a.in_flight == 1
    site.timers.wind(100)


def test_who_waits_for_it_has_it_as_soon_as_it_has_room() -> None:
    site = Site()
    a = site.join("a", capacity=1)
    held = site.ask("1")
    site.learn("1", held)
    site.join("b")
    waiting = [site.ask("1") for _ in range(2)]
    held.worker = None
    site.dispatcher.free_slot(a)
    assert [request.worker for request in waiting] == [a, None]
    assert waiting[0].cookie is None
    site.dispatcher.withdraw(waiting[1])
    site.timers.wind(10)
    assert waiting[1].worker is None


@each("how", ["leave", "silent", "routes", "terms"])
def test_when_it_goes_nobody_waits_for_it(how: str) -> None:
    site = Site()
    a = site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.join("b")
    request = site.ask("1")
    assert request.worker is None
    if how == "leave":
        site.dispatcher.leave(a)
    elif how == "silent":
        a.set_away(Away.SUSPECT, True)
        site.dispatcher.reconsider(a)
    elif how == "routes":
        site.dispatcher.join(a, [parse_route("/elsewhere")])
    else:
        a.set_name("a", make_terms(["v=2"], None, "cookie"))
        site.dispatcher.join(a, [parse_route("*")])
    assert request.worker is not None
    assert request.worker.name == "b"


@each("how", ["leave", "terms", "another"])
def test_who_waits_for_one_is_not_forgotten_when_stickiness_is_another(how: str) -> None:
    site = Site(sticky_wait=60.0)
    a = site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.sticky = "client" if how == "another" else ""
    b = site.join("b", capacity=1)
    c = site.join("c", capacity=3)
    held = site.ask("2")
    assert held.worker is b
    # A cookie for b, who says nothing of cookies itself.
    assert held.cookie is not None
    site.learn("2", held)
    request = site.ask("2")
    assert request.worker is None
    if how == "terms":
        a.set_name("a", make_terms(["v=2"], None, ""))
        site.dispatcher.join(a, [parse_route("*")])
    else:
        site.dispatcher.leave(a)
    assert request.worker is c


def test_who_leaves_while_it_waits_is_not_kept_in_memory() -> None:
    site = Site(sticky_wait=60.0)
    site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.join("b")
    request = site.ask("1")
    assert request.queue is not None
    site.dispatcher.withdraw(request)
    forgotten = weakref.ref(request)
    del request
    assert forgotten() is None


@pytest.mark.parametrize("options", [{"sticky_wait": 0.0}, {"queue_size": 0}])
def test_or_it_is_not_waited_for_at_all(options: dict[str, Any]) -> None:
    site = Site(**options)
    site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.join("b")
    request = site.ask("1")
    assert request.worker is not None
    assert request.worker.name == "b"


def test_who_may_not_wait_for_so_long_goes_to_another_in_time() -> None:
    site = Site(sticky_wait=60.0, queue_timeout=30.0)
    site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.join("b")
    request = site.ask("1")
    assert (request.worker, request.waits_s) == (None, [30.0])
    site.timers.wind(30.0)
    assert request.worker is not None
    assert request.worker.name == "b"


def test_all_who_wait_for_a_route_have_one_bound() -> None:
    """Whether for anybody, or each for its own worker: `--queue-size` and `--queue-bytes` are of the route."""
    site = Site(sticky_wait=1.0, queue_size=4, queue_bytes=65536)
    workers = [site.join(name, capacity=1) for name in "abc"]
    held = [site.ask(client) for client in "123"]
    for client, request in zip("123", held, strict=True):
        site.learn(client, request)
    waiting = [site.ask(client) for client in "123"]
    (pool,) = site.dispatcher.routes.values()
    assert (len(pool.queue), pool.n_waiting) == (0, 3)
    last = site.ask()
    late = site.ask("1")
    assert (last.error, late.error) == ("", "queue_full")
    for request in waiting[:2]:
        site.dispatcher.withdraw(request)
    large = FakeWaiting(size_bytes=65536)
    site.dispatcher.submit(large)
    assert large.error == "queue_full"
    waiting += [site.ask("1"), site.ask("2")]
    assert site.ask("3").error == "queue_full"
    site.timers.wind(2.0)
    assert pool.n_waiting == len(pool.queue) == 4
    for worker, request in zip(workers, held, strict=True):
        request.worker = None
        site.dispatcher.free_slot(worker)
    assert pool.n_waiting == 1
    assert not any(site.ask().error for _ in range(3))
    assert site.ask().error == "queue_full"


def test_all_are_full() -> None:
    """Then it waits as everybody does, and whoever has room first has it."""
    site = Site(sticky_wait=1.0)
    site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    b = site.join("b", capacity=1)
    held = site.ask("2")
    request = site.ask("1")
    site.timers.wind(2)
    assert (request.worker, request.waits_s) == (None, [30.0, 29.0])
    held.worker = None
    site.dispatcher.free_slot(b)
    assert request.worker is b
    assert request.cookie is not None


def test_who_lost_it_does_not_get_it_again() -> None:
    site = Site()
    site.join("a")
    site.learn("1", site.ask("1"))
    site.join("b")
    request = site.ask("1")
    assert request.worker is not None
    lost, request.worker = request.worker, None
    request.tried = frozenset({lost.process_id})
    site.dispatcher.free_slot(lost)
    site.dispatcher.submit(request)
    assert request.worker is not None
    assert request.worker.name == "b"
    assert request.cookie is not None


def test_a_process_that_dials_anew_has_its_clients() -> None:
    site = Site()
    old = site.join("a")
    site.learn("1", site.ask("1"))
    site.join("b")
    new = make_worker("a", process_id="id-a", terms=old.terms)
    site.dispatcher.join(new, [parse_route("*")])
    assert site.ask("1").worker is new
    site.dispatcher.leave(old)
    assert site.ask("1").worker is new


def test_spare_room_is_that_of_the_one_who_is_wanted() -> None:
    site = Site()
    site.join("a", capacity=1)
    site.learn("1", site.ask("1"))
    site.join("b")
    request = FakeWaiting()
    assert site.dispatcher.has_spare_room(request)
    request.head.fields = [(b"cookie", site.cookies["1"])]
    assert not site.dispatcher.has_spare_room(request)


# By a header or an address


@pytest.mark.parametrize("sticky", ["client", "header:x-user"])
def test_each_key_has_its_worker_and_a_join_moves_its_part(sticky: str) -> None:
    site, other = Site(sticky), Site(sticky)
    keys = [f"198.51.{n // 256}.{n % 256}" for n in range(2000)]

    def owners(site: Site) -> dict[str, str]:
        return {key: site.name_of(key, x_user=key.encode()) for key in keys}

    for number in range(9):
        site.join(f"w{number}")
        other.join(f"w{8 - number}")
    before = owners(site)
    assert owners(other) == before
    assert not site.cookies
    counts = collections.Counter(before.values())
    assert len(counts) == 9
    assert max(counts.values()) < 2 * min(counts.values())
    tenth = site.join("w9")
    after = owners(site)
    moved = {key for key in keys if before[key] != after[key]}
    assert {after[key] for key in moved} == {"w9"}
    assert 120 < len(moved) < 280
    site.dispatcher.leave(tenth)
    assert owners(site) == before


def test_a_silent_worker_s_keys_go_to_others_and_come_back() -> None:
    site = Site("client")
    workers = [site.join(name) for name in "abc"]
    keys = [f"10.0.0.{n}" for n in range(100)]
    before = {key: site.name_of(key) for key in keys}
    workers[0].set_away(Away.SUSPECT, True)
    site.dispatcher.reconsider(workers[0])
    between = {key: site.name_of(key) for key in keys}
    assert all(between[key] == before[key] for key in keys if before[key] != "a")
    assert {between[key] for key in keys if before[key] == "a"} == {"b", "c"}
    workers[0].set_away(Away.SUSPECT, False)
    site.dispatcher.reconsider(workers[0])
    assert {key: site.name_of(key) for key in keys} == before


def test_weights_and_shares_count() -> None:
    site = Site("client")
    site.join("heavy", weight=300)
    site.join("light", weight=100)
    site.join("canary", share=20.0)
    counts = collections.Counter(site.name_of(f"10.0.{n // 256}.{n % 256}") for n in range(5000))
    assert counts["canary"] == pytest.approx(1000, rel=0.15)
    assert counts["heavy"] == pytest.approx(3 * counts["light"], rel=0.15)


def test_who_has_no_key_gets_whose_turn_it_is() -> None:
    site = Site("header:x-user")
    for name in "ab":
        site.join(name)
    assert {site.name_of("") for _ in range(4)} == {"a", "b"}
    assert {site.name_of("", x_user=b"") for _ in range(4)} == {"a", "b"}


def test_a_cookie_binds_to_a_canary_and_counts_for_its_share() -> None:
    site = Site()
    site.join("stable")
    site.join("canary", share=10.0)
    names = [site.name_of(str(n % 50)) for n in range(5000)]
    assert names.count("canary") == pytest.approx(500, abs=60)


class Clients(RuleBasedStateMachine):
    """Clients with cookies over random joins, leaves, silences and load: nobody changes its worker without a reason."""

    def __init__(self) -> None:
        super().__init__()
        self.site = Site(sticky_wait=1.0)
        self.workers: list[Worker] = []
        self.held: list[FakeWaiting] = []
        self.asked: list[FakeWaiting] = []
        self.known: dict[str, Worker] = {}
        self.n = 0
        self.join(2)

    @precondition(lambda self: len(self.workers) < 5)
    @rule(capacity=st.integers(1, 3))
    def join(self, capacity: int) -> None:
        self.n += 1
        self.workers.append(self.site.join(f"w{self.n}", capacity=capacity))

    @precondition(lambda self: len(self.workers) > 1)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        self.workers.remove(worker)
        self.site.dispatcher.leave(worker)

    @precondition(lambda self: self.workers)
    @rule(data=st.data(), is_silent=st.booleans())
    def silence(self, data: Any, is_silent: bool) -> None:
        worker = data.draw(st.sampled_from(self.workers))
        worker.set_away(Away.SUSPECT, is_silent)
        self.site.dispatcher.reconsider(worker)

    @rule(client=st.sampled_from("123456"))
    def ask(self, client: str) -> None:
        known = self.known.get(client)
        could = known is not None and known in self.workers and known.has_room
        request = self.site.ask(client)
        self.asked.append(request)
        if could:
            assert request.worker is known
            assert request.cookie is None
        if request.worker is not None:
            if request.worker is not known:
                assert request.cookie is not None
                self.known[client] = request.worker
            self.site.learn(client, request)

    @precondition(lambda self: any(request.worker for request in self.asked))
    @rule(data=st.data())
    def done(self, data: Any) -> None:
        request = data.draw(st.sampled_from([request for request in self.asked if request.worker]))
        self.asked.remove(request)
        worker, request.worker = request.worker, None
        self.site.dispatcher.free_slot(worker)

    @rule(seconds=st.sampled_from([0.5, 1.1]))
    def pass_time(self, seconds: float) -> None:
        self.site.timers.wind(seconds)

    @invariant()
    def nobody_is_forgotten(self) -> None:
        for request in self.asked:
            assert (request.worker is None) == (request.queue is not None), request
        waiting = sum(pool.n_waiting for pool in self.site.dispatcher.routes.values())
        assert waiting == sum(request.queue is not None for request in self.asked)

    @invariant()
    def who_waits_for_all_waits_for_a_reason(self) -> None:
        for pool in self.site.dispatcher.routes.values():
            if pool.queue.waiting:
                assert not any(worker.has_room for worker in pool.workers.values())


Clients.TestCase.settings = settings(max_examples=settings().max_examples)
TestClients = Clients.TestCase


@given(st.binary(max_size=100), st.sampled_from(["cookie", "header:x-user", "client"]))
def test_whatever_a_client_says_it_gets_a_worker_of_its_route(octets: bytes, sticky: str) -> None:
    site = Site(sticky)
    site.join("a", "/a")
    site.join("b", "/b")
    name = site.ask(path=b"/a").cookie
    forged = (name.name + b"=" if name else b"") + octets
    request = site.ask("::1", path=b"/a", cookie=forged, x_user=octets)
    assert request.worker is not None
    assert request.worker.name == "a"

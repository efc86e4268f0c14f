"""Dialling: when the next try is, on virtual time."""

import asyncio
import itertools
import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.virtual_time import VirtualLoop, run_virtually
from zerogate.link import trouble
from zerogate.link.dial import CONNECT_TIMEOUT_S, STEADY_S, Dialler
from zerogate.settings.endpoint import parse_endpoint

MIN, MAX, REFUSED = 0.05, 1.0, 30.0


class Network:
    """Answers each try as `outcome` says, and notes when it was."""

    def __init__(self, outcome: Callable[[], Exception | None], seconds: float = 0.0) -> None:
        self.outcome = outcome
        self.seconds = seconds
        self.tries: list[float] = []
        self.places: list[tuple[Any, ...]] = []

    async def connect(self, make_protocol: Any, *place: Any) -> None:
        self.tries.append(asyncio.get_running_loop().time())
        self.places.append(place)
        await asyncio.sleep(self.seconds)
        error = self.outcome()
        if error is not None:
            raise error

    @property
    def pauses(self) -> list[float]:
        return [later - earlier for earlier, later in itertools.pairwise(self.tries)]


def start(
    network: Network, monkeypatch: pytest.MonkeyPatch, endpoint: str = "tcp://router:8000", *, is_told: bool = True
) -> Dialler:
    monkeypatch.setattr(VirtualLoop, "create_connection", lambda _, *arguments: network.connect(*arguments))
    monkeypatch.setattr(VirtualLoop, "create_unix_connection", lambda _, *arguments: network.connect(*arguments))
    make_link: Any = None
    dialler = Dialler(
        parse_endpoint(endpoint), make_link, redial_min=MIN, redial_max=MAX, redial_refused=REFUSED, is_told=is_told
    )
    dialler.start()
    return dialler


def refuse() -> Exception:
    return ConnectionRefusedError(111, "Connection refused")


@pytest.mark.parametrize(
    ("jitter", "expected"),
    [
        (lambda low, high: high, [0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0]),
        (lambda low, high: low, [MIN] * 7),
        (lambda low, high: (low + high) / 2, [0.05, 0.1, 0.2, 0.4, 0.5, 0.5, 0.5]),
    ],
    ids=["at most", "at least", "between"],
)
def test_longer_and_longer(
    monkeypatch: pytest.MonkeyPatch, jitter: Callable[[float, float], float], expected: list[float]
) -> None:
    async def main() -> None:
        network = Network(refuse)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(10.0)
        dialler.stop()
        assert network.pauses[:7] == pytest.approx(expected)

    monkeypatch.setattr(random, "uniform", jitter)
    run_virtually(main())


def test_for_ever_within_the_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(refuse)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(600.0)
        dialler.stop()
        assert len(network.tries) > 600 / MAX
        assert all(MIN - 1e-6 <= pause <= MAX + 1e-6 for pause in network.pauses)

    run_virtually(main())


def test_nobody_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(refuse, seconds=3600.0)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(60.0)
        dialler.stop()
        assert all(CONNECT_TIMEOUT_S <= pause <= CONNECT_TIMEOUT_S + MAX for pause in network.pauses)
        assert len(network.pauses) >= 9

    run_virtually(main())


def test_no_second_link_beside_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(lambda: None)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(3600.0)
        assert len(network.tries) == 1
        dialler.stop()

    run_virtually(main())


def test_at_once_after_a_steady_link_and_not_after_others(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(lambda: None)
        loop = asyncio.get_running_loop()
        dialler = start(network, monkeypatch)
        for lasted_s, pause in ((STEADY_S, 0.0), (0.0, 0.1), (1.0, 0.2), (59.0, 0.4), (float("inf"), 0.0), (0.0, 0.1)):
            await asyncio.sleep(10.0)
            ended_at = loop.time()
            dialler.dial_again(lasted_s)
            await asyncio.sleep(5.0)
            assert network.tries[-1] - ended_at == pytest.approx(pause)
        dialler.stop()

    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    run_virtually(main())


def test_stopped_amid_a_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(refuse)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(0.01)
        dialler.stop()
        await asyncio.sleep(60.0)
        assert len(network.tries) == 1

    run_virtually(main())


def test_stopped_before_it_started() -> None:
    make_link: Any = None
    Dialler(parse_endpoint("tcp://a:1"), make_link, redial_min=MIN, redial_max=MAX, redial_refused=REFUSED).stop()


@pytest.mark.parametrize(
    ("endpoint", "place"), [("tcp://router:8000", ("router", 8000)), ("ipc:///run/zerogate", ("/run/zerogate",))]
)
def test_where(monkeypatch: pytest.MonkeyPatch, endpoint: str, place: tuple[Any, ...]) -> None:
    async def main() -> None:
        network = Network(lambda: None)
        dialler = start(network, monkeypatch, endpoint)
        await asyncio.sleep(1.0)
        dialler.stop()
        assert network.places == [place]

    run_virtually(main())


def test_said_once_and_in_words(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        dialler = start(Network(refuse), monkeypatch)
        await asyncio.sleep(60.0)
        dialler.stop()

    with caplog.at_level("INFO", trouble.logger.name):
        run_virtually(main())
    told = caplog.messages[0]
    assert told == "no router at tcp://router:8000 yet (Connection refused: nobody listens there): dialling on"
    assert len(caplog.messages) == 1


def test_not_said_by_who_is_started_along_with_its_router(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        dialler = start(Network(refuse), monkeypatch, is_told=False)
        await asyncio.sleep(60.0)
        dialler.stop()

    with caplog.at_level("INFO", trouble.logger.name):
        run_virtually(main())
    assert not caplog.messages


def test_who_will_not_have_us_is_dialled_less_and_less(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(lambda: None)
        dialler = start(network, monkeypatch)
        await asyncio.sleep(0.01)
        for n in range(1, 14):
            dialler.dial_later()
            before = asyncio.get_running_loop().time()
            await asyncio.sleep(REFUSED + 0.01)
            assert network.tries[-1] - before == pytest.approx(min(REFUSED, MIN * 2**n))
        assert len(network.tries) == 14
        # One that has gone meanwhile is found soon when it is back.
        network.outcome = refuse
        dialler.dial_later()
        await asyncio.sleep(REFUSED + 60.0)
        assert len(network.tries) > 60
        dialler.stop()

    monkeypatch.setattr(random, "uniform", lambda low, high: high)
    run_virtually(main())


def test_a_link_that_was_of_use_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        network = Network(lambda: None)
        dialler = start(network, monkeypatch)
        for _ in range(12):
            await asyncio.sleep(REFUSED + 0.01)
            dialler.dial_later()
        await asyncio.sleep(REFUSED + 0.01)
        n_tries = len(network.tries)
        dialler.dial_again(1.0)
        await asyncio.sleep(MAX)
        assert len(network.tries) == n_tries + 1
        dialler.stop()

    run_virtually(main())

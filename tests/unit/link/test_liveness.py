"""How long a peer has been silent: on a clock of the test's own, and of links whose process stood still."""

import asyncio

from tests.support.link_pair import Owner, Pair
from tests.support.virtual_time import run_virtually
from zerogate.link.liveness import Liveness
from zerogate.settings import LinkSettings


def test_silence_is_counted_from_what_was_heard_last() -> None:
    liveness = Liveness(3.0, 100.0)
    liveness.heard = 101.0
    assert liveness.schedule(101.0) == 102.0
    liveness.check(102.0)
    assert (liveness.heard, liveness.alive) == (101.0, 101.0)
    assert liveness.wants_ping(102.0)
    liveness.heard = 101.9
    assert not liveness.wants_ping(102.0)


def test_a_late_check_takes_the_time_for_its_own() -> None:
    liveness = Liveness(3.0, 100.0)
    liveness.schedule(100.0)
    liveness.check(121.0)  # 20 s late, of which 1 s is by chance
    assert liveness.heard == liveness.alive == 119.0


def test_what_was_heard_after_all_is_not_put_into_the_future() -> None:
    liveness = Liveness(3.0, 100.0)
    liveness.schedule(100.0)
    liveness.heard = 121.0
    liveness.check(121.0)
    assert liveness.heard == liveness.alive == 121.0


def test_a_pulse_vouches_and_goes_on_counting_when_it_is_over() -> None:
    liveness, pulse = Liveness(3.0, 100.0), Liveness(3.0, 100.0)
    liveness.pulse = pulse
    for now in range(101, 150):
        liveness.schedule(now - 1.0)
        pulse.heard = now - 0.5
        liveness.check(now)
        assert (liveness.heard, liveness.alive) == (100.0, now - 0.5)
    liveness.pulse = Liveness(3.0, 149.8)
    liveness.schedule(149.0)
    liveness.check(150.0)
    assert liveness.alive == 149.8
    liveness.pulse = None
    liveness.schedule(150.0)
    liveness.check(151.0)
    assert liveness.alive == 149.8


SETTINGS = LinkSettings(suspect_after=0.5, lost_after=1.5)


def stand_still(seconds: float) -> None:
    """As if something had held up the event loop, or stopped the process."""
    loop = asyncio.get_running_loop()
    loop._clock.now += seconds  # type: ignore[attr-defined]


def test_a_worker_whose_own_loop_stood_still_does_not_lose_its_router() -> None:
    async def main() -> None:
        pair = Pair(settings=SETTINGS)
        await pair.settle()
        # The router's timers would be late as well here: it is as good as not there.
        pair.router_end.is_cut = True
        pair.router._watch.stop()  # type: ignore[union-attr]
        await asyncio.sleep(0.2)
        stand_still(20)
        await asyncio.sleep(0.05)
        assert not pair.worker.is_closed
        assert "suspect" not in pair.worker_owner.heard
        pair.router_end.is_cut = False
        # What it missed comes now.
        pair.router.set_max_concurrent(1)
        pair.router_end.write(pair.router._zmtp.ping())
        await asyncio.sleep(0.3)
        assert not pair.worker.is_closed

    run_virtually(main())


def test_a_router_that_is_silent_for_good_is_lost_all_the_same() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        pair = Pair(settings=SETTINGS)
        await pair.settle()
        pair.router_end.is_cut = True
        stand_still(20)
        began = loop.time()
        while not pair.worker.is_closed:
            await asyncio.sleep(0.05)
        assert 1.0 < loop.time() - began < 2.0
        assert pair.worker.was_silent
        assert pair.worker_owner.heard[-1][1].startswith("silent for 1.")

    run_virtually(main())


def test_a_link_with_a_pulse_is_suspect_and_not_lost() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        owner = Owner()
        pair = Pair(router=owner, settings=SETTINGS)
        await pair.settle()
        pulse = pair.router.liveness.pulse = Liveness(0.5, loop.time())
        pair.worker_end.is_cut = True
        for _ in range(100):
            await asyncio.sleep(0.1)
            pulse.heard = loop.time()
        assert owner.heard[-1] == "suspect"
        last = loop.time()
        while not pair.router.is_closed:
            await asyncio.sleep(0.05)
        assert 1.4 < loop.time() - last < 2.0
        assert pair.router.was_silent

    run_virtually(main())

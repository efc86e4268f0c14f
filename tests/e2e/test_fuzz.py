"""A short campaign of bent conversations on every port; `bench/fuzz.py` is the same for as long as one likes."""

import os
import time

import pytest

from tests.support.fuzz.campaign import make_campaign
from tests.support.fuzz.links import LyingRouter, LyingWorker
from tests.support.fuzz.mutations import bend, cuts
from tests.support.fuzz.players import dice_of
from tests.support.fuzz.requests import KINDS, odd, pipeline
from zerogate.wire.http.request import RequestHead
from zerogate.wire.http1 import Connection, HttpLimits

SECONDS = 20.0
# Another one each time; a fault names its own.
SEED = int(os.environ.get("ZEROGATE_FUZZ_SEED", "0")) or int(time.time())


def test_nothing_that_a_peer_says_disturbs_others() -> None:
    with make_campaign(SEED) as campaign:
        campaign.play(SECONDS)
        campaign.check_accounts()
    report = campaign.report
    assert not report.faults, "\n".join([str(report), *report.faults])
    assert all(report.played[kind] > 10 for kind in ("client", "worker", "router")), report


@pytest.mark.fast
def test_a_conversation_is_what_its_seed_says() -> None:
    for number in range(50):
        one, other = (dice_of(7, "client", number) for _ in range(2))
        assert bend(one, pipeline(one)) == bend(other, pipeline(other))
        for kind in (LyingWorker, LyingRouter):
            assert kind(dice_of(7, "link", number)).begin() == kind(dice_of(7, "link", number)).begin()


@pytest.mark.fast
def test_cuts_lose_nothing() -> None:
    dice = dice_of(7, "cuts", 0)
    for size in (0, 1, 2, 100, 5000):
        octets = dice.randbytes(size)
        for _ in range(50):
            pieces = cuts(dice, octets)
            assert b"".join(pieces) == octets
            assert bool(pieces) is bool(octets)


@pytest.mark.fast
def test_what_is_not_bent_is_valid() -> None:
    """Else the campaign would only ever see the first line of defence."""
    for number in range(200):
        dice = dice_of(7, "valid", number)
        kind = dice.choice([kind for kind in KINDS if kind is not odd])
        atoms = kind(dice)
        if not any(atom.startswith(b"host:") for atom in atoms):
            atoms.insert(1, b"host: a\r\n")
        connection = Connection(HttpLimits())
        events = connection.receive(b"".join(atoms))
        assert connection.error is None
        assert type(events[0]) is RequestHead

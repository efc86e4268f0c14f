"""Fuzz a session's fast paths against the careful Python: `python -m tests.fuzz.session --help`."""

import sys
from random import Random

from tests.fuzz.stepping import run
from tests.support.twins import Twins

MAX_STEPS = 60


def play(seed: int) -> int:
    """One session of this seed. Returns how many steps it took; raises AssertionError where the two differ."""
    twins = Twins(Random(seed).randrange)
    for step in range(MAX_STEPS):
        if not twins.step():
            return step + 1
    return MAX_STEPS


if __name__ == "__main__":
    sys.exit(run("tests.fuzz.session", __doc__, play))

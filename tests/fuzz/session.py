"""Fuzz a session's fast paths against the careful Python: `python -m tests.fuzz.session --help`."""

import argparse
import sys
import time
from random import Random

from tests.support.twins import Twins
from zerogate.native import compiled

MAX_STEPS = 60
REPORT_EVERY_S = 10.0


def play(seed: int) -> int:
    """One session of this seed. Returns how many steps it took; raises AssertionError where the two differ."""
    twins = Twins(Random(seed).randrange)
    for step in range(MAX_STEPS):
        if not twins.step():
            return step + 1
    return MAX_STEPS


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.session", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of the first session; each has the next (default 1)")
    parser.add_argument("--steps", type=int, default=1_000_000, help="inputs and calls in all (default a million)")
    parser.add_argument("--seconds", type=float, default=3600.0, help="or so long (default an hour)")
    options = parser.parse_args()
    if not compiled.IS_ON:
        print(f"nothing to compare: {compiled.KIND}", file=sys.stderr)
        return 2
    seed, n_steps = options.seed, 0
    begun = told = time.monotonic()
    while n_steps < options.steps and time.monotonic() - begun < options.seconds:
        try:
            n_steps += play(seed)
        except Exception:
            print(f"seed {seed}: the two differ", file=sys.stderr)
            raise
        seed += 1
        if time.monotonic() - told > REPORT_EVERY_S:
            told = time.monotonic()
            print(f"{n_steps:,} steps, seeds up to {seed - 1}", flush=True)
    print(f"{n_steps:,} steps, seeds {options.seed} to {seed - 1}: no difference")
    return 0


if __name__ == "__main__":
    sys.exit(main())

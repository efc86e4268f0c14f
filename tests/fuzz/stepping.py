"""The command of a fuzzer that plays one seed after the other, each some steps long."""

import argparse
import sys
import time
from collections.abc import Callable

from zerogate.native import compiled

REPORT_EVERY_S = 60.0


def run(name: str, description: str | None, play: Callable[[int], int]) -> int:
    """Play until there are enough steps, or time is over; `play` returns how many a seed took. The exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description=description)
    parser.add_argument("--seed", type=int, default=1, help="of the first play; each has the next (default 1)")
    parser.add_argument("--steps", type=int, default=1_000_000, help="of all plays (default a million)")
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
        except BaseException:
            print(f"seed {seed}", file=sys.stderr)
            raise
        seed += 1
        if time.monotonic() - told > REPORT_EVERY_S:
            told = time.monotonic()
            print(f"{n_steps:,} steps, seeds up to {seed - 1}", flush=True)
    print(f"{n_steps:,} steps, seeds {options.seed} to {seed - 1}: no difference")
    return 0

"""Tries inputs until there are enough of them, or a difference: `python -m tests.fuzz --inputs 10_000_000`."""

import argparse
import logging
import secrets
import sys
from random import Random

from tests.fuzz.targets import TARGETS
from zerogate.native import compiled

BATCH = 1000


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000, help="how many, of all targets together")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32), help="to have the same ones again")
    parser.add_argument("--target", choices=[target.__name__ for target in TARGETS], action="append")
    options = parser.parse_args()
    if not compiled.IS_ON:
        print(f"nothing to hold against each other: {compiled.KIND}")
        return 2
    targets = [target for target in TARGETS if not options.target or target.__name__ in options.target]
    logging.disable()  # what calls say of the mistakes that are made on purpose
    print(f"seed {options.seed}", flush=True)
    n_batches = -(-options.inputs // BATCH // len(targets))
    for target in targets:
        # A seed for each target: what one draws must not depend on how many there are of the others.
        random = Random(f"{options.seed} {target.__name__}")
        taken = 0
        for _ in range(n_batches):
            taken += sum(target(random) for _ in range(BATCH))
        tried = n_batches * BATCH
        what = (target.__doc__ or "").rstrip(".")
        print(f"{target.__name__}: {tried:,} inputs, {taken / tried:.0%} taken, no difference ({what})", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

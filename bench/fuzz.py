"""Bend whole conversations on every port of a router and a worker: `python bench/fuzz.py`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.fuzz.campaign import CROWD, make_campaign

DESCRIPTION = """\
Plays valid conversations, bent on purpose, against a real router and a real worker, while good requests go on: clients
of HTTP/1 on the one port, workers that lie on the other, and a router that lies to the worker. The exit code is 1 if a
process ended, a traceback was logged, a good request was not answered rightly, memory grew, or something was left in
the end. --replay KIND:NUMBER plays one conversation of a seed again.
"""
# A campaign has fresh processes: what grows slowly needs one that is long.
CAMPAIGN_S = 300.0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, help="for how long [10]")
    parser.add_argument(
        "--seed", type=int, default=None, help="of the first campaign; the next have the next [the time]"
    )
    parser.add_argument("--replay", metavar="KIND:NUMBER", help=f"kinds are {', '.join(CROWD)}")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    seed = int(time.time()) if options.seed is None else options.seed
    if options.replay:
        kind, _, number = options.replay.partition(":")
        with make_campaign(seed) as campaign:
            campaign.play_again(kind, int(number))
            campaign.check_accounts()
            return tell(campaign.report)
    give_up = time.monotonic() + 60.0 * options.minutes
    code = 0
    while (left_s := give_up - time.monotonic()) > 0:
        with make_campaign(seed) as campaign:
            campaign.play(min(CAMPAIGN_S, left_s))
            campaign.check_accounts()
            code |= tell(campaign.report)
        seed += 1
    return code


def tell(report: object) -> int:
    faults: list[str] = getattr(report, "faults", [])
    print(report, *faults, sep="\n", flush=True)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

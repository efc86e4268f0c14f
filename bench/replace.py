"""Replace a running router again and again under an open loop of requests: `python bench/replace.py`."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.support.open_loop import OpenLoop, OpenLoopReport
from tests.support.processes import Process, Site, make_site

DESCRIPTION = """\
Replace a running router again and again (`zerogate router --replace`), under an open loop of requests: they come when
they are due, whether or not those before them are answered. First each on a new connection, then on connections that
are kept until the router says `connection: close`. The exit code is 1 if one failed or took longer than a second.
Router, workers and clients share this machine: where `rate` is more than it carries, times say so.
"""

# Nobody should notice more of a replacement than of a slow request.
LONGEST_S = 1.0
EXIT_TIMEOUT_S = 60.0
SAY_EVERY = 10
WORKERS = ("a", "b")


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replacements", type=positive, default=200, help="how many, for each kind of client [200]")
    parser.add_argument("--rate", type=positive, default=2000, help="requests a second [2000]")
    parser.add_argument("--seconds", type=positive, default=600, help="stop after so long, for each kind [600]")
    parser.add_argument("--only", choices=("fresh", "kept"), help="this kind of client only")
    return parser.parse_args(arguments)


def start_router(site: Site, *options: str) -> Process:
    return site.router("--settle", "0s", "--access-log", "off", *options)


def replace(options: argparse.Namespace, kind: str) -> tuple[int, OpenLoopReport]:
    """Returns how many replacements there were."""
    n_replaced = 0
    give_up = time.monotonic() + options.seconds
    with make_site() as site:
        running = start_router(site)
        for name in WORKERS:
            site.hello(name)
        with OpenLoop(site.http_port, options.rate, keeps_alive=kind == "kept") as load:
            while n_replaced < options.replacements and time.monotonic() < give_up:
                successor = start_router(site, "--replace")
                code = running.popen.wait(EXIT_TIMEOUT_S)
                if code:
                    load.report.failed[f"a router ended with {code}"] += 1
                site.processes.remove(running)
                running.close()
                running = successor
                n_replaced += 1
                if n_replaced % SAY_EVERY == 0:
                    print(f"{kind}: {n_replaced} of {options.replacements}: {load.report}", file=sys.stderr, flush=True)
    return n_replaced, load.report


def main(arguments: Sequence[str]) -> int:
    options = parse(arguments)
    is_clean = True
    for kind in (options.only,) if options.only else ("fresh", "kept"):
        began_at = time.monotonic()
        n_replaced, report = replace(options, kind)
        seconds = time.monotonic() - began_at
        n_late = sum(took_s > LONGEST_S for took_s in report.took_s)
        print(f"{kind}: {n_replaced} replacements in {seconds:.0f} s at {options.rate}/s: {report}, late={n_late}")
        is_clean &= not report.failed and not n_late and n_replaced == options.replacements
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Conversations in two processes, one of which has nothing compiled: `python -m tests.fuzz.apart --help`.

What conversations.py does not know to turn off is compiled on both its sides. Here nothing has to be known of it.
"""

import multiprocessing
import os
import sys
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from typing import Any

from tests.fuzz.conversations import compare, hear
from tests.fuzz.stepping import run
from zerogate.native import compiled


def hear_alone(seed: int) -> list[Any]:
    """In the other process: what comes of it by the Python alone."""
    assert compiled.KIND == compiled.OFF
    return hear(seed)


def play(alone: Executor, seed: int) -> int:
    """The conversation of this seed, here and there. How many steps it had."""
    careful = alone.submit(hear_alone, seed)
    return compare(hear(seed), careful.result())


def main() -> int:
    os.environ[compiled.VARIABLE] = "0"  # for the process that is yet to start
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as alone:
        return run("tests.fuzz.apart", __doc__, partial(play, alone))


if __name__ == "__main__":
    sys.exit(main())

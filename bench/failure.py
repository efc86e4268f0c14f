"""How a command of the benchmark ends: well, with an error, or interrupted."""

import signal
import sys
from collections.abc import Callable

EXIT_FAILED = 1
EXIT_INTERRUPTED = 130

INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class BenchError(Exception):
    """Why the run cannot go on, in words for people."""


def exit_code_of(script: str, work: Callable[[], None]) -> int:
    """Do the work: 0 when it is done, 1 after a BenchError, 130 when told to stop.

    Every way of being told to stop is a KeyboardInterrupt, so that whoever started processes cleans up.
    """
    for number in INTERRUPTS:
        # What is ignored already stays so: nohup wants it.
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        work()
    except BenchError as problem:
        print(f"{script}: {problem}", file=sys.stderr)
        return EXIT_FAILED
    except KeyboardInterrupt:
        print(f"{script}: interrupted; every process is stopped", file=sys.stderr)
        return EXIT_INTERRUPTED
    return 0

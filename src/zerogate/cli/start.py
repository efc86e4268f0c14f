"""Before all else that is imported."""

import sys
from typing import NoReturn

# As of any other failure.
EXIT_INTERRUPTED = 1


def main() -> NoReturn:
    """Imports take a moment, and a Ctrl-C amid them is nothing that a traceback would explain."""
    try:
        from zerogate.cli.entry import main as enter

        enter()
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)

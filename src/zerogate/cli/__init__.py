"""The command line: `zerogate router | worker | hello | run | demo | status`."""

from zerogate.cli.start import main

__all__ = ["main"]

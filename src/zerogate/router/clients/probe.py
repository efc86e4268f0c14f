"""Finding out whether a client that has closed its half of the connection has gone altogether.

TCP doesn't tell until something is sent: then a client that has gone answers with a reset, which the next thing that is
sent meets. Every client of HTTP/1.1 must take any number of interim replies (RFC 9110, 15.2).
"""

from collections.abc import Callable

from zerogate.router.timers import Timers

# When a client that waits for its reply is asked again.
PROBES_S = (0.1, 0.5, 2.0, 10.0)


def probe(ask: Callable[[], bool], timers: Timers, n_probes: int = 0) -> None:
    """Have it asked now, and again and again, until `ask` returns False: there is nothing to be asked any more."""
    if ask() and n_probes < len(PROBES_S):
        timers.call_later(PROBES_S[n_probes], probe, ask, timers, n_probes + 1)

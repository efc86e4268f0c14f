"""Interim replies: when an HTTP/1 client is sent `100 Continue`.

Once if it waits for it before it sends a body; and again and again while it is unclear whether it is still there.
"""

import asyncio
from collections.abc import Callable

from zerogate.router.exchange import Exchange, State

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

# A worker that does not say whether it wants the body of a request with `expect: 100-continue` is taken to want it.
CONTINUE_S = 1.0

# When a half-closed client that waits for its reply is asked again whether it is still there.
PROBES_S = (0.1, 0.5, 2.0, 10.0)


class Interim:
    """For one exchange. `is_current` tells whether it is still the client's, and `write` writes to the client."""

    def __init__(
        self, exchange: Exchange, is_current: Callable[[Exchange], bool], write: Callable[[bytes], None]
    ) -> None:
        self._exchange = exchange
        self._is_current = is_current
        self._write = write
        self._is_due = exchange.head.expects_continue
        self._loop = asyncio.get_running_loop()

    def want_body(self) -> None:
        """The worker wants the body."""
        if self._is_due and self._is_waiting():
            self._is_due = False
            self._write(CONTINUE)

    def want_body_soon(self) -> None:
        """The worker has the request, and may say whether it wants the body."""
        if self._is_due:
            self._loop.call_later(CONTINUE_S, self.want_body)

    def has_body(self) -> None:
        """The client has begun to send the body: it does not wait."""
        self._is_due = False

    def probe(self) -> None:
        """Find out whether a client that has closed its half has gone altogether.

        TCP doesn't tell until something is sent: then a client that has gone answers with a reset, which the next thing
        that is sent meets. Every client of HTTP/1.1 must take any number of interim replies (RFC 9110, 15.2).
        """
        if self._exchange.head.minor_version:
            self._probe_again(0)

    def _probe_again(self, n_probes: int) -> None:
        if self._is_waiting():
            self._write(CONTINUE)
            if n_probes < len(PROBES_S):
                self._loop.call_later(PROBES_S[n_probes], self._probe_again, n_probes + 1)

    def _is_waiting(self) -> bool:
        return self._is_current(self._exchange) and self._exchange.state is not State.REPLYING


class NoInterim:
    """For an exchange that expects none."""

    def want_body(self) -> None:
        """Nobody waits for it."""

    def want_body_soon(self) -> None:
        """Nobody waits for it."""

    def has_body(self) -> None:
        """It was not waited for."""


NO_INTERIM = NoInterim()

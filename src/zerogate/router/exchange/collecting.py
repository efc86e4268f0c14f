"""Before a worker is asked for: the beginning of a request's body is taken first.

A slot is dear, and a client on a slow line needs long for its first kilobytes. So the router takes the first
BODY_CREDIT_BYTES of a body, all of a smaller one, and only then wants a worker. Three things end that early:

- The client has said nothing for LULL_S, or for KNOWN_LULL_S once it has begun and has said how much will come: it may
  be waiting for an answer first, as who talks both ways does. The request goes on as far as it is, if a worker has room
  to spare (`Worker.has_spare_room`); if not, later.
- A body of unknown length has gone on for MAX_LULLS: it may be a stream that somebody listens to. The same.
- The router keeps `--queue-bytes` of bodies already: then this one is ready as it is, and waits as all others do.

**Memory.** Whoever is here stands in the dispatcher's `anteroom`, a queue whose bytes are bounded, from the first read
that did not bring the whole body; who is ready stands in a queue as well, or has a worker. So however many clients send
slowly, they cost the anteroom's bytes, and one read of each.

A body that comes along with its head, as a small one does, meets nothing of this: no timer, no account.
"""

import asyncio

from zerogate.router.exchange.pace import Pace
from zerogate.router.exchange.passage import Passage, State
from zerogate.router.faces import BODY_CREDIT_BYTES, Pairs
from zerogate.wire.http.errors import BODY_TIMEOUT, SHUTTING_DOWN, HttpError

# Silence amid the beginning of a body after which nobody knows whether more will come before an answer: longer than
# what lies between two packets of one client, and short for somebody who waits.
LULL_S = 0.1

# The same within a body whose length is known: mostly it is a file or a form, amid which nobody waits for an answer. On
# a line of 10 KB/s a packet of 1,460 octets comes each 0.15 s.
KNOWN_LULL_S = 1.0

# How long it is at most until a request that found no room to spare asks again; the time doubles up to it.
MAX_LULL_S = 1.6

# So many lulls of progress a body of unknown length may take to become ready: a second.
MAX_LULLS = 10


class Collecting(Passage):
    """What the events do until the request is ready for a worker."""

    _pace: Pace | None = None
    _lull_timer: asyncio.TimerHandle | None = None
    _lull_s = LULL_S
    _lull_bytes = 0
    _n_lulls = 0

    def _pause(self) -> None:
        """The end of the body is still to come."""
        if not self._dispatcher.collect(self):
            self._become_ready()
            self._hold_body()
            return
        self._client.expect(self._restart_pace())
        self._await_lull()

    def _collect(self, data: bytes) -> None:
        body = self._body
        assert body is not None
        body.keep(data)
        if self.head.content_length is not None:
            self._lull_s = max(self._lull_s, KNOWN_LULL_S)
        has_room = self.queue is None or self.queue.grow(self, len(data))
        if not has_room:
            self._become_ready()
            self._hold_body()
        elif body.kept_bytes >= BODY_CREDIT_BYTES:
            self._become_ready()
        elif self._pace is not None:
            self._client.expect(self._keep_pace(len(data)))

    def _complete(self, trailers: Pairs) -> None:
        assert self._body is not None
        self._body.keep_end(trailers)
        self._become_ready()

    def _look_on(self) -> None:
        """A lull has passed, with progress or without."""
        assert self._body is not None
        kept_bytes, before = self._body.kept_bytes, self._lull_bytes
        self._lull_bytes = kept_bytes
        self._n_lulls += 1
        if kept_bytes == before or (self.head.content_length is None and self._n_lulls > MAX_LULLS):
            if self._dispatcher.has_spare_room(self):
                self._become_ready()
                return
            self._lull_s = min(2 * self._lull_s, MAX_LULL_S)
        self._await_lull()

    def _await_lull(self) -> None:
        self._lull_timer = self._desk.loop.call_later(self._lull_s, self._look_on)

    def _become_ready(self) -> None:
        self._withdraw()
        self.state = State.WAITING
        self._dispatcher.submit(self)

    def _hold_body(self) -> None:
        """There is no room for more of it until a worker has the request. Who holds nothing is not held: no credit
        would follow."""
        if self.state is State.WAITING and self._body is not None and self._body.kept_bytes:
            self._desk.counters.held += 1
            self._client.hold_body()

    def _too_slow(self) -> None:
        self._withdraw()
        self._send_error(HttpError(BODY_TIMEOUT))

    # While it collects or waits

    def _withdraw(self) -> None:
        self._stop_lulls()
        self._dispatcher.withdraw(self)

    def _give_back(self) -> None:
        self._stop_lulls()  # The next one would send to a worker what is over.
        super()._give_back()

    def _stop_lulls(self) -> None:
        if self._lull_timer is not None:
            self._lull_timer.cancel()
            self._lull_timer = None

    def _leave(self) -> None:
        """The client has left."""
        self._desk.counters.aborted += 1
        self._withdraw()
        self._end()

    def _reject(self, error: HttpError) -> None:
        self._desk.counters.aborted += 1
        self._withdraw()
        self._send_error(error)

    def _close(self) -> None:
        self._withdraw()
        self._send_error(HttpError(SHUTTING_DOWN))

    # The client's pace, here and while the reply is due: both return how long the client has now, in seconds

    def _restart_pace(self) -> float:
        now = self._desk.deadlines.now
        pace = self._pace
        if pace is None:
            settings = self._desk.settings
            self._pace = pace = Pace(settings.min_body_rate, settings.body_timeout, now)
        else:
            pace.restart(now)
        return pace.late_at - now

    def _keep_pace(self, n_bytes: int) -> float:
        pace = self._pace
        if pace is None:
            return self._restart_pace()
        now = self._desk.deadlines.now
        pace.receive(n_bytes, now)
        return pace.late_at - now

"""A kind of application: what the worker asks of whatever hosts one.

The worker does the rest, the same for every kind: routers, capacity, credit, and the end of a call. ASGI is one host
(`asgi.py`). Another is a module beside it that has these, and speaks to its requests in the words of
`Call`.
"""

from collections.abc import Container
from typing import Protocol

from zerogate.link.link import Link
from zerogate.worker.call import Call
from zerogate.worker.tunnel import UpgradeCall


class Host(Protocol):
    """`start`, `begin` for each request, `stop`: all in the worker's event loop.

    upgrades: the protocols that its application may switch to (`websocket`), in lower case. A request for one of them
    comes to `upgrade`, and one for another protocol to nobody
    """

    upgrades: Container[bytes] = frozenset()

    async def start(self) -> None:
        """Make the application ready. No request comes before. Raises StartError. May be cancelled."""

    async def stop(self) -> None:
        """Shut the application down. No request comes after. Cancelled if it takes too long. `start` may have been."""

    def begin(self, call: Call) -> None:
        """A request has come: see to it that it is answered, and `call.end()` called once when all work for it is done.

        What answers it (a task, a future) is noted as `call.work`, so that it can be cancelled. Not answered here: the
        rest of its link's requests wait for this to return. Its client may have left before the work begins: look at
        `call.is_gone` then.
        """

    def upgrade(self, call: UpgradeCall) -> None:
        """The same for a request that asks to switch to one of `upgrades`: the host opens the tunnel, or replies."""
        raise TypeError(f"{type(self).__name__} has no upgrades")

    def drain(self, link: Link | None = None) -> None:
        """The worker is leaving, or the router of this link is: bring what would go on for ever to its end. What else
        there is goes on for a while.
        """
        return

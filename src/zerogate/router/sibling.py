"""One of several processes that are a router together: a router whose sockets are others', too, and that is told what
to do by the one that started it (group.py).

What comes over the channel is one JSON object a line, `{"n": 7, "do": "stand_by", "with": [...]}`, and each is
answered: `{"n": 7, "found": ...}`. ORDERS is all that can be asked.
"""

import asyncio
import inspect
import json
import logging
import math
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from zerogate.condition import Condition
from zerogate.link.listen import IsOurs
from zerogate.router.brief import receive_brief
from zerogate.router.listeners import OF_CLIENTS, Kind, Tally
from zerogate.router.scoreboard import CLIENTS, LINKS, Scoreboard
from zerogate.router.service import Router
from zerogate.router.sorting import Sorter
from zerogate.settings import RouterSettings

logger = logging.getLogger("zerogate.router")


class Sibling:
    """`start`, then `stop`. What it does in between is for its parent to say; without one it stops (runner.py)."""

    def __init__(self, settings: RouterSettings, channel: socket.socket) -> None:
        """Waits for what the parent has to say first. Raises StartError."""
        brief = receive_brief(channel)
        self._channel = channel
        self._number = brief.seat.number
        self._shares = brief.shares
        n_seats = len(brief.seat.processes)
        self._board = Scoreboard(brief.memory, n_seats, brief.seat.number - 1)
        os.close(brief.memory)
        self._sorter = Sorter(brief.seat, brief.inbox, brief.outboxes, settings.handshake_timeout)
        clients = self._board.lane(CLIENTS, lambda: self.router.n_clients + self._n_connecting(*OF_CLIENTS))
        links = self._board.lane(LINKS, lambda: len(self.router.links.workers) + self._n_connecting(Kind.LINKS))
        self._turns = {**dict.fromkeys(OF_CLIENTS, clients), Kind.LINKS: links}
        self.router = Router(
            settings.changed(admin="off", replace=False, drain_delay=0.0, discover=False), brief.seat, self
        )
        self._is_open = False
        self._writer: asyncio.StreamWriter | None = None
        self._obeying: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Be ready for orders. Raises UsageError or StartError."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._channel)
        self.router.listeners.use(self._shares)
        self.router.read_certificates()
        self._obeying = asyncio.create_task(self._obey(reader, self._writer), name="orders")

    async def stop(self, grace: float | None = None) -> None:
        """As a router stops."""
        self._board.close()
        self._sorter.close()
        await self.router.stop(grace)
        if self._obeying is not None:
            self._obeying.cancel()
        if self._writer is not None:
            self._writer.close()

    async def ready(self) -> None:
        """When it takes connections is for its parent to say."""

    def conditions(self) -> list[Condition]:
        return self.router.conditions()

    def requests(self, task: "asyncio.Task[Any] | None") -> tuple[list[str], list[str]]:
        return self.router.requests(task)

    # Who takes what (listeners.py, Crew)

    def turn(self, kind: Kind) -> Tally | None:
        return self._turns.get(kind)

    def is_ours(self, kind: Kind, key: str) -> IsOurs | None:
        return partial(self._sorter.is_ours, key=key) if kind is Kind.LINKS else None

    def _n_connecting(self, *kinds: Kind) -> int:
        return self.router.listeners.n_connecting(*kinds)

    # Orders

    async def _obey(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(json.dumps({"hello": os.getpid()}).encode() + b"\n")
        doing: set[asyncio.Task[None]] = set()
        while line := await reader.readline():
            # Those that wait for something must not hold up the next.
            task = asyncio.create_task(self._do(json.loads(line), writer))
            doing.add(task)
            task.add_done_callback(doing.discard)

    async def _do(self, message: dict[str, Any], writer: asyncio.StreamWriter) -> None:
        found = None
        try:
            found = ORDERS[message["do"]](self, *message["with"])
            if inspect.isawaitable(found):
                found = await found
        except Exception:
            logger.exception("could not do what was asked: %s", message)
        writer.write(json.dumps({"n": message["n"], "found": found}).encode() + b"\n")

    def _accept_links(self) -> None:
        self._open()
        self.router.listeners.accept_links()

    def _accept_all_links(self) -> None:
        self._open()
        self.router.listeners.accept_all_links()

    def _accept(self) -> None:
        self._open()
        self.router.listeners.accept()

    def _open(self) -> None:
        if not self._is_open:
            self._is_open = True
            self._board.open()
            self._sorter.open(self.router.listeners.take)

    async def _stand_by(self, keys: list[str]) -> int:
        self._board.close()
        return await self.router.stand_by(frozenset(keys))

    def _carry_on(self) -> None:
        self.router.carry_on()
        self._board.open()

    async def _hand_over(self) -> None:
        self._sorter.close()
        await self.router.hand_over()

    def _status(self) -> dict[str, Any]:
        return {"process": self._number, "pid": os.getpid(), **self.router.status()}

    async def _wait_workers(self, n: int, keys: list[str] | None, seconds: float | None) -> int:
        """How many there are in the end."""
        wanted = None if keys is None else frozenset(keys)
        await self.router.wait_workers(n, wanted, math.inf if seconds is None else seconds)
        return self.router.links.n_workers(wanted)


ORDERS: dict[str, Callable[..., Any]] = {
    "accept_links": Sibling._accept_links,
    "accept_all_links": Sibling._accept_all_links,
    "accept": Sibling._accept,
    "share": lambda sibling: sibling.router.listeners.share(),
    "stand_by": Sibling._stand_by,
    "carry_on": Sibling._carry_on,
    "hand_over": Sibling._hand_over,
    "wait_workers": Sibling._wait_workers,
    "status": Sibling._status,
}

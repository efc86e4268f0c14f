"""A router of several processes: what they have in common, and what makes them one.

The parent binds every socket, and each process has them all: there is one queue of those who connect, which outlives
any process. Beside that the parent has the admin port, and is who successors talk to; it takes no client and no link.
What a router does by itself (service.py), it has its processes do: `_orders` are those that hold, and whoever takes a
seat anew is given them all.
"""

import asyncio
import logging
import math
import socket
import time
from collections.abc import Callable
from typing import Any

from zerogate.keys.keyring import find_folder
from zerogate.link.marks import new_id
from zerogate.link.mdns import Announcement
from zerogate.notify import main_pid, notify
from zerogate.router.admin import Admin
from zerogate.router.announcing import announcement
from zerogate.router.brief import Brief, send_brief
from zerogate.router.clients.http1_clients import Http1Clients
from zerogate.router.counters import Counters
from zerogate.router.desk import Desk
from zerogate.router.faces import Client, ClientExchange
from zerogate.router.forwarding import Forwarding
from zerogate.router.late import LateExchange
from zerogate.router.listeners import Addresses, Kind, Listeners
from zerogate.router.member import ANSWER_TIMEOUT_S, Member
from zerogate.router.scoreboard import Scoreboard, make_memory
from zerogate.router.seat import Seat
from zerogate.router.sums import sum_up
from zerogate.router.takeover import Predecessor, Successor
from zerogate.settings import RouterSettings
from zerogate.wire.http.request import RequestHead

logger = logging.getLogger("zerogate.router")

# Who asks for a status waits no longer for a process that hangs.
STATUS_TIMEOUT_S = 1.0
# Nor does a successor, and its clients with it: who replaces a router with a process that hangs has reason to.
TAKEOVER_TIMEOUT_S = 1.0
POLL_S = 0.02

Order = tuple[Any, ...]


class Group:
    """`start`, then `open_seat` for each process, `run` until all is open, then `stop`.

    replaced: set when a successor has taken over
    """

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        ids = tuple(new_id() for _ in range(settings.processes))
        self._members = [Member(Seat(each, ids)) for each in ids]
        self._memory = make_memory(len(ids))
        self._board = Scoreboard(self._memory.fileno(), len(ids))
        self._admin_desk = Desk(settings, Counters(), self._answer)
        self._admin = Admin(lambda: self._status, lambda: not self._is_draining, settings.admin, settings.admin_token)
        admin = Http1Clients(self._admin_desk)
        has_keys = find_folder(settings.keys) is not None
        self._listeners = Listeners(settings, {Kind.ADMIN: lambda key: admin}, lambda n: True, has_keys=has_keys)
        self._predecessor = Predecessor(settings.name, self, settings.command_pid)
        self._successor: Successor | None = None
        self._orders: list[Order] = []
        self._moving: frozenset[str] = frozenset()
        self._arrival = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()
        self._status: dict[str, Any] = {}
        self._is_draining = False
        self._announcement: Announcement | None = None
        self._began_at = time.monotonic()
        self.replaced = asyncio.Event()

    @property
    def addresses(self) -> Addresses:
        """Where it can be reached."""
        return self._listeners.addresses

    async def start(self) -> None:
        """Have all sockets, bound or given. Raises UsageError or StartError, with nothing left open."""
        try:
            keys = self._listeners.find()
            if self._settings.replace:
                self._successor = await Successor.find(keys)
            self._listeners.bind(self._successor.sockets if self._successor is not None else {})
        except BaseException:
            self._close()
            raise

    def open_seat(self, number: int) -> socket.socket:
        """A process is about to take this seat, counted from 0. Returns its end of the channel: the caller's."""
        ours, theirs = socket.socketpair()
        member = self._members[number]
        boxes = [each.outbox for each in self._members]
        send_brief(ours, Brief(member.seat, self._listeners.shares, self._memory.fileno(), member.inbox, boxes))
        self._do(self._hear(member, ours))
        return theirs

    async def run(self) -> None:
        """Open all of it when every process is here. Raises StartError if a predecessor will not be replaced."""
        while not all(member.is_here for member in self._members):
            await self._arrival.wait()
            self._arrival.clear()
        if self._successor is None:
            await self._order("accept")
        else:
            await self._take_over(self._successor)
        self._listeners.accept_admin()
        self._predecessor.open(self._listeners.descriptors())
        self._announcement = announcement(self._settings, self.addresses.bind)
        if self._announcement is not None:
            self._announcement.start()

    async def _take_over(self, successor: Successor) -> None:
        """As a router does alone: each process has the predecessor's workers first, and then its clients."""
        wait_s = self._settings.takeover_wait
        moving = [share.place.key for share in self._listeners.shares if share.is_given]
        await self._order("accept_links")
        await self._wait_workers(self._settings.own_workers, None, math.inf)
        n_workers = await successor.go(wait_s, self._settings.command_pid)
        await self._order("accept_all_links")
        n_come = await self._wait_workers(n_workers, moving, wait_s)
        await self._order("accept")
        await successor.done()
        self._listeners.adopt()
        await self._all("share")
        self._successor = None
        logger.info("took over from %s, with %d of its %d workers", successor.label, n_come, n_workers)

    async def stop(self) -> None:
        """Take nothing new, after a time in which only /readyz says so. Who started the processes stops them."""
        self._is_draining = True
        give_up = time.monotonic() + self._settings.drain_delay
        while time.monotonic() < give_up and not self.replaced.is_set() and any(each.is_here for each in self._members):
            await asyncio.sleep(POLL_S)
        await self._predecessor.stop()
        if self._announcement is not None:
            await self._announcement.stop()
        await self._listeners.stop(self._moving)

    def close(self) -> None:
        """The processes are gone."""
        self._close()
        for task in self._tasks:
            task.cancel()

    # What a successor asks (takeover.py, Replaceable)

    def descriptors(self) -> dict[str, int]:
        return self._listeners.descriptors()

    async def stand_by(self, keys: frozenset[str]) -> int:
        self._moving = keys
        self._orders.append(("stand_by", sorted(keys)))
        return max(await self._all("stand_by", sorted(keys), seconds=TAKEOVER_TIMEOUT_S), default=0)

    def carry_on(self) -> None:
        self._moving = frozenset()
        self._orders = [order for order in self._orders if order[0] != "stand_by"]
        self._do(self._all("carry_on"))

    async def hand_over(self) -> None:
        await self._all("hand_over", seconds=TAKEOVER_TIMEOUT_S)
        await self._listeners.stop(self._moving)
        notify(main_pid(self._predecessor.successor_pid))
        self.replaced.set()

    # Processes

    async def _hear(self, member: Member, channel: socket.socket) -> None:
        await member.hear(channel, self._on_hello)
        self._board.clear(member.seat.number - 1)

    def _on_hello(self, member: Member) -> None:
        for order in self._orders:
            self._do(member.ask(*order))
        self._arrival.set()

    async def _order(self, *order: Any) -> None:
        """Have all of them do it, and whoever comes later."""
        self._orders.append(order)
        await self._all(*order)

    async def _all(self, *order: Any, seconds: float = ANSWER_TIMEOUT_S) -> list[Any]:
        """What those answer that do."""
        found = await asyncio.gather(*(member.ask(*order, seconds=seconds) for member in self._members))
        return [each for each in found if each is not None]

    async def _wait_workers(self, n: int, keys: list[str] | None, seconds: float) -> int:
        """Wait until each process has so many. Returns how many the poorest has."""
        wanted = None if seconds == math.inf else seconds
        found = await self._all("wait_workers", n, keys, wanted, seconds=seconds + ANSWER_TIMEOUT_S)
        return min(found, default=0)

    def _do(self, work: Any) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Looking at it

    def _answer(
        self, desk: Desk, client: Client, head: RequestHead, forwarding: Forwarding, request_id: bytes
    ) -> ClientExchange:
        if head.path != b"/status":
            return self._admin(desk, client, head, forwarding, request_id)
        return LateExchange(desk, client, head, request_id, lambda: self._admin.answer(head), self._find_status)

    def _find_status(self, go_on: Callable[[], None]) -> None:
        self._do(self._ask_status(go_on))

    async def _ask_status(self, go_on: Callable[[], None]) -> None:
        found = sum_up(await self._all("status", seconds=STATUS_TIMEOUT_S))
        uptime_s = round(time.monotonic() - self._began_at, 1)
        self._status = {"router": self._settings.name, **found, "uptime_s": uptime_s}
        go_on()

    def _close(self) -> None:
        if self._successor is not None:
            self._successor.close()
        self._listeners.close()
        self._admin_desk.close()
        self._memory.close()
        for member in self._members:
            member.close()

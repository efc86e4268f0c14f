"""A process of a router that has several, as the one that started it sees it: asked, told, and heard of."""

import asyncio
import json
import logging
import socket
from collections.abc import Callable
from typing import Any

from zerogate.router.seat import Seat

logger = logging.getLogger("zerogate.router")

# A process that needs longer to answer hangs.
ANSWER_TIMEOUT_S = 5.0
# A status has a few hundred octets for each worker and route.
MAX_LINE_BYTES = 64 * 1024 * 1024


class Member:
    """One seat, and whoever is in it. `inbox` is where links come for it: it keeps what comes while nobody is there.

    is_here: whether it can be asked
    """

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.inbox, self.outbox = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._writer: asyncio.StreamWriter | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._n_asked = 0

    def __repr__(self) -> str:
        return f"<Member {self.seat.number} {'here' if self.is_here else 'away'}>"

    @property
    def is_here(self) -> bool:
        return self._writer is not None

    async def hear(self, channel: socket.socket, on_hello: Callable[["Member"], None]) -> None:
        """Read what it says, until it is gone. Owns the channel."""
        reader, writer = await asyncio.open_unix_connection(sock=channel, limit=MAX_LINE_BYTES)
        try:
            while line := await reader.readline():
                message = json.loads(line)
                if "hello" in message:
                    self._writer = writer
                    on_hello(self)
                elif (asked := self._asked.pop(message["n"], None)) is not None and not asked.done():
                    asked.set_result(message["found"])
        except (OSError, ValueError, LookupError, TypeError) as error:
            logger.debug("%r: %s", self, error)
        finally:
            self._writer = None
            writer.close()
            asked_for, self._asked = self._asked, {}
            for asked in asked_for.values():
                if not asked.done():
                    asked.set_result(None)

    async def ask(self, order: str, *values: Any, seconds: float = ANSWER_TIMEOUT_S) -> Any:
        """What it answers; None if it is not here, goes, or hangs."""
        writer = self._writer
        if writer is None:
            return None
        self._n_asked += 1
        number = self._n_asked
        asked = self._asked[number] = asyncio.get_running_loop().create_future()
        writer.write(json.dumps({"n": number, "do": order, "with": values}).encode() + b"\n")
        try:
            async with asyncio.timeout(None if seconds == float("inf") else seconds):
                return await asked
        except TimeoutError:
            logger.warning("process %d of this router does not answer", self.seat.number)
            return None
        finally:
            self._asked.pop(number, None)

    def close(self) -> None:
        """Nobody will be in this seat any more."""
        self.inbox.close()
        self.outbox.close()

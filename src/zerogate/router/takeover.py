"""One router takes over from another: the listening sockets go from hand to hand, so that nobody who connects is lost.

What the two say, in order (rendezvous.py carries it):

    old    {"router": its name, "pid": the command's}
    new    {"want": [keys of addresses]}
    old    {"have": [keys]}                   and the sockets, in the same order: now both have them
    new    {"go": seconds, "pid": its command's}    it is ready for workers
    old    {"workers": n}                     it has stopped accepting, and has sent the workers of those addresses away
    new    {"done": true}                     the workers have come, or the seconds are over: it accepts
    old    {"yours": true}                    it has closed the sockets, and ends when its last stream has

Until `done` the old router only waits: whatever becomes of the new one, it goes on as before. `{"no": reason}` says
that it does. If it is the old one that dies, the new one has the sockets and needs nobody's leave.

Whoever only wants to know who has an address reads the first message, and leaves.
"""

import asyncio
import contextlib
import json
import logging
import os
import secrets
import socket
from collections.abc import Iterable, Iterator
from typing import Protocol

from zerogate.errors import StartError
from zerogate.link.accept import Acceptor
from zerogate.link.bind import BACKLOG
from zerogate.router.rendezvous import (
    MAX_DESCRIPTORS,
    Channel,
    GoneError,
    Message,
    call,
    name_of,
    sweep,
)
from zerogate.runtime import make_directory, peer_of

logger = logging.getLogger("zerogate.router")

# A router that is asked answers in a turn of its event loop. One that needs longer hangs.
ANSWER_TIMEOUT_S = 5.0
# For a name in an error message nobody waits that long.
NAME_TIMEOUT_S = 2.0
# The old router waits for the new one as long as that one has said, but not longer than this, and a little more.
MAX_WAIT_S = 60.0


class Replaceable(Protocol):
    """What a router lets its successor ask of it."""

    def descriptors(self) -> dict[str, int]:
        """Its listening sockets by their keys."""

    async def stand_by(self, keys: frozenset[str]) -> int:
        """Take no connections for now, and send the workers of these addresses away. Returns how many will move."""

    def carry_on(self) -> None:
        """The successor has failed: take connections, and workers, as before."""

    async def hand_over(self) -> None:
        """What it stands by for is the successor's from now on. Close every socket, and end in good order."""


class Predecessor:
    """The old router's part: lets a successor find it, and does what that one asks.

    successor_pid: of the successor's command; 0 if there is none
    """

    def __init__(self, name: str, router: Replaceable, command_pid: int = 0) -> None:
        """`command_pid` is the process that a person has started, if it is not this one."""
        self._greeting: Message = {"router": name, "id": secrets.token_hex(8), "pid": command_pid or os.getpid()}
        self._router = router
        self._doors: list[_Door] = []
        self._talks: set[asyncio.Task[None]] = set()
        # Who has the sockets, but has not said `go`: the latest who asks is the one that counts.
        self._candidate: asyncio.Task[None] | None = None
        self._is_standing_by = False
        self._is_stopping = False
        self.successor_pid = 0

    def open(self, keys: Iterable[str]) -> None:
        """Let a successor find it by any of these addresses. If that cannot be, it cannot be replaced: no more."""
        keys = list(keys)
        try:
            try:
                self._open(keys)
            except FileNotFoundError:
                # Another router has removed the directory just now, as the last that was there.
                self.close()
                self._open(keys)
        except OSError as error:
            self.close()
            logger.warning("no successor will find this router (--replace): %s", error)

    def _open(self, keys: list[str]) -> None:
        directory = make_directory()
        sweep(directory)
        for key in keys:
            self._doors.append(_Door(os.path.join(directory, name_of(key)), self._answer))

    def close(self) -> None:
        """Nobody finds it any more."""
        for door in self._doors:
            door.close()
        if self._doors:
            with contextlib.suppress(OSError):  # others are still there
                os.rmdir(self._doors[0].directory)
        self._doors = []

    async def stop(self) -> None:
        """The router stops by itself: whoever was about to replace it has its sockets, and goes on alone."""
        self._is_stopping = True
        self.close()
        talks = self._talks - {asyncio.current_task()}
        for talk in talks:
            talk.cancel()
        if talks:
            await asyncio.wait(talks)

    def _answer(self, sock: socket.socket) -> None:
        talk = asyncio.get_running_loop().create_task(self._talk(sock), name="takeover")
        self._talks.add(talk)
        talk.add_done_callback(self._talks.discard)

    async def _talk(self, sock: socket.socket) -> None:
        with contextlib.closing(sock), contextlib.suppress(GoneError, OSError):
            channel = Channel(sock)
            if channel.peer.uid != os.geteuid():
                logger.warning("process %d of another user asked for this router's sockets", channel.peer.pid)
                return
            with contextlib.closing(channel):
                await self._serve(channel)

    async def _serve(self, channel: Channel) -> None:
        channel.send(self._greeting)
        keys = await self._offer(channel)
        try:
            go = await channel.receive()
        except asyncio.CancelledError:
            if not self._is_stopping:
                with contextlib.suppress(GoneError):
                    channel.send({"no": "it is another one's turn"})
            raise
        finally:
            if self._candidate is asyncio.current_task():
                self._candidate = None
        if self._is_standing_by:
            channel.send({"no": "it is being replaced by another one"})
            return
        command_pid = go.get("pid")
        await self._yield_to(channel, keys, _seconds(go.get("go")), command_pid if isinstance(command_pid, int) else 0)

    async def _offer(self, channel: Channel) -> frozenset[str]:
        """Give it what it wants and we have."""
        want = (await channel.receive()).get("want")
        ours = self._router.descriptors()
        keys = [key for key in ours if isinstance(want, list) and key in want][:MAX_DESCRIPTORS]
        if not keys:
            raise GoneError("it wants nothing that is here")
        if self._candidate is not None:
            self._candidate.cancel()
        self._candidate = asyncio.current_task()
        channel.send({"have": keys}, [ours[key] for key in keys])
        return frozenset(keys)

    async def _yield_to(self, channel: Channel, keys: frozenset[str], wait_s: float, command_pid: int) -> None:
        pid = channel.peer.pid
        self.successor_pid = command_pid or pid
        self._is_standing_by = True
        logger.info("process %d takes over", pid)
        is_over = False
        try:
            n_workers = await self._router.stand_by(keys)
            channel.send({"workers": n_workers})
            async with asyncio.timeout(wait_s + ANSWER_TIMEOUT_S):
                is_over = bool((await channel.receive()).get("done"))
        except TimeoutError:
            logger.warning("process %d is not ready in time", pid)
            channel.send({"no": "that took too long"})
        except asyncio.CancelledError:
            # The router stops: the successor has the sockets, and goes on alone.
            is_over = True
            raise
        finally:
            self._is_standing_by = False
            if not is_over:
                logger.warning("process %d did not take over after all: this router goes on", pid)
                self._router.carry_on()
        if is_over:
            self.close()
            await self._router.hand_over()
            channel.send({"yours": True})


class _Door:
    """A socket at which a router can be called."""

    def __init__(self, path: str, answer: "_Answer") -> None:
        self._path = path
        self.directory = os.path.dirname(path)
        # Elsewhere first, so that the path is never gone: a predecessor's is replaced.
        temporary = f"{path}.{os.getpid()}"
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            self._sock.bind(temporary)
            self._sock.setblocking(False)
            self._sock.listen(BACKLOG)
            os.rename(temporary, path)
        except OSError:
            self._sock.close()
            raise
        self._inode = os.stat(path).st_ino
        self._acceptor = Acceptor(self._sock, answer, "takeover")
        self._acceptor.resume()

    def close(self) -> None:
        self._acceptor.pause()
        self._sock.close()
        with contextlib.suppress(OSError):
            if os.stat(self._path).st_ino == self._inode:
                os.unlink(self._path)


class _Answer(Protocol):
    def __call__(self, sock: socket.socket) -> None: ...


class Successor:
    """The new router's part. `sockets` are those that it has been given, by key; whoever takes one out owns it."""

    def __init__(self, channel: Channel, name: str) -> None:
        self._channel = channel
        self._is_alone = False
        self._pid = channel.peer.pid
        self.name = name
        self.sockets: dict[str, socket.socket] = {}

    @property
    def label(self) -> str:
        return f"the router {self.name} (process {self._pid})"

    @classmethod
    async def find(cls, keys: Iterable[str]) -> "Successor | None":
        """Ask the router that has these addresses, or some of them, for its sockets. None if there is no such router.

        Raises StartError if it does not answer, or if there are two.
        """
        keys = list(keys)
        found: dict[str, Successor] = {}
        try:
            for key in keys:
                await cls._call(key, found)
            if len(found) > 1:
                labels = " and ".join(successor.label for successor in found.values())
                raise StartError(f"--replace: {labels} share these addresses: one of them has to be stopped")
            for successor in found.values():
                await successor._ask(keys)
                return successor
        except BaseException:
            for successor in found.values():
                successor.close()
            raise
        return None

    @classmethod
    async def _call(cls, key: str, found: "dict[str, Successor]") -> None:
        try:
            sock = call(key, NAME_TIMEOUT_S)
        except TimeoutError as error:
            raise StartError(f"--replace: the router that has {key} takes no calls: stop it") from error
        if sock is None:
            return
        channel = Channel(sock)
        successor = cls(channel, "")
        try:
            greeting = await successor._receive()
        except GoneError:
            channel.close()
            return
        except BaseException:
            channel.close()
            raise
        successor.name = str(greeting.get("router"))
        successor._pid = greeting.get("pid", channel.peer.pid)
        if str(greeting.get("id")) in found:
            channel.close()
        else:
            found[str(greeting.get("id"))] = successor

    async def _ask(self, keys: list[str]) -> None:
        try:
            self._channel.send({"want": keys})
            have = (await self._receive()).get("have", [])
        except GoneError:
            # It was about to end: its addresses are free, or soon will be.
            self._is_alone = True
            return
        for key, descriptor in zip(have, self._channel.take_descriptors(), strict=True):
            self.sockets[key] = socket.socket(fileno=descriptor)

    async def go(self, wait_s: float, command_pid: int = 0) -> int:
        """We are ready for workers. Returns how many will come. Raises StartError if it will not be replaced."""
        n_workers: object = 0
        with self._alone_if_gone():
            n_workers = (await self._ask_for({"go": wait_s, "pid": command_pid or os.getpid()})).get("workers")
        return n_workers if isinstance(n_workers, int) else 0

    async def done(self) -> None:
        """We accept connections. Raises StartError if it has taken its addresses back."""
        try:
            with self._alone_if_gone():
                if not self._is_alone:
                    await self._ask_for({"done": True}, is_patient=False)
        except TimeoutError:
            logger.warning("%s hangs: it will close its sockets when it goes on", self.label)
        finally:
            self.close()

    def close(self) -> None:
        """Without `done`, it goes on as before."""
        for sock in self.sockets.values():
            sock.close()
        self.sockets.clear()
        self._channel.close()

    @contextlib.contextmanager
    def _alone_if_gone(self) -> Iterator[None]:
        try:
            yield
        except GoneError:
            if not self._is_alone:
                logger.warning("%s has gone: going on alone", self.label)
            self._is_alone = True

    async def _ask_for(self, message: Message, *, is_patient: bool = True) -> Message:
        # Whoever has closed may have said why: that is still to be read.
        with contextlib.suppress(GoneError):
            self._channel.send(message)
        return await self._receive(is_patient=is_patient)

    async def _receive(self, *, is_patient: bool = True) -> Message:
        """Raises GoneError, StartError; TimeoutError only if not `is_patient`."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                message = await self._channel.receive()
        except TimeoutError:
            if not is_patient:
                raise
            raise StartError(
                f"--replace: the router that has these addresses (process {self._pid}) does not answer: end it "
                f"(kill -9 {self._pid}), and start again"
            ) from None
        if "no" in message:
            raise StartError(f"--replace: {self.label} will not be replaced: {message['no']}")
        return message


def who_has(key: str) -> str:
    """What to call the router that has this address; "" if it is none of ours. Blocks, for NAME_TIMEOUT_S at most."""
    try:
        sock = call(key, NAME_TIMEOUT_S)
        if sock is None:
            return ""
        with contextlib.closing(sock):
            pid = peer_of(sock).pid
            with contextlib.suppress(OSError, ValueError, AttributeError):
                sock.settimeout(NAME_TIMEOUT_S)
                greeting = json.loads(sock.recv(4096))
                return f"the router {greeting.get('router')} (process {greeting.get('pid', pid)})"
            return f"a router that does not answer (process {pid})"
    except OSError:
        return "a router that does not answer"


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or not value >= 0:
        raise GoneError("it talks nonsense")
    return min(float(value), MAX_WAIT_S)

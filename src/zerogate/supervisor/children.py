"""What is to be kept running, and which of its processes counts."""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field

from zerogate.supervisor.life import Life


@dataclass(eq=False)
class Child:
    """A process to keep running: the command after `zerogate`, and its environment beyond our own.

    Children start stage by stage, each when those before it have come up, and stop in the same order: each stage when
    the one before it has ended.
    """

    label: str
    arguments: list[str]
    environment: dict[str, str]
    stage: int = 0
    takes_hangup: bool = False
    # Its processes may be replaced by others that come up beside them.
    may_roll: bool = False
    # Comes up with those of earlier stages, not after them.
    is_early: bool = False
    # What it is connected to beside us: its end of a channel, made anew for each life.
    open_seat: Callable[[], socket.socket] | None = field(default=None, repr=False)
    # It has come up once.
    started: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    # What it hosts, in its words.
    found: str = ""
    # The process that counts: there may be others, which come up or drain. None before the first.
    life: Life | None = field(default=None, repr=False)
    # Another process has been made the one that counts.
    is_renewed: asyncio.Event = field(default_factory=asyncio.Event, repr=False)
    # It is about to be stopped and started by somebody who sees to both.
    is_held: bool = False

    def hand_over(self, life: Life) -> None:
        """This process counts from now on."""
        self.life = life
        self.is_held = False
        self.is_renewed.set()

    @property
    def is_alive(self) -> bool:
        return self.life is not None and not self.life.is_over.is_set()

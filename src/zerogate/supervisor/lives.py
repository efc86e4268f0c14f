"""All processes there are: of each child one, and while that is replaced two."""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable

from zerogate.supervisor.children import Child
from zerogate.supervisor.life import Life
from zerogate.waiting import first_of

logger = logging.getLogger("zerogate")


class Lives:
    """From `begin` to their ends.

    patience_s: how long a process may take to stop
    on_word: hears what they say (Life)
    """

    def __init__(self, patience_s: float, on_word: Callable[[Child, Life, bytes], None]) -> None:
        self._patience_s = patience_s
        self._on_word = on_word
        self._tasks: dict[Life, asyncio.Task[None]] = {}
        self._children: dict[Life, Child] = {}
        self._is_closed = False

    def __repr__(self) -> str:
        return f"<Lives {[child.label for child in self._children.values()]}>"

    def begin(self, child: Child) -> Life:
        """Start a process of the child. Once nobody shall be started any more, it ends at once."""
        life = Life(
            child.arguments,
            child.environment,
            child.open_seat,
            lambda life, word: self._on_word(child, life, word),
        )
        self._children[life] = child
        self._tasks[life] = asyncio.create_task(life.run(), name=child.label)
        self._tasks[life].add_done_callback(lambda _: self._forget(life))
        if self._is_closed:
            life.send_signal(signal.SIGKILL)
        return life

    def close(self) -> None:
        """Nobody shall be started any more."""
        self._is_closed = True

    def of(self, children: Iterable[Child]) -> list[Life]:
        """Those of the children that have not ended."""
        wanted = set(children)
        return [life for life, child in self._children.items() if child in wanted]

    async def end(self, lives: Iterable[Life], give_up: float | None = None) -> bool:
        """Have them stop in good order, and kill who has not ended in time. Returns whether there was nobody to kill.

        However often a process is told, to it that is one stop. `give_up` is when, if not after `patience_s`.
        """
        leaving = [(life, self._children[life]) for life in lives if life in self._children]
        for life, _ in leaving:
            life.send_signal(signal.SIGTERM)
        loop = asyncio.get_running_loop()
        began_at = loop.time()
        if give_up is None:
            give_up = began_at + self._patience_s
        n_killed = 0
        for life, child in leaving:
            if not await first_of(life.is_over, seconds=max(0.0, give_up - loop.time())):
                logger.warning("%s has not ended within %.3g s: killed", child.label, max(0.0, give_up - began_at))
                n_killed += 1
                life.send_signal(signal.SIGKILL)
                await life.is_over.wait()
        return not n_killed

    async def relieve(self, life: Life) -> bool:
        """End all other processes of its child: this one counts. Returns as `end` does."""
        child = self._children.get(life)
        return await self.end(other for other in self.of([child] if child else ()) if other is not life)

    def send_signal(self, number: int, children: Iterable[Child]) -> None:
        """To all of their processes that are up: who is not has nothing to do with it yet."""
        for life in self.of(children):
            if life.is_up.is_set():
                life.send_signal(number)

    def kill(self) -> None:
        """All of them, at once."""
        for life in self._children:
            life.send_signal(signal.SIGKILL)

    def _forget(self, life: Life) -> None:
        del self._children[life], self._tasks[life]

"""A call as a thread sees it: it reads the body and sends the reply, and waits for as long as either takes.

A `Call` belongs to the event loop. So each method for the thread posts what is to be done with it there (`threads.py`);
those that wait sleep until the event loop has answered, which it does in every case, once: with what was asked for, or
with the reason why there is none.

What a call holds in memory: of the request's body what the thread was handed last and what has come since, a stream's
window each; of the reply MAX_UNSENT_BYTES on the way to the event loop, what `Call.drain` lets wait, and the piece that
the application has just made. While more of a reply waits than `Call.drain` lets, its slot is not free, though its
thread may be.
"""

import asyncio
from _thread import allocate_lock
from collections.abc import Callable, Coroutine
from typing import Any, Final

from zerogate.worker.call import Call
from zerogate.worker.errors import ClientDisconnected
from zerogate.worker.threads import Threads

# So much may be on its way before the thread waits until it has gone on.
MAX_UNSENT_BYTES: Final = 64 * 1024

Answer = tuple[bytes | None, bool] | BaseException | None


class ThreadCall:
    """Made in the event loop, where it is to be the `Work` of its call.

    body: what of the request's body is here already; None: nothing of it yet
    has_body_ended: that was the last of it
    """

    __slots__ = (
        "_answer",
        "_is_cancelled",
        "_is_full",
        "_lock",
        "_threads",
        "_unsent_bytes",
        "_waiting",
        "body",
        "call",
        "has_body_ended",
    )

    def __init__(self, threads: Threads, call: Call) -> None:
        self._threads = threads
        self.call = call
        self.body = call.take_body()
        self.has_body_ended = self.body is not None and call.has_body_ended
        self._unsent_bytes = 0
        self._is_full = False
        self._is_cancelled = False
        self._waiting: asyncio.Task[Any] | None = None
        self._lock = allocate_lock()
        self._answer: Answer = None
        self._lock.acquire()

    def __repr__(self) -> str:
        return f"<ThreadCall {self.call.label}>"

    # For the thread

    @property
    def is_over(self) -> bool:
        """Nobody hears what is said: the client has left, or the worker does not wait any longer."""
        return self._is_cancelled or self.call.is_gone

    def read_body(self) -> bytes:
        """The next piece of the body, waited for; empty at its end. Raises ClientDisconnected."""
        if self.has_body_ended:
            return b""
        self._check()
        answer = self._ask(self._read)
        assert answer is not None
        piece, self.has_body_ended = answer
        if piece is None:
            raise ClientDisconnected("the client has left")
        return piece

    def begin_reply(self, block: bytes, data: bytes, more: bool) -> None:
        """The head of the reply (`reply_block`) and the first of its body. Raises ClientDisconnected."""
        self._check()
        self._threads.post(self._begin, block, data, more)
        self._go_on(len(data), more)

    def send_body(self, data: bytes, more: bool) -> None:
        """More of the reply's body, the last of it unless there is `more`. Raises ClientDisconnected."""
        self._check()
        self._threads.post(self._send, data, more)
        self._go_on(len(data), more)

    def end(self, *, has_failed: bool) -> None:
        """The thread has done with it. Nothing may be asked of it any more."""
        self._threads.post(self._end, has_failed)

    def _check(self) -> None:
        if self.is_over:
            raise ClientDisconnected("the client has left")

    def _go_on(self, n_bytes: int, more: bool) -> None:
        """Wait, if much is on its way. For the last piece nobody waits: the thread has done."""
        self._unsent_bytes += n_bytes
        if more and self._unsent_bytes > MAX_UNSENT_BYTES:
            self._unsent_bytes = 0
            self._ask(self._drain)
            self._check()

    def _ask(self, begin: Callable[[], None]) -> tuple[bytes | None, bool] | None:
        self._threads.post(self._begin_answer, begin)
        self._lock.acquire()
        answer, self._answer = self._answer, None
        if isinstance(answer, BaseException):
            try:
                raise answer
            finally:
                # It knows this frame by now, and by it what the application was about to send.
                del answer
        return answer

    # For the event loop

    def cancel(self) -> None:
        """Nobody waits any longer. The thread hears of it when it next reads or sends: it cannot be interrupted."""
        self._is_cancelled = True
        self.call.break_off()
        if self._waiting is not None:
            self._waiting.cancel()

    def _begin(self, block: bytes, data: bytes, more: bool) -> None:
        if not self.is_over:
            self.call.begin_reply(block)
            self._is_full = self.call.send_body(data, more)

    def _send(self, data: bytes, more: bool) -> None:
        if not self.is_over:
            self._is_full = self.call.send_body(data, more)

    def _end(self, has_failed: bool) -> None:
        self._threads.finished()
        if has_failed:
            self.call.break_off()
        if self._is_full and not self.is_over:
            self._wait_for(self.call.drain(), self._release)
        else:
            self._release()

    def _release(self, _: object = None) -> None:
        self.call.end()

    def _begin_answer(self, begin: Callable[[], None]) -> None:
        try:
            begin()
        except Exception as error:
            # Whatever it is: the thread must not wait for ever.
            self._wake(error)

    def _read(self) -> None:
        data = self.call.take_body()
        if data is not None:
            self._wake((data, self.call.has_body_ended))
        else:
            self._wait_for(self._next_piece(), self._answer_with)

    async def _next_piece(self) -> tuple[bytes | None, bool]:
        data = await self.call.read_body()
        # Now, and not when the thread is told: more may have come by then.
        return data, self.call.has_body_ended

    def _drain(self) -> None:
        if self._is_full:
            self._wait_for(self.call.drain(), self._answer_with)
        else:
            self._wake(None)

    def _wait_for(self, coroutine: Coroutine[Any, Any, Any], then: "Callable[[asyncio.Task[Any]], None]") -> None:
        self._waiting = asyncio.ensure_future(coroutine)
        self._waiting.add_done_callback(then)
        if self._is_cancelled:
            self._waiting.cancel()

    def _answer_with(self, task: "asyncio.Task[Any]") -> None:
        self._waiting = None
        if task.cancelled():
            self._wake(ClientDisconnected("nobody waits any longer"))
        else:
            self._wake(task.exception() or task.result())

    def _wake(self, answer: Answer) -> None:
        self._answer = answer
        self._lock.release()

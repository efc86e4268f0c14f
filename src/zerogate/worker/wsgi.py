"""The WSGI host: one call of the application for each request, in a thread (PEP 3333).

Threads are the capacity. The event loop has the link, and never waits for one of them; what passes between is in
`threads.py` and `thread_call.py`.
"""

import asyncio
import contextlib
import logging
from contextvars import Context
from functools import partial

from zerogate.worker.call import Call
from zerogate.worker.host import Host
from zerogate.worker.thread_call import ThreadCall
from zerogate.worker.threads import Threads
from zerogate.worker.wsgi_environ import make_environ, root_of
from zerogate.worker.wsgi_reply import WsgiReply
from zerogate.worker.wsgi_types import WsgiApplication

logger = logging.getLogger("zerogate.worker")

# A body in chunks has no length. So long it is waited for, and so much of it, to see its end: chunks that are sent at
# once come within a round trip, and who sends now and then is not held up for long.
CHUNKS_WAIT_S = 0.25
MAX_CHUNKS_BYTES = 64 * 1024


class WsgiHost(Host):
    """Hosts a WSGI application in at most `n_threads` threads.

    root_path: where the application is mounted
    strips_prefix: it is mounted below that, at the prefix which the router has taken off the path
    """

    def __init__(
        self, application: WsgiApplication, n_threads: int, *, root_path: str = "", strips_prefix: bool = False
    ) -> None:
        self._application = application
        self._loop = asyncio.get_running_loop()
        self._threads = Threads(n_threads)
        self._root = root_of(root_path)
        self._strips_prefix = strips_prefix

    async def start(self) -> None:
        """There is nothing to make ready: threads are made when they are needed."""

    async def stop(self) -> None:
        self._threads.stop()

    def begin(self, call: Call) -> None:
        if not call.fields.keys() >= {b":method", b":path"}:
            raise KeyError("no :method or no :path")
        fields = call.fields
        if call.has_body_ended:
            self._start(call)
        elif b"content-length" in fields or b"expect" in fields:
            # Most bodies come along with their request, and are heard of in this turn: so no thread has to ask for one.
            self._loop.call_soon(self._start_late, call)
        else:
            call.work = self._loop.create_task(self._start_with_length(call))

    def _start(self, call: Call) -> None:
        thread_call = ThreadCall(self._threads, call)
        # A context of its own: what one request leaves in a context variable is no business of the next.
        self._threads.start(partial(Context().run, self._run, thread_call))
        call.work = thread_call

    async def _start_with_length(self, call: Call) -> None:
        """Of a body in chunks that is here soon there is a length to be told. Many applications read none without."""
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CHUNKS_WAIT_S):
                    await call.collect_body(MAX_CHUNKS_BYTES)
        except asyncio.CancelledError:
            call.break_off()
            call.end()
        else:
            self._start_late(call)

    def _start_late(self, call: Call) -> None:
        try:
            self._start(call)
        except Exception:
            logger.exception("%s could not be begun", call.label)
            call.break_off()
            call.end()

    def _run(self, thread_call: ThreadCall) -> None:
        """Call the application and see the reply through, whatever it does. In a thread."""
        has_failed = False
        try:
            if not thread_call.is_over:  # Nothing is begun for who has left already.
                self._respond(thread_call)
        except BaseException:
            # All of them, SystemExit too: a thread ends with its host.
            if thread_call.is_over:
                # Whatever an application makes of ClientDisconnected: it is no failure.
                logger.debug("%s ended after its client had left", thread_call.call.label, exc_info=True)
            else:
                logger.exception("%s failed", thread_call.call.label)
                has_failed = True
        finally:
            thread_call.end(has_failed=has_failed)

    def _respond(self, thread_call: ThreadCall) -> None:
        reply = WsgiReply(thread_call, is_head=thread_call.call.fields[b":method"] == b"HEAD")
        environ = make_environ(thread_call, self._root, strips_prefix=self._strips_prefix)
        result = self._application(environ, reply.start_response)
        try:
            reply.send(result)
        finally:
            # PEP 3333: "regardless of whether the request was completed normally, or terminated early".
            close = getattr(result, "close", None)
            if close is not None:
                close()

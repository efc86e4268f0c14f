"""Where a process says how it is, to who asks on this machine as the same user: a Unix socket, with nothing to set.

Whoever connects reads one JSON object:

    {"pid": of this process, "command": of the command that it belongs to, "children": [kinds], "conditions": [...]}

`children` are those that a command has started, by the first word of their arguments. The event loop answers: if it is
held up, nobody does, and that is an answer as well.
"""

import contextlib
import json
import logging
import os
import socket
from collections.abc import Callable, Sequence

from zerogate.child import report_pipe
from zerogate.condition import Condition
from zerogate.link.accept import Acceptor
from zerogate.runtime import make_directory

logger = logging.getLogger("zerogate")

PREFIX = "check-"
BACKLOG = 16


class CheckPort:
    """From `open` to `close`, in the running event loop. A process that can have none does without."""

    def __init__(self, conditions: Callable[[], Sequence[Condition]], children: Sequence[str] = ()) -> None:
        self._conditions = conditions
        self._children = list(children)
        self._sock: socket.socket | None = None
        self._acceptor: Acceptor | None = None
        self._path = ""

    def open(self) -> None:
        try:
            try:
                self._open()
            except FileNotFoundError:
                self._open()  # Another process has removed the folder just now, as the last that was there.
        except OSError as error:
            logger.debug("`zerogate check` will not find this process: %s", error)

    def close(self) -> None:
        if self._sock is not None and self._acceptor is not None:
            self._acceptor.pause()
            self._sock.close()
            self._sock = self._acceptor = None
            directory = os.path.dirname(self._path)
            with contextlib.suppress(OSError):
                os.unlink(self._path)
                os.rmdir(directory)  # unless others are still there

    def _open(self) -> None:
        self._path = os.path.join(make_directory(), f"{PREFIX}{os.getpid()}")
        # Where nobody looks, until somebody answers: who finds one that is mute takes it for one of the dead.
        unseen = os.path.join(os.path.dirname(self._path), f".{os.path.basename(self._path)}")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(unseen)
            sock.bind(unseen)
            sock.setblocking(False)
            sock.listen(BACKLOG)
            os.replace(unseen, self._path)  # also that of another one that had our number
        except OSError:
            sock.close()
            raise
        self._sock = sock
        self._acceptor = Acceptor(sock, self._answer, "zerogate check")
        self._acceptor.resume()

    def _answer(self, sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError):  # It has gone again.
            sock.setblocking(False)
            sock.send(self._words())  # A few hundred octets: there is room for them.

    def _words(self) -> bytes:
        command = os.getppid() if report_pipe() is not None else os.getpid()
        conditions = [each._asdict() for each in self._conditions()]
        found = {"pid": os.getpid(), "command": command, "children": self._children, "conditions": conditions}
        return json.dumps(found).encode()

"""Whether an attached server is well: how it is asked, and what several answers mean together."""

import asyncio
import errno
from dataclasses import dataclass

from zerogate.errors import ReplyError
from zerogate.settings import ServerSettings
from zerogate.wire.http1.reply_reader import ReplyReader, ServerHead
from zerogate.worker.attach.target import Target
from zerogate.worker.printable import printable

READ_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check has found.

    reason: what is wrong, for people; empty if the server is well
    is_certain: nobody listens: there is no use in asking again before it is believed
    """

    reason: str = ""
    is_certain: bool = False


WELL = Finding()


async def check(target: Target, settings: ServerSettings) -> Finding:
    """Ask the server: for `--health` if that is set, and else for a connection."""
    writer: asyncio.StreamWriter | None = None
    try:
        async with asyncio.timeout(settings.health_timeout):
            if target.path:
                reader, writer = await asyncio.open_unix_connection(target.path)
            else:
                reader, writer = await asyncio.open_connection(target.host, target.port)
            return await _ask(reader, writer, target, settings.health) if settings.health else WELL
    except TimeoutError:
        return Finding(f"it has not answered within {settings.health_timeout:g} s")
    except OSError as error:
        return Finding("nobody listens there", is_certain=True) if is_refusal(error) else Finding(str(error))
    except ReplyError as error:
        return Finding(error.reason)
    finally:
        if writer is not None:
            writer.transport.abort()


def is_refusal(error: OSError) -> bool:
    """Whether nobody listens. Of a name with several addresses asyncio has one error, with the words of each."""
    words = str(error)
    n_refused = words.count(f"[Errno {errno.ECONNREFUSED}]")
    return isinstance(error, ConnectionRefusedError | FileNotFoundError) or 0 < n_refused == words.count("[Errno ")


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, target: Target, path: str) -> Finding:
    request = f"GET {path} HTTP/1.1\r\nhost: {target.authority}\r\nuser-agent: zerogate\r\nconnection: close\r\n\r\n"
    writer.write(request.encode())
    reply = ReplyReader()
    reply.expect(b"GET")
    while True:
        data = await reader.read(READ_BYTES)
        for event in reply.receive(data) if data else reply.end():
            if isinstance(event, ServerHead):
                is_well = 200 <= event.status < 400
                return WELL if is_well else Finding(f"{printable(path.encode())} gives {event.status}")


class Judge:
    """Several findings running make a verdict: one swallow makes no summer.

    `n_failures` running, or one that is certain, and the server is down; then `n_passes` running, and it is up. At
    first it is down, and one that is well is enough.
    """

    def __init__(self, n_failures: int, n_passes: int) -> None:
        self._n_failures = n_failures
        self._n_passes = n_passes
        self._n_running = 0
        self._was_up = False
        self.is_up = False

    def __repr__(self) -> str:
        return f"<Judge {'up' if self.is_up else 'down'}, {self._n_running} against it>"

    def hear(self, finding: Finding) -> bool:
        """Returns whether the verdict has changed."""
        if (not finding.reason) == self.is_up:
            self._n_running = 0
            return False
        self._n_running += 1
        enough = self._n_failures if self.is_up else self._n_passes if self._was_up else 1
        if self._n_running < enough and not finding.is_certain:
            return False
        self._n_running = 0
        self.is_up = not self.is_up
        self._was_up = True
        return True

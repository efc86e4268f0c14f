"""What stands behind a proxy in `scale.py`: many workers, or many HTTP servers, in one process, each quite cheap.

Each gives the application's reply to `/` (app.py) to whatever is asked. A file says that all are there.
"""

import argparse
import asyncio
import os
import sys
from pathlib import Path
from typing import Any

import replies
import uvloop

from zerogate.link.link import Link
from zerogate.settings import LinkSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.wire.http.join import Join, parse_join_reply
from zerogate.wire.http.routes import parse_route
from zerogate.wire.spdy.headers import encode_block

# More than there are clients: whoever has least in flight is asked, and nobody is full.
CAPACITY = 256
END_OF_HEAD = b"\r\n\r\n"

STATUS, FIELDS, BODY = replies.reply_to("GET", "/", [], b"") or (404, [], b"")
BLOCK = encode_block({b":status": b"%d OK" % STATUS, b":version": b"HTTP/1.1", **dict(FIELDS)})
REPLY = b"".join((b"HTTP/1.1 %d OK\r\n" % STATUS, *(b"%s: %s\r\n" % field for field in FIELDS), b"\r\n", BODY))


class Workers:
    """The owner of the workers' links (link/link.py, LinkOwner), and the handler of their JOIN streams."""

    def __init__(self, n_links: int, routes: list[str]) -> None:
        self._routes = [parse_route(route) for route in routes]
        self._n_due = n_links
        self.are_there = asyncio.Event()
        self.has_ended = asyncio.Event()

    async def dial(self, endpoint: str, n_links: int) -> None:
        """As many links as that, one after the other."""
        where = parse_endpoint(endpoint)
        loop = asyncio.get_running_loop()
        for _ in range(n_links):
            while True:
                try:
                    if where.path:
                        await loop.create_unix_connection(self._make_link, where.path)
                    else:
                        await loop.create_connection(self._make_link, where.host, where.port)
                    break
                except (ConnectionRefusedError, FileNotFoundError):
                    await asyncio.sleep(0.05)

    def _make_link(self) -> Link:
        return Link(self, LinkSettings(), is_router=False, max_concurrent=CAPACITY)

    def on_connected(self, link: Link) -> None: ...

    def on_ready(self, link: Link) -> None:
        join: Any = self
        name = f"worker-{self._n_due}"
        link.open_stream(encode_block(Join(name, self._routes).fields()), True, join)

    def on_reply(self, fields: Any, fin: bool) -> None:
        """To a JOIN."""
        reply = parse_join_reply(fields)
        if not reply.is_accepted:
            print(f"cannot join: {reply.reason}", file=sys.stderr)
            self.has_ended.set()
        self._n_due -= 1
        if not self._n_due:
            self.are_there.set()

    def on_reset(self, status: int) -> None: ...

    def on_lost(self, reason: str) -> None: ...

    def on_stream(self, link: Link, stream: Any, fields: Any, fin: bool) -> None:
        link.send_whole_reply(stream, BLOCK, BODY)

    def on_settings(self, link: Link, max_concurrent: int) -> None: ...

    def on_goaway(self, link: Link, last_stream_id: int) -> None: ...

    def on_suspect(self, link: Link, is_suspect: bool) -> None: ...

    def on_closed(self, link: Link, reason: str) -> None:
        self.has_ended.set()


class Server(asyncio.Protocol):
    """A connection of an HTTP server, to requests without bodies."""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._kept = b""

    def data_received(self, data: bytes) -> None:
        kept = self._kept + data
        n_requests = kept.count(END_OF_HEAD)
        if n_requests:
            self._transport.write(REPLY * n_requests)
        self._kept = kept.rpartition(END_OF_HEAD)[2]


async def run(options: argparse.Namespace) -> None:
    """Until nobody is there to answer any more, or for ever."""
    if options.connect:
        routes = options.routes.read_text().split()
        workers = Workers(options.links, routes)
        await workers.dial(options.connect, options.links)
        there = [asyncio.ensure_future(event.wait()) for event in (workers.are_there, workers.has_ended)]
        await asyncio.wait(there, return_when=asyncio.FIRST_COMPLETED)
        ended = workers.has_ended
    else:
        loop = asyncio.get_running_loop()
        for address in options.serve.read_text().split():
            host, _, where = address.partition(":")
            if host == "unix":
                await loop.create_unix_server(Server, where)
            else:
                await loop.create_server(Server, host, int(where))
        ended = asyncio.Event()
    options.ready.touch()
    await ended.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ready", type=Path, required=True, help="file to make when all are there")
    parser.add_argument("--connect", metavar="ENDPOINT", help="be workers of this router")
    parser.add_argument("--links", type=int, default=1, help="how many [1]")
    parser.add_argument("--routes", type=Path, help="file of the routes that each of them serves")
    parser.add_argument("--serve", type=Path, help="be HTTP servers, one at each address that is in this file")
    os.umask(0)  # a proxy that is another user connects to our sockets
    uvloop.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()

"""What a worker says of itself when it joins (protocol.md, Joining)."""

import sys
from collections.abc import Callable

from zerogate.errors import UsageError, ZerogateError
from zerogate.link.handlers import Fields, StreamHandler
from zerogate.link.link import Link
from zerogate.settings import WorkerSettings
from zerogate.version import __version__
from zerogate.wire.http.join import Join, parse_join
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import make_terms
from zerogate.wire.spdy.headers import decode_block, encode_block


def join_block(settings: WorkerSettings, process_id: str = "") -> bytes:
    """The name/value block of a JOIN. Raises RouteError or TermsError."""
    return encode_block(join_of(settings, process_id).fields())


def join_of(settings: WorkerSettings, process_id: str = "") -> Join:
    """What a worker with these settings says of itself. Raises RouteError or TermsError."""
    return Join(
        settings.name,
        [parse_route(text) for text in settings.route],
        settings.weight,
        f"zerogate/{__version__}",
        settings.strip_prefix,
        process_id,
        settings.timeout,
        settings.idle_timeout,
        settings.max_body,
        make_terms(settings.label, settings.share, settings.sticky),
    )


def check_join(settings: WorkerSettings) -> None:
    """Find out here, not at the router, that no router could take this worker's JOIN. Raises UsageError."""
    try:
        parse_join(decode_block(join_block(settings)), max_routes=sys.maxsize)
    except ZerogateError as error:
        raise UsageError(f"no router would take this worker: {error.reason}") from error


class JoinHandler(StreamHandler):
    """The handler of a JOIN's stream: `on_joined` hears the router's answer."""

    def __init__(self, link: Link, on_joined: Callable[[Link, Fields], None]) -> None:
        self._link = link
        self._on_joined = on_joined

    def on_reply(self, fields: Fields, fin: bool) -> None:
        self._on_joined(self._link, fields)

    def on_headers(self, fields: Fields, fin: bool) -> None:
        """Nothing is said beyond the reply."""

    def on_data(self, data: bytes, fin: bool) -> None:
        """A reply to JOIN has no body; one is ignored."""

    def on_writable(self) -> None:
        """Nothing is sent."""

    def on_reset(self, status: int) -> None:
        self._link.close(f"JOIN was reset with status {status}")

    def on_lost(self, reason: str) -> None:
        """Whoever has the link hears of it."""

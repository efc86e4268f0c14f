"""What a worker says of itself when it joins a router."""

import zerogate
from zerogate.settings import WorkerSettings
from zerogate.wire.http.join import Join
from zerogate.wire.http.routes import parse_route
from zerogate.wire.http.terms import make_terms
from zerogate.wire.spdy.headers import encode_block


def join_block(settings: WorkerSettings, process_id: str = "") -> bytes:
    """The name/value block of a JOIN (protocol.md, Joining). Raises RouteError or TermsError."""
    return encode_block(join_of(settings, process_id).fields())


def join_of(settings: WorkerSettings, process_id: str = "") -> Join:
    """What a worker with these settings says of itself. Raises RouteError or TermsError."""
    return Join(
        settings.name,
        [parse_route(text) for text in settings.route],
        settings.weight,
        f"zerogate/{zerogate.__version__}",
        settings.strip_prefix,
        process_id,
        settings.timeout,
        settings.idle_timeout,
        settings.max_body,
        make_terms(settings.label, settings.share, settings.sticky),
    )

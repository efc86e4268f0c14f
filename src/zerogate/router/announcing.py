"""What a router with `--discover` announces of itself."""

from collections.abc import Iterable

from zerogate.keys.files import router_key_pairs
from zerogate.keys.keyring import find_folder
from zerogate.link.mdns import Announcement
from zerogate.settings import RouterSettings
from zerogate.settings.endpoint import parse_endpoint
from zerogate.wire.zmtp import encode_key


def announcement(settings: RouterSettings, bind: Iterable[str]) -> Announcement | None:
    """Of the endpoints that it has bound; None if it shall not. Raises UsageError if that cannot be done here."""
    if not settings.discover:
        return None
    folder = find_folder(settings.keys)
    pairs = router_key_pairs(folder) if folder is not None else ()
    return Announcement(settings.name, map(parse_endpoint, bind), [encode_key(pair.public) for pair in pairs])

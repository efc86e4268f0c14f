"""Who a worker is to its routers: its key, and theirs."""

from zerogate.errors import UsageError, ZmtpError
from zerogate.keys.files import worker_key_pair
from zerogate.settings import DialSettings
from zerogate.wire.zmtp import CurveClient, Mechanism, decode_key


class Identity:
    """As the settings have it; without keys it is nobody in particular. Raises UsageError."""

    def __init__(self, settings: DialSettings) -> None:
        self._key_pair = worker_key_pair(settings.key) if settings.key else None
        try:
            self._router_key = decode_key(settings.router_key) if settings.router_key else b""
        except ZmtpError as error:
            raise UsageError(f"--router-key {settings.router_key}: {error.reason}") from error

    def __repr__(self) -> str:
        return f"<Identity {self._key_pair or 'without a key'}>"

    def mechanisms(self) -> list[Mechanism]:
        """What a new connection to a router speaks."""
        return [] if self._key_pair is None else [CurveClient(self._key_pair, self._router_key)]

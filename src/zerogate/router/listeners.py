"""Where the router listens: which sockets it has, from its settings or from systemd, and what each is for."""

import asyncio
from collections.abc import Callable

from zerogate.errors import UsageError
from zerogate.link.endpoint import parse_address, parse_endpoint
from zerogate.link.listen import Listener, bind_endpoint, bind_tcp, inherited_listeners
from zerogate.settings import RouterSettings

MakeProtocol = Callable[[], asyncio.Protocol]


class Listeners:
    """The listening sockets for clients, for links and for the admin port."""

    def __init__(self, settings: RouterSettings) -> None:
        self._settings = settings
        self.http: list[Listener] = []
        self.links: list[Listener] = []
        self.admin: list[Listener] = []

    def bind(self) -> None:
        """Bind every port, or take it over. Raises UsageError or StartError."""
        settings = self._settings
        inherited = inherited_listeners()
        self.http = inherited.http
        self.links = inherited.bind
        if not self.http:
            for address in settings.http:
                self.http += bind_tcp(*parse_address(address), f"--http {address}")
        if not self.links:
            for text in settings.bind:
                endpoint = parse_endpoint(text)
                if not endpoint.is_local and not settings.insecure:
                    raise UsageError(
                        f"--bind {text}: anybody who reaches this address could become a worker. Bind a loopback "
                        "address or ipc://, or say --insecure if the network is yours alone"
                    )
                self.links += bind_endpoint(endpoint, f"--bind {text}")
        if settings.admin != "off":
            self.admin = bind_tcp(*parse_address(settings.admin), f"--admin {settings.admin}")

    async def start(self, make_client: MakeProtocol, make_link: MakeProtocol, make_admin: MakeProtocol) -> None:
        """Take connections, and hand each to a protocol of its kind."""
        for listeners, make_protocol in ((self.http, make_client), (self.links, make_link), (self.admin, make_admin)):
            for listener in listeners:
                await listener.start(make_protocol)

    async def stop_http(self) -> None:
        """Take no new clients, but those that have connected already."""
        for listener in self.http:
            await listener.stop()

    def close(self) -> None:
        """Close every socket."""
        for listener in (*self.http, *self.links, *self.admin):
            listener.close()
        self.http, self.links, self.admin = [], [], []

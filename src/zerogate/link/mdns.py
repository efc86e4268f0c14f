"""Routers on the local network: announced and looked for by multicast DNS (RFC 6762, 6763). Both ends.

What is announced is where a router's port for workers is, and its public keys. Anybody on the network can announce
anything: whom to believe is for the worker to decide, by its keys (worker/discovery.py).
"""

import asyncio
import contextlib
import ipaddress
import logging
import secrets
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from zerogate.errors import UsageError
from zerogate.settings.endpoint import Endpoint, is_loopback

if TYPE_CHECKING:
    from zeroconf import Zeroconf
    from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

logger = logging.getLogger("zerogate.link")

SERVICE = "_zerogate._tcp.local."
# A label of a name (RFC 6763, 4.1.1), and what is left of it beside what tells two of a name apart.
MAX_LABEL_BYTES = 63
SUFFIX_BYTES = 9
# For the last words, which tell all others that it is gone.
GOODBYE_TIMEOUT_S = 2.0
# For a router's address and keys, once its name was heard.
RESOLVE_TIMEOUT_MS = 3000
# Names on the network that are looked at: more than any site has.
MAX_FOUND = 256

NOT_INSTALLED = "--discover: python-zeroconf is not installed (pip install 'zerogate[discover]')"


class Found(NamedTuple):
    """A router that somebody has announced.

    keys: its public keys, as text; empty if it says that it has none
    """

    name: str
    endpoints: tuple[Endpoint, ...]
    keys: tuple[str, ...]


def check_installed() -> None:
    """Raises UsageError."""
    try:
        import zeroconf  # noqa: F401
    except ImportError:
        raise UsageError(NOT_INSTALLED) from None


class Announcement:
    """Announces a router's ports, from `start` to `stop`. Ports that only this machine can reach, here alone."""

    def __init__(self, name: str, endpoints: Iterable[Endpoint], keys: Sequence[str]) -> None:
        """Raises UsageError if what it needs is not installed."""
        check_installed()
        self._name = name
        self._endpoints = [endpoint for endpoint in endpoints if not endpoint.path]
        self._keys = list(keys)
        self._open: list[AsyncZeroconf] = []
        self._task: asyncio.Task[None] | None = None

    def __repr__(self) -> str:
        return f"<Announcement {self._name}, {[endpoint.text for endpoint in self._endpoints]}>"

    def start(self) -> None:
        self._task = asyncio.create_task(self._announce(), name="announce")

    async def stop(self) -> None:
        """Tell that it is gone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        opened, self._open = self._open, []
        for each in opened:
            with contextlib.suppress(TimeoutError, OSError):
                async with asyncio.timeout(GOODBYE_TIMEOUT_S):
                    await each.async_unregister_all_services()
            await each.async_close()

    async def _announce(self) -> None:
        from zeroconf import ServiceInfo
        from zeroconf.asyncio import AsyncZeroconf

        for endpoint in self._endpoints:
            addresses = own_addresses(endpoint.host)
            label = self._name.encode()[: MAX_LABEL_BYTES - SUFFIX_BYTES].decode("utf-8", "ignore").replace(".", "-")
            info = ServiceInfo(
                SERVICE,
                f"{label}-{secrets.token_hex(4)}.{SERVICE}",
                port=endpoint.port,
                parsed_addresses=addresses,
                properties={"router": self._name, "keys": " ".join(self._keys)},
                server=f"zerogate-{secrets.token_hex(8)}.local.",
            )
            try:
                where = [address for address in addresses if ":" not in address] or _all_interfaces()
                opened = AsyncZeroconf(interfaces=where)
                self._open.append(opened)
                await (await opened.async_register_service(info))
            except OSError as error:
                logger.warning("--discover: %s cannot be announced: %s", endpoint.text, error.strerror or error)
            else:
                logger.info("announced %s on the local network (--discover)", endpoint.text)


class Search:
    """Looks for routers, from `start` to `stop`. `on_found` hears of each, and again when it has changed."""

    def __init__(self, on_found: Callable[[Found], None], on_gone: Callable[[str], None]) -> None:
        """`on_gone` hears the `name` of one that is gone. Raises UsageError if what it needs is not installed."""
        check_installed()
        self._on_found = on_found
        self._on_gone = on_gone
        self._open: AsyncZeroconf | None = None
        self._browser: AsyncServiceBrowser | None = None
        self._names: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    def __repr__(self) -> str:
        return f"<Search {len(self._names)} found>"

    def start(self) -> None:
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf

        try:
            self._open = AsyncZeroconf(interfaces=_all_interfaces())
            self._browser = AsyncServiceBrowser(self._open.zeroconf, SERVICE, handlers=[self._on_change])
        except OSError as error:
            logger.warning("--discover: nobody can be looked for: %s", error.strerror or error)

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._browser is not None:
            await self._browser.async_cancel()
        if self._open is not None:
            await self._open.async_close()
            self._open = None

    def _on_change(self, zeroconf: "Zeroconf", service_type: str, name: str, state_change: object) -> None:
        from zeroconf import ServiceStateChange

        if state_change is ServiceStateChange.Removed:
            self._names.discard(name)
            self._on_gone(name)
        elif name in self._names or len(self._names) < MAX_FOUND:
            self._names.add(name)
            task = asyncio.create_task(self._resolve(zeroconf, name), name="resolve")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _resolve(self, zeroconf: "Zeroconf", name: str) -> None:
        from zeroconf.asyncio import AsyncServiceInfo

        info = AsyncServiceInfo(SERVICE, name)
        if await info.async_request(zeroconf, RESOLVE_TIMEOUT_MS) and info.port and name in self._names:
            keys = (info.decoded_properties.get("keys") or "").split()
            self._on_found(Found(name, tuple(_endpoints(info.parsed_addresses(), info.port)), tuple(keys)))


def own_addresses(host: str) -> list[str]:
    """Where others find what listens at `host`: itself, or if it is every address, all of this machine's own."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        if host and host != "localhost":
            return _resolved(host)
        address = ipaddress.ip_address("127.0.0.1" if host else "0.0.0.0")
    if not address.is_unspecified:
        return [str(address)]
    import ifaddr  # zeroconf's own

    found = [ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips]
    own = [ipaddress.ip_address(ip if isinstance(ip, str) else ip[0]) for ip in found]
    kept = [each for each in own if each.version == address.version and not each.is_link_local]
    return [str(each) for each in kept if not each.is_loopback] or [str(each) for each in kept]


def is_of_this_machine(host: str) -> bool:
    """Whether an address is one of ours: then only we can listen there."""
    if is_loopback(host):
        return True
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
    except OSError:
        return False
    return True


def _resolved(host: str) -> list[str]:
    try:
        return sorted({str(found[4][0]) for found in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)})
    except OSError:
        return []


def _all_interfaces() -> list[str]:
    """This machine's addresses, its loopback among them: what is announced there alone is for this machine alone."""
    import ifaddr  # zeroconf's own

    found = {ip.ip for adapter in ifaddr.get_adapters() for ip in adapter.ips if isinstance(ip.ip, str)}
    return sorted({*found, "127.0.0.1"})


def _endpoints(addresses: Iterable[str], port: int) -> Iterator[Endpoint]:
    for address in addresses:
        where = f"[{address}]" if ":" in address else address
        yield Endpoint(f"tcp://{where}:{port}", address, port)

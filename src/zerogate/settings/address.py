"""An address in parts, as uvicorn's users know them."""

import ipaddress
from dataclasses import dataclass

from zerogate.errors import UsageError
from zerogate.settings.endpoint import MAX_PORT, parse_address
from zerogate.settings.option import Settings, count, text
from zerogate.settings.router import DEFAULT_HTTP

DEFAULT_HOST, DEFAULT_PORT = DEFAULT_HTTP.rpartition(":")[0], int(DEFAULT_HTTP.rpartition(":")[2])
# By which platforms say where their router will look for us: and that is not on loopback.
PORT_VARIABLE = "PORT"


def check_host(host: str) -> None:
    """Raises UsageError for what is no host alone."""
    try:
        if ":" in host:
            ipaddress.IPv6Address(host.removeprefix("[").removesuffix("]"))
        parse_address(joined(host, DEFAULT_PORT))
    except (UsageError, ValueError):
        raise UsageError("not a host: write a name or an address, and its port as --port") from None


def joined(host: str, port: int) -> str:
    """`HOST:PORT`, an IPv6 address in brackets; without a host every address."""
    return f"[{host}]:{port}" if ":" in host and not host.startswith("[") else f"{host}:{port}"


@dataclass(frozen=True, eq=False, repr=False)
class AddressSettings(Settings):
    """Listening, in parts."""

    host: str = text(
        DEFAULT_HOST,
        "The host of --http.",
        metavar="HOST",
        default_words=f"{DEFAULT_HOST}, or every address where {PORT_VARIABLE} says the port",
        check=check_host,
    )
    port: int = count(
        DEFAULT_PORT, "The port of --http.", high=MAX_PORT, zero="any that is free", variable=PORT_VARIABLE
    )
    uds: str = text("", "The same as --http unix:PATH.", metavar="PATH")

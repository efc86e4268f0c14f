"""Where to listen, from --http or from its parts: --host, --port and --uds."""

import click

from zerogate.cli.options import setting_options
from zerogate.cli.sources import Rank, rank, words
from zerogate.errors import UsageError
from zerogate.settings import AddressSettings
from zerogate.settings.address import joined

WORDS = "zerogate.address_words"


def settle_address(ctx: click.Context, *, is_settled: bool = False) -> None:
    """Put an address that is given in parts where --http would have it. The first to speak counts (`Rank`).

    For a child all is settled: its parent has said --http, and the parts are still in the environment. Raises
    UsageError if both are given in one place.
    """
    options = setting_options(ctx.command)
    parts = {name: option for name, option in options.items() if option.kind is AddressSettings}
    values = {name: ctx.params.pop(name, None) for name in parts}
    ctx.meta[WORDS] = ""
    given = {name: rank(ctx, option) for name, option in parts.items() if rank(ctx, option) > Rank.DEFAULT}
    if not given or is_settled:
        return
    highest = max(given.values())
    whole = options["http"]
    if rank(ctx, whole) > highest:
        return
    if rank(ctx, whole) == highest:
        name = next(name for name, each in given.items() if each == highest)
        raise UsageError(
            f"{words(ctx, whole)} and {words(ctx, parts[name])}: both say where to listen, give one of them"
        )
    if given.get("uds") == highest:
        if other := next((name for name, each in given.items() if each == highest and name != "uds"), None):
            raise UsageError(
                f"{words(ctx, parts['uds'])} and {words(ctx, parts[other])}: a path has no host and no port"
            )
        used, address = ["uds"], f"unix:{values['uds']}"
    else:
        used = [name for name in ("host", "port") if name in given]
        defaults = AddressSettings()
        # A platform that says the port will come from outside.
        host = "" if given.get("port") is Rank.FOREIGN_VARIABLE else defaults.host
        port = values["port"] if "port" in given else defaults.port
        address = joined(values["host"] if "host" in given else host, port)
    ctx.params["http"] = (address,)
    ctx.meta[WORDS] = ", ".join(words(ctx, parts[name]) for name in used)

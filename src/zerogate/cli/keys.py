"""`zerogate keys`: making, listing and taking back the keys by which routers and workers know each other."""

import shlex
from pathlib import Path
from typing import Any

import click

from zerogate.cli.command import Group
from zerogate.cli.options import make_settings, settings_options
from zerogate.console import say, show
from zerogate.errors import UsageError
from zerogate.keys.files import WORKERS, default_folder, finish_rotation, make_router_key, rotate_router_key
from zerogate.keys.files import router_key_pairs as find_router_keys
from zerogate.keys.grants import shadows
from zerogate.keys.key_list import Entry, add_entry, check_name, read_key_list, remove_entry
from zerogate.settings import KeySettings, RotationSettings, WorkerKeySettings, environment_name
from zerogate.table import table
from zerogate.wire.http.routes import RouteError, parse_route
from zerogate.wire.zmtp import encode_key, make_key_pair


@click.group(cls=Group)
def keys() -> None:
    """Make the keys by which a router and its workers know each other.

    A router that has keys takes workers from anywhere, if they are on its list, and each for its routes alone. Whoever
    has a key can be a worker: a key is a password.
    """


@keys.command(params=settings_options(KeySettings))
def router(**options: Any) -> None:
    """Make a router's key.

    It stays in the folder, which the router must be able to read. Routers that share their workers share the folder.
    """
    folder = _folder(make_settings(KeySettings, options))
    pair = make_router_key(folder)
    say(
        f"made {folder}: the router's key is there, and the list of its workers will be",
        "Its public half, which workers are told:",
    )
    show(encode_key(pair.public))
    say("Next, for each worker: zerogate keys worker NAME --route example.org/api --connect tcp://THIS-HOST:8000")


@keys.command(params=settings_options(WorkerKeySettings))
@click.argument("name")
def worker(name: str, **options: Any) -> None:
    """Make a key for the worker NAME, and put it on the list.

    Prints the command line for the worker's machine. The key is in it, and nowhere else: it cannot be shown again.
    """
    settings = make_settings(WorkerKeySettings, options)
    folder = _folder(settings)
    router_key = encode_key(_router_keys(folder)[0].public)
    pair = make_key_pair()
    try:
        entry = Entry(pair.public, check_name(name), tuple(map(parse_route, settings.route)))
    except RouteError as error:
        raise UsageError(f"--route: {error.reason}") from error
    path = folder / WORKERS
    for other in read_key_list(path).entries:
        for grant in entry.grants:
            if any(shadows(grant, theirs) for theirs in other.grants):
                say(f"note: {name} goes before {other.name} at {grant}")
    add_entry(path, entry)
    say(f"{name} may serve {' '.join(map(str, entry.grants))}. On its machine, with your application for APP:")
    words = [
        *("zerogate", "worker", "APP", "--name", name, "--connect", settings.connect, "--router-key", router_key),
        *(word for route in map(str, entry.grants) if route != "*" for word in ("--route", route)),
    ]
    show(f"{environment_name('key')}={shlex.quote(encode_key(pair.secret))} {shlex.join(words)}")


@keys.command("list", params=settings_options(KeySettings))
def list_keys(**options: Any) -> None:
    """Show whose keys are on the list, and what they are for."""
    folder = _folder(make_settings(KeySettings, options))
    pairs = _router_keys(folder)
    entries = read_key_list(folder / WORKERS).entries
    rows = [(entry.name, " ".join(map(str, entry.grants)), encode_key(entry.key)) for entry in entries]
    show("\n".join(table([("WORKER", "ROUTES", "KEY"), *rows])))
    say("", *(f"router key: {encode_key(pair.public)}{' (the old one)' if n else ''}" for n, pair in enumerate(pairs)))


@keys.command(params=settings_options(KeySettings))
@click.argument("name")
def revoke(name: str, **options: Any) -> None:
    """Take the key of NAME off the list. Its links end within a second."""
    folder = _folder(make_settings(KeySettings, options))
    remove_entry(folder / WORKERS, name)
    say(f"{name} is off the list: routers that read {folder} end its links")


@keys.command(params=settings_options(RotationSettings), short_help="Change the router's key.")
@click.argument("what", type=click.Choice(["router"]))
def rotate(what: str, **options: Any) -> None:
    """Change the router's key: both the new and the old one are taken until --finish."""
    settings = make_settings(RotationSettings, options)
    folder = _folder(settings)
    if settings.finish:
        finish_rotation(folder)
        say("the old key is taken no more")
        return
    pair = rotate_router_key(folder)
    say("The old key is taken as well. Start each worker again with the new --router-key:")
    show(encode_key(pair.public))
    say("and then: zerogate keys rotate router --finish")


def _folder(settings: KeySettings) -> Path:
    return Path(settings.keys) if settings.keys else default_folder()


def _router_keys(folder: Path) -> tuple[Any, ...]:
    pairs = find_router_keys(folder)
    if not pairs:
        raise UsageError(f"{folder} has no router key: `zerogate keys router` makes it")
    return pairs

"""`zerogate config`: what is in force, and where each of it is from."""

import copy
from collections.abc import Iterator
from typing import Any

import click
from click.shell_completion import CompletionItem

from zerogate.cli.addresses import WORDS
from zerogate.cli.command import Command
from zerogate.cli.config_file import option_key
from zerogate.cli.options import SettingOption, every_command, make_settings, setting_options, settings_options
from zerogate.cli.sources import Rank, file_of, rank, words
from zerogate.console import say, show
from zerogate.settings import AddressSettings, ConfigSettings
from zerogate.settings.kinds import Text
from zerogate.settings.option import flag_name
from zerogate.table import table

HIDDEN = "(set, and not shown)"
HEADER = ("OPTION", "VALUE", "FROM")


class CommandWords(click.ParamType):  # type: ignore[type-arg] # click knows no argument before 8.4
    """A command, and what one would write behind it."""

    name = "command"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        if ctx.params.get("command"):
            return []
        root = ctx.find_root().command
        assert isinstance(root, click.Group)
        return [CompletionItem(name) for name in root.list_commands(ctx) if name.startswith(incomplete)]


class ConfigCommand(Command):
    """Leaves what is behind COMMAND to that command, and reads no file itself."""

    allow_interspersed_args = False


@click.command(
    cls=ConfigCommand,
    params=settings_options(ConfigSettings),
    short_help="Show which options are in force, and where they are from.",
)
@click.argument("command", nargs=-1, type=CommandWords(), metavar="[COMMAND [OPTION]...]")
@click.pass_context
def config(ctx: click.Context, command: tuple[str, ...], config: str | None) -> None:
    """Show which options COMMAND would have, and where each is from.

    From the command line (write the command as ever: `zerogate config run APP --port 80`), from a variable of the
    environment, from a file (zerogate.toml, or pyproject.toml), or its default: who comes first in this list goes
    before the others. Without COMMAND: what any command would have that is no default.
    """
    root = ctx.find_root().command
    assert isinstance(root, click.Group)
    given = [flag_name("config"), config] if config else []
    if command:
        inner = _context(ctx, root, list(command), given)
        _say_file(inner)
        show("\n".join(table([HEADER, *_rows(inner)])))
        return
    rows: list[tuple[str, ...]] = []
    inner = ctx
    for name in (name for name, each in every_command(root).items() if not isinstance(each, click.Group)):
        inner = _context(ctx, root, name.split(), given)
        rows += [(name, *row) for row in _rows(inner, only_given=True)]
    _say_file(inner)
    if rows:
        show("\n".join(table([("COMMAND", *HEADER), *rows])))
    else:
        say("Every option has its default: `zerogate config COMMAND` shows them.")


def _context(ctx: click.Context, root: click.Group, words: list[str], given: list[str]) -> click.Context:
    """As if the words had been written behind `zerogate`, with what is given before them; no argument is missed."""
    node: click.Command = root
    parent = ctx.find_root()
    name = ""
    while isinstance(node, click.Group):
        found, command, words = node.resolve_command(parent, words)
        assert command is not None
        name, node = f"{name} {found}".strip(), command
        if isinstance(node, click.Group) and not words:
            raise click.UsageError(f"which of its commands? {', '.join(node.list_commands(ctx))}", ctx)
    lenient = copy.copy(node)
    lenient.params = [_optional(param) for param in node.params]
    return lenient.make_context(name, [*given, *words], parent=parent)


def _optional(param: click.Parameter) -> click.Parameter:
    if not isinstance(param, click.Argument):
        return param
    changed = copy.copy(param)
    changed.required = False
    return changed


def _rows(ctx: click.Context, *, only_given: bool = False) -> Iterator[tuple[str, str, str]]:
    options = setting_options(ctx.command)
    settings: dict[Any, Any] = {}
    for setting, option in options.items():
        if option.kind in (AddressSettings, ConfigSettings) or option.option.is_hidden:
            continue
        if option.kind not in settings:
            settings[option.kind] = make_settings(option.kind, ctx.params)
        where = ctx.meta.get(WORDS, "") if setting == "http" else ""
        if where or rank(ctx, option) > Rank.DEFAULT or not only_given:
            value = _value(option, getattr(settings[option.kind], setting), is_given=where or rank(ctx, option))
            yield option_key(setting), value, where or words(ctx, option)


def _value(option: SettingOption, value: Any, *, is_given: object) -> str:
    if option.option.is_secret and value:
        return HIDDEN
    if not is_given and option.option.default_words and isinstance(option.option.kind, Text):
        return option.option.default_words
    return option.option.kind.show(value)


def _say_file(ctx: click.Context) -> None:
    file = file_of(ctx)
    say(f"file: {file.path if file is not None else 'none'}")

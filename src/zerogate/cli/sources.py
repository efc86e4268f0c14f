"""Where the value of an option is from: the command line, a variable, a file, or nobody."""

import enum

import click
from click.core import ParameterSource

from zerogate.cli.config_file import ConfigFile, Entry, find_config
from zerogate.cli.options import SettingOption, every_command, given_name, given_variable
from zerogate.settings.environment import environment_name

_FILE, _ENTRIES = "zerogate.config_file", "zerogate.config_entries"


class Rank(enum.IntEnum):
    """Who goes before whom."""

    DEFAULT = 0
    FILE = 1
    FOREIGN_VARIABLE = 2
    VARIABLE = 3
    OPTION = 4


def use_config(ctx: click.Context, name: str) -> None:
    """Have the options of a context's command that are given in the file. Raises UsageError."""
    root = ctx.find_root().command
    config = find_config(name)
    entries: dict[str, Entry] = {}
    if config is not None and isinstance(root, click.Group):
        entries = config.entries(root, _path(root, ctx.command))
    ctx.meta[_FILE], ctx.meta[_ENTRIES] = config, entries
    ctx.default_map = {setting: entry.value for setting, entry in entries.items()}


def file_of(ctx: click.Context) -> ConfigFile | None:
    """The file that was read."""
    found: ConfigFile | None = ctx.meta.get(_FILE)
    return found


def rank(ctx: click.Context, option: SettingOption) -> Rank:
    match ctx.get_parameter_source(option.setting):
        case ParameterSource.COMMANDLINE:
            return Rank.OPTION
        case ParameterSource.ENVIRONMENT:
            is_ours = given_variable(option.setting, option.option) == environment_name(option.setting)
            return Rank.VARIABLE if is_ours else Rank.FOREIGN_VARIABLE
        case ParameterSource.DEFAULT_MAP:
            return Rank.FILE
        case _:
            return Rank.DEFAULT


def words(ctx: click.Context, option: SettingOption) -> str:
    """For people: `--port` (as it was written), `ZEROGATE_PORT`, `zerogate.toml: run.port` or `default`."""
    match rank(ctx, option):
        case Rank.OPTION:
            return given_name(ctx, option)
        case Rank.VARIABLE | Rank.FOREIGN_VARIABLE:
            return given_variable(option.setting, option.option)
        case Rank.FILE:
            entries: dict[str, Entry] = ctx.meta[_ENTRIES]
            return entries[option.setting].where
        case Rank.DEFAULT:
            return "default"


def _path(root: click.Group, command: click.Command) -> list[str]:
    """What one types for a command, or for a copy of it."""
    return next(name.split() for name, each in every_command(root).items() if each.callback is command.callback)

"""Options from a file: zerogate.toml, or [tool.zerogate] in pyproject.toml.

A key is an option's name, as on the command line without its dashes. On top it is for every command that has the
option; in a command's table (`[router]`, `[keys.worker]`) for that command, whose own goes before.
"""

import difflib
import json
import os
import select
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import click

from zerogate.cli.elsewhere import elsewhere
from zerogate.cli.options import SettingOption, every_command, setting_options
from zerogate.cli.suggestions import meant_setting, who_has
from zerogate.errors import UsageError
from zerogate.settings import ConfigSettings
from zerogate.settings.kinds import MIB, OFF_WORD

OWN_FILE = "zerogate.toml"
PYPROJECT = "pyproject.toml"
TABLE = ("tool", "zerogate")

MAX_SHOWN_CHARS = 60
# Far more than anybody writes.
MAX_FILE_BYTES = 16 * MIB
# For whoever writes into a pipe: one who asks another machine for a secret has time to.
PIPE_PATIENCE_S = 15.0


class Entry(NamedTuple):
    """A value that is given there. `where` names file and key, for people."""

    value: Any
    where: str


@dataclass(frozen=True)
class ConfigFile:
    """`prefix` is what stands before each key, as people would write it."""

    path: str
    prefix: str
    content: Mapping[str, Any]

    def entries(self, group: click.Group, path: list[str]) -> dict[str, Entry]:
        """What is given for the command at `path`, by settings. Raises UsageError for anything that cannot be."""
        self._check(group, group, self.content, ())
        node: click.Command = group
        tables: list[tuple[tuple[str, ...], Mapping[str, Any]]] = [((), self.content)]
        for n, name in enumerate(path, 1):
            assert isinstance(node, click.Group)
            node = node.commands[name]
            table = tables[-1][1].get(name, {})
            tables.append((tuple(path[:n]), table if isinstance(table, dict) else {}))
        options = _options(node)
        found: dict[str, Entry] = {}
        for keys, table in tables:
            for key, value in _plain(table):
                if (option := options.get(_setting(key))) is not None:
                    found[option.setting] = self._take(option, (*keys, key), value)
        return found

    def _take(self, option: SettingOption, keys: tuple[str, ...], value: Any) -> Entry:
        where = f"{self.path}: {self.prefix}{'.'.join(keys)}"
        try:
            return Entry(option.option.kind.take(value), where)
        except UsageError as error:
            shown = "" if option.option.is_secret else f" = {_shown(value)}"
            raise UsageError(f"{where}{shown}: {error.reason}") from None

    def _check(self, root: click.Group, node: click.Command, table: Mapping[str, Any], keys: tuple[str, ...]) -> None:
        """See that there is nothing that no command knows, wherever it is."""
        commands = node.commands if isinstance(node, click.Group) else {}
        seen: set[str] = set()
        for key, value in table.items():
            if isinstance(value, dict):
                if key not in commands:
                    raise UsageError(f"{self._written(keys, key)}: {_no_table(key, commands, _options(node))}")
                self._check(root, commands[key], value, (*keys, key))
            elif (setting := _setting(key)) not in _options(node):
                raise UsageError(f"{self._written(keys, key)}: {_no_option(root, node, key, keys)}")
            elif setting in seen:
                raise UsageError(f"{self._written(keys, key)}: is there twice, with - and with _")
            else:
                seen.add(setting)

    def _written(self, keys: tuple[str, ...], key: str) -> str:
        return f"{self.path}: {self.prefix}{'.'.join((*keys, key))}"


def find_config(name: str) -> ConfigFile | None:
    """The file that --config names; if it names none, what the current folder has. Raises UsageError.

    Of a folder that has both, zerogate.toml.
    """
    if name == OFF_WORD:
        return None
    if name:
        found = _read(name)
        if found is None:
            raise UsageError(f"--config {name}: it has no [{'.'.join(TABLE)}]")
        return found
    for path in (OWN_FILE, PYPROJECT):
        if Path(path).is_file() and (found := _read(path)) is not None:
            return found
    return None


def _read(path: str) -> ConfigFile | None:
    """None for a pyproject.toml that says nothing of us."""
    if words := elsewhere("config", path):
        raise UsageError(f"{path}: not TOML{words}")  # though it may well be read as such: `workers = 4`
    try:
        content = tomllib.loads(_octets(path).decode("utf-8"))
    except OSError as error:
        raise UsageError(f"--config {path}: {error.strerror or error}") from error
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path}: not TOML: {error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not TOML: it is not UTF-8") from error
    except ValueError as error:  # a number of thousands of digits
        raise UsageError(f"{path}: not TOML: {error}") from error
    except RecursionError:
        raise UsageError(f"{path}: it is nested too deeply") from None
    if Path(path).name != PYPROJECT:
        return ConfigFile(path, "", content)
    for name in TABLE:
        content = content.get(name, {})
        if not isinstance(content, dict):
            raise UsageError(f"{path}: {'.'.join(TABLE)}: not a table")
    return ConfigFile(path, f"{'.'.join(TABLE)}.", content) if content else None


def _octets(path: str) -> bytes:
    """All of it, also of a pipe, as a shell makes one of `<(COMMAND)`. Raises UsageError, OSError."""
    # At once: else it would wait, for ever perhaps, for somebody to open the other end of a pipe.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with open(fd, "rb", buffering=0) as file:
        octets = b""
        while select.select([fd], [], [], PIPE_PATIENCE_S)[0]:
            if not (piece := file.read(MAX_FILE_BYTES)):
                return octets
            octets += piece
            if len(octets) > MAX_FILE_BYTES:
                raise UsageError(f"--config {path}: more than {MAX_FILE_BYTES // MIB}M")
    raise UsageError(f"--config {path}: a pipe into which nobody has written for {PIPE_PATIENCE_S:g} s")


def _plain(table: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in table.items() if not isinstance(value, dict))


def _setting(key: str) -> str:
    return key.replace("-", "_")


def _options(node: click.Command) -> dict[str, SettingOption]:
    """What can be given for a command, or for any of a group's. Which file that is stands in no file."""
    commands = every_command(node).values() if isinstance(node, click.Group) else [node]
    return {
        setting: option
        for command in commands
        for setting, option in setting_options(command).items()
        if not option.option.is_hidden and option.kind is not ConfigSettings
    }


def _no_option(root: click.Group, node: click.Command, key: str, keys: tuple[str, ...]) -> str:
    """What to say of a key that is none."""
    options = _options(node)
    if meant := meant_setting(_setting(key), options):
        return f"is no option: did you mean {option_key(meant)}?"
    if keys and _setting(key) in _options(root):
        return f"is no option of `zerogate {' '.join(keys)}`: {who_has(_setting(key), root)}"
    return "is no option"


def _no_table(key: str, commands: Mapping[str, click.Command], options: Mapping[str, SettingOption]) -> str:
    if _setting(key) in options:
        return f"is an option, and no table: write {key} = ..."
    close = difflib.get_close_matches(key, commands, 1)
    return "is no command" + (f": did you mean [{close[0]}]?" if close else "")


def option_key(setting: str) -> str:
    """A setting as it is in a file."""
    return setting.replace("_", "-")


def _shown(value: Any) -> str:
    """As it stands there, in one line and if it is short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}..."

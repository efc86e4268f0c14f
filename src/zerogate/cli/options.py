"""Command-line options from settings: what click has to know of them, and help in sections."""

import os
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from zerogate.cli.elsewhere import elsewhere
from zerogate.errors import UsageError
from zerogate.settings.environment import is_of_kubernetes, variables
from zerogate.settings.kinds import Choice, Number, Text, Texts
from zerogate.settings.option import Option, Settings, flag_name, heading, noun_of, options_of

S = TypeVar("S", bound=Settings)

# In a context's meta: the words of the command line.
ARGUMENTS = "zerogate.arguments"

# What a shell completes by itself, for values that are shown so.
FILE_TYPES = {"FILE": "file", "PATH": "file", "DIR": "dir"}


class SettingType(click.ParamType):  # type: ignore[type-arg] # click knows no argument before 8.4
    """Reads an option's text as its declaration says."""

    def __init__(self, setting: str, option: Option) -> None:
        self.name = option.kind.metavar()
        self._setting = setting
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises click.UsageError: `--session-window 1k: at least 64k`."""
        kind = self._option.kind
        if not isinstance(value, str):
            return value
        try:
            if isinstance(kind, Texts):
                kind.check_text(value)
                return value
            return kind.parse(value)
        except UsageError as error:
            reason = f"{error.reason}{elsewhere(self._setting, value)}"
            raise click.UsageError(f"{self._where(param, ctx)}{value}: {reason}", ctx) from None

    def split_envvar_value(self, rv: str) -> list[str]:
        assert isinstance(self._option.kind, Texts)
        try:
            return self._option.kind.split(rv)
        except UsageError as error:
            name = given_variable(self._setting, self._option)
            raise click.UsageError(f"{name}={rv}: {error.reason}") from None

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        kind = self._option.kind
        if isinstance(kind, Choice):
            return [CompletionItem(word) for word in kind.words if word.startswith(incomplete)]
        if isinstance(kind, Text | Texts) and kind.placeholder in FILE_TYPES:
            return [CompletionItem(incomplete, type=FILE_TYPES[kind.placeholder])]
        return []

    def _where(self, param: click.Parameter | None, ctx: click.Context | None) -> str:
        source = ctx.get_parameter_source(self._setting) if ctx is not None else None
        if source is click.core.ParameterSource.ENVIRONMENT:
            return f"{given_variable(self._setting, self._option)}="
        return f"{given_name(ctx, param) if isinstance(param, SettingOption) else flag_name(self._setting)} "


class SettingOption(click.Option):
    """An option that is a setting of `kind`. It has no default of click's: the settings have it."""

    def __init__(self, kind: type[Settings], setting: str, option: Option, default: Any, **more: Any) -> None:
        self.kind = kind
        self.noun = noun_of(kind, setting)
        self.setting = setting
        self.option = option
        self.shown_default = option.default_words or _shown_default(option, default)
        is_flag = isinstance(default, bool)
        super().__init__(
            [flag_name(setting), setting, *option.aliases],
            type=None if is_flag else SettingType(setting, option),
            is_flag=is_flag,
            multiple=isinstance(option.kind, Texts),
            default=None,
            envvar=variables(setting, option),
            metavar=None if is_flag else option.kind.metavar(),
            help=option.help + self._notes(),
            hidden=option.is_hidden,
            **more,
        )

    def resolve_envvar_value(self, ctx: click.Context) -> str | None:
        return os.environ.get(given_variable(self.setting, self.option))

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """By our name: what others call it is among the notes."""
        record = super().get_help_record(ctx)
        metavar = f" {self.metavar}" if self.metavar else ""
        return record and (f"{flag_name(self.setting)}{metavar}", record[1])

    def _notes(self) -> str:
        """What is told beside the help: `[default: 60s; 0: no limit]`."""
        notes = [f"default: {self.shown_default}"] if self.shown_default else []
        notes += [self.option.range_words] if self.option.range_words else []
        if isinstance(kind := self.option.kind, Number) and (kind.off or kind.zero):
            notes.append(f"0: {kind.off or kind.zero}")
        notes += [f"also {', '.join(self.option.aliases)}"] if self.option.aliases else []
        return f"  [{'; '.join(notes)}]" if notes else ""


def given_variable(setting: str, option: Option) -> str:
    """The variable that has a value for it; "" if none has."""
    for name in variables(setting, option):
        if (value := os.environ.get(name)) and not is_of_kubernetes(name, value):
            return name
    return ""


def given_name(ctx: click.Context | None, option: SettingOption) -> str:
    """What it is called on a command line: `--workers` by who has written that."""
    found = flag_name(option.setting)
    for word in ctx.meta.get(ARGUMENTS, ()) if ctx is not None else ():
        if word == "--":
            break
        for name in option.opts:
            is_long = name.startswith("--")
            if word == name or word.startswith(f"{name}=" if is_long else name):
                found = name
    return found


def settings_options(*kinds: type[Settings], without: tuple[str, ...] = ()) -> list[click.Parameter]:
    """An option for each setting of these classes."""
    return [
        SettingOption(kind, field.name, option, field.default)
        for kind in kinds
        for field, option in options_of(kind)
        if field.name not in without
    ]


def setting_options(command: click.Command) -> dict[str, SettingOption]:
    """The options of a command that are settings, by the settings' names."""
    return {param.setting: param for param in command.params if isinstance(param, SettingOption)}


def make_settings(kind: type[S], options: dict[str, Any]) -> S:
    """Settings from a command's options; what was not given keeps its default. Raises UsageError."""
    names = {field.name for field, _ in options_of(kind)}
    given = {name: value for name, value in options.items() if name in names and value is not None and value != ()}
    return kind(**given)


def _shown_default(option: Option, default: Any) -> str:
    """A default as one would write it; "" where there is none to speak of."""
    if isinstance(default, bool) or default in ("", ()):
        return ""
    return ", ".join(default) if isinstance(default, tuple) else option.kind.show(default)


def format_sections(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """The options of a command, those of each noun under its heading."""
    sections: dict[str, list[tuple[str, str]]] = {}
    for param in command.get_params(ctx):
        if isinstance(param, click.Argument):
            continue  # The usage line and the command's own words have it.
        title = heading(param.noun) if isinstance(param, SettingOption) else "Help"
        if (record := param.get_help_record(ctx)) is not None:
            sections.setdefault(title, []).append(record)
    for title, records in sections.items():
        with formatter.section(title):
            formatter.write_dl(records)


def every_command(group: click.Group) -> dict[str, click.Command]:
    """A group's commands by what one types, those of groups within it too: `router`, `keys worker`."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        inside = every_command(command) if isinstance(command, click.Group) else {}
        found |= {name: command, **{f"{name} {each}": one for each, one in inside.items()}}
    return found

"""Command-line options from settings: what click has to know of them, and help in sections."""

from typing import Any, TypeVar

import click

from zerogate.errors import UsageError
from zerogate.settings.environment import environment_name
from zerogate.settings.kinds import Number, Texts
from zerogate.settings.option import Option, Settings, flag_name, heading, noun_of, options_of

S = TypeVar("S", bound=Settings)


class SettingType(click.ParamType):  # type: ignore[type-arg] # click knows no argument before 8.4
    """Reads an option's text as its declaration says."""

    def __init__(self, setting: str, option: Option) -> None:
        self.name = option.kind.metavar()
        self._setting = setting
        self._option = option

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Raises click.UsageError: `--session-window 1k: at least 64k`."""
        if not isinstance(value, str) or isinstance(self._option.kind, Texts):
            return value  # of several texts, each is as good as any
        try:
            return self._option.kind.parse(value)
        except UsageError as error:
            raise click.UsageError(f"{self._where(ctx)}{value}: {error.reason}", ctx) from None

    def split_envvar_value(self, rv: str) -> list[str]:
        assert isinstance(self._option.kind, Texts)
        try:
            return self._option.kind.split(rv)
        except UsageError as error:
            raise click.UsageError(f"{environment_name(self._setting)}={rv}: {error.reason}") from None

    def _where(self, ctx: click.Context | None) -> str:
        source = ctx.get_parameter_source(self._setting) if ctx is not None else None
        if source is click.core.ParameterSource.ENVIRONMENT:
            return f"{environment_name(self._setting)}="
        return f"{flag_name(self._setting)} "


class SettingOption(click.Option):
    """An option that is a setting. It has no default of click's: the settings have it."""

    def __init__(self, kind: type[Settings], setting: str, option: Option, default: Any) -> None:
        self.noun = noun_of(kind, setting)
        self.setting = setting
        self.option = option
        self.shown_default = option.default_words or _shown_default(option, default)
        is_flag = isinstance(default, bool)
        super().__init__(
            [flag_name(setting), setting],
            type=None if is_flag else SettingType(setting, option),
            is_flag=is_flag,
            multiple=isinstance(option.kind, Texts),
            default=None,
            envvar=[environment_name(setting), option.variable] if option.variable else environment_name(setting),
            metavar=None if is_flag else option.kind.metavar(),
            help=option.help + self._notes(),
            hidden=option.is_hidden,
        )

    def _notes(self) -> str:
        """What is told beside the help: `[default: 60s; 0: no limit]`."""
        notes = [f"default: {self.shown_default}"] if self.shown_default else []
        notes += [self.option.range_words] if self.option.range_words else []
        if isinstance(kind := self.option.kind, Number) and (kind.off or kind.zero):
            notes.append(f"0: {kind.off or kind.zero}")
        return f"  [{'; '.join(notes)}]" if notes else ""


def settings_options(kind: type[Settings], *, without: tuple[str, ...] = ()) -> list[click.Parameter]:
    """An option for each setting of a class."""
    return [
        SettingOption(kind, field.name, option, field.default)
        for field, option in options_of(kind)
        if field.name not in without
    ]


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

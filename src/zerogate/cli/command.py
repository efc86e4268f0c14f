"""What all commands have in common: options that are settings, and help and hints made of them."""

import os
from typing import Any

import click

from zerogate.child import report_pipe
from zerogate.cli.addresses import settle_address
from zerogate.cli.options import ARGUMENTS, SettingOption, format_sections, setting_options
from zerogate.cli.sources import use_config
from zerogate.cli.suggestions import (
    explain_bad_use,
    explain_no_such_option,
    idle_options,
    is_application,
    unknown_variables,
)
from zerogate.console import say
from zerogate.settings import ConfigSettings
from zerogate.settings.option import options_of


class Command(click.Command):
    """A command whose options are settings."""

    def __init__(self, *args: Any, **keywords: Any) -> None:
        super().__init__(*args, **keywords)
        if setting_options(self) and "config" not in setting_options(self):
            self.params.append(config_option())

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        try:
            left = super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if (explained := explain_no_such_option(error.option_name, ctx)) is not None:
                raise click.UsageError(explained, ctx) from None
            raise
        except click.UsageError as error:
            if (explained := explain_bad_use(error, ctx)) is not None:
                raise click.UsageError(explained, ctx) from None
            raise
        if not ctx.resilient_parsing:
            settle_address(ctx, is_settled=report_pipe() is not None)
        return left

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        format_sections(self, ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        # A supervisor has said it for all its children.
        if report_pipe() is None:
            root = ctx.find_root().command
            assert isinstance(root, click.Group)
            for line in (*unknown_variables(root, os.environ), *idle_options(ctx)):
                say(f"zerogate: {line}")
        return super().invoke(ctx)


def config_option() -> SettingOption:
    """--config, which is read before all others, and is no matter of the command's."""
    ((field, option),) = options_of(ConfigSettings)
    return SettingOption(
        ConfigSettings, field.name, option, field.default, is_eager=True, expose_value=False, callback=_read_config
    )


def _read_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    # A supervisor has handed its children all that it has read.
    if not ctx.resilient_parsing and report_pipe() is None:
        use_config(ctx, value or "")


class Group(click.Group):
    """Commands in the order of their definition, which is the order in which one meets them."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if (explained := explain_no_such_option(error.option_name, ctx)) is not None:
                raise click.UsageError(explained, ctx) from None
            raise

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if ctx.parent is None and is_application(args[0], self):
            # Elsewhere it is all that there is to say: `uvicorn app:app`.
            raise click.UsageError(f"no command {args[0]}: for an application write `zerogate run {args[0]}`", ctx)
        return super().resolve_command(ctx, args)

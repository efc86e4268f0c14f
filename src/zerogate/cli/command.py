"""What all commands have in common: options that are settings, and help and hints made of them."""

import os
from typing import Any

import click

from zerogate.child import report_pipe
from zerogate.cli.options import format_sections
from zerogate.cli.suggestions import explain_no_such_option, unknown_variables
from zerogate.console import say


class Command(click.Command):
    """A command whose options are settings."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            if (explained := explain_no_such_option(error.option_name, ctx)) is not None:
                raise click.UsageError(explained, ctx) from None
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        format_sections(self, ctx, formatter)

    def invoke(self, ctx: click.Context) -> Any:
        # A supervisor has said it for all its children.
        if report_pipe() is None:
            root = ctx.find_root().command
            assert isinstance(root, click.Group)
            for line in unknown_variables(root, os.environ):
                say(f"zerogate: {line}")
        return super().invoke(ctx)


class Group(click.Group):
    """Commands in the order of their definition, which is the order in which one meets them."""

    command_class = Command

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

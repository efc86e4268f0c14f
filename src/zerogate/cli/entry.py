"""The entry point: what becomes of errors, and the exit code."""

import os
import sys
from typing import NoReturn

import click

from zerogate.cli.commands import commands
from zerogate.errors import UsageError, ZerogateError
from zerogate.runner import EXIT_FAILED, EXIT_USAGE, PARENT_FD_VARIABLE, REPORT_FD_VARIABLE, inherited_fd, report


def main() -> NoReturn:
    """Entry point. Exits 0 after a clean stop, 1 when something failed, 2 for wrong usage."""
    for variable in (PARENT_FD_VARIABLE, REPORT_FD_VARIABLE):
        inherited_fd(variable)
    try:
        commands.main(prog_name="zerogate", standalone_mode=False)
    except click.exceptions.Exit as done:
        sys.exit(done.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(EXIT_USAGE)
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zerogate"
        _fail(f"{error.format_message()} (see {command} --help)", EXIT_USAGE, command)
    except UsageError as error:
        _fail(error.reason, EXIT_USAGE)
    except ZerogateError as error:
        _fail(error.reason, EXIT_FAILED)
    except BrokenPipeError:
        # Who reads our output has had enough. What is still buffered must not fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(EXIT_FAILED)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(EXIT_FAILED)
    sys.exit(0)


def _fail(reason: str, code: int, command: str = "zerogate") -> NoReturn:
    """End with one line that says why: said to the supervisor if there is one, who has the last word."""
    if not report(reason.encode("utf-8", "replace")):
        click.echo(f"{command}: {reason}", err=True)
    sys.exit(code)

"""The entry point: what becomes of errors, and the exit code."""

import os
import sys
import threading
from typing import NoReturn

import click

from zerogate.child import become_child, report, report_pipe
from zerogate.cli.commands import commands
from zerogate.console import say
from zerogate.errors import UsageError, ZerogateError
from zerogate.process import flush_output, open_standard_streams
from zerogate.runner import EXIT_FAILED, EXIT_USAGE

# For threads that are about to end. The stop is over by then, and whoever is still at work has had its grace.
THREADS_S = 5.0


def main() -> NoReturn:
    """Exits 0 after a clean stop, 1 when something failed, 2 for wrong usage."""
    open_standard_streams()
    become_child()
    code = _run()
    flush_output()
    _bound_threads()
    sys.exit(code)


def _bound_threads() -> None:
    """Have the interpreter wait no longer for threads that an application left behind: of itself it would for ever."""
    if all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate()):
        return

    def give_up() -> None:
        say("zerogate: threads are still at work: ending at once")
        os._exit(EXIT_FAILED)

    timer = threading.Timer(THREADS_S, give_up)
    timer.daemon = True
    timer.start()


def _run() -> int:
    try:
        commands.main(prog_name="zerogate", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except SystemExit as done:
        # An application's as well, from a task of its own: then it may be a text.
        return _fail(done.code, EXIT_FAILED) if isinstance(done.code, str) else int(done.code or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        say(error.format_message())
        return EXIT_USAGE
    except click.ClickException as error:
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "zerogate"
        return _fail(f"{error.format_message()} (see {command} --help)", EXIT_USAGE, command)
    except UsageError as error:
        return _fail(error.reason, EXIT_USAGE)
    except ZerogateError as error:
        return _fail(error.reason, EXIT_FAILED)
    except (BrokenPipeError, KeyboardInterrupt, click.Abort):
        # Who reads our output has had enough, or who started us.
        return EXIT_FAILED
    return 0


def _fail(reason: str, code: int, command: str = "zerogate") -> int:
    """Say in one line why it ends: to the supervisor if there is one, who has the last word."""
    if report_pipe() is None:
        say(f"{command}: {reason}")
    else:
        report(reason.encode("utf-8", "replace"))
    return code

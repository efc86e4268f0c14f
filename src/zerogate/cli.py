"""The command line: `zerogate router | worker | hello | run | demo | status`."""

import dataclasses
import os
import re
import sys
import tempfile
from collections.abc import Callable
from typing import Any, NoReturn, TypeVar

import click

import zerogate
from zerogate.errors import UsageError, ZerogateError
from zerogate.runner import (
    EXIT_FAILED,
    EXIT_USAGE,
    PARENT_FD_VARIABLE,
    REPORT_FD_VARIABLE,
    Service,
    inherited_fd,
    report,
    run_service,
)
from zerogate.settings import (
    LinkSettings,
    RouterSettings,
    WorkerSettings,
    environment_name,
    options_of,
    to_environment,
)
from zerogate.supervisor import Child, supervise

S = TypeVar("S", bound=LinkSettings)
Command = Callable[..., None]

DEFAULTS = RouterSettings()

# What stands for an option's value in the help, where its type does not say it.
METAVARS = {
    "http": "HOST:PORT",
    "admin": "HOST:PORT",
    "bind": "ENDPOINT",
    "connect": "ENDPOINT",
    "advertise": "ENDPOINT",
    "access_log": "PATH",
    "trust": "NETWORK",
    "route": "ROUTE",
    "name": "NAME",
    "root_path": "PREFIX",
}


class Parsed(click.ParamType[Any]):
    """An option whose text is read by one of the parse functions of `settings`."""

    def __init__(self, name: str, parse: Callable[[str], Any]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except UsageError as error:
            self.fail(error.reason, param, ctx)


def settings_options(*classes: type[LinkSettings], without: tuple[str, ...] = ()) -> Callable[[Command], Command]:
    """Give a command an option for each setting of the classes."""
    fields = {field.name: field for settings in classes for field in options_of(settings)}

    def decorate(command: Command) -> Command:
        for name, field in reversed(fields.items()):
            if name not in without:
                command = _option(name, field)(command)
        return command

    return decorate


def _option(name: str, field: "dataclasses.Field[Any]") -> Callable[[Command], Command]:
    default = field.default
    if field.default_factory is not dataclasses.MISSING:
        default = None
    kind: Any = None
    if field.metadata["choices"]:
        kind = click.Choice(field.metadata["choices"])
    elif (parse := field.metadata["parse"]) is not None:
        kind = Parsed(parse.__name__.removeprefix("parse_"), parse)
    is_flag = isinstance(default, bool)
    shown = _shown(default, field)
    return click.option(
        f"--{name.replace('_', '-')}",
        name,
        type=kind,
        metavar=METAVARS.get(name),
        multiple=isinstance(default, tuple),
        is_flag=is_flag,
        default=default,
        envvar=environment_name(name),
        help=field.metadata["help"] + (f"  [default: {shown}]" if shown else ""),
        hidden=field.metadata["hidden"],
    )


def _shown(default: Any, field: "dataclasses.Field[Any]") -> str:
    """The default as one would write it."""
    if isinstance(default, tuple):
        return ", ".join(default)
    if default is None or isinstance(default, bool):
        return ""
    match getattr(field.metadata["parse"], "__name__", ""):
        case "parse_duration":
            return f"{default:g}s"
        case "parse_size":
            return f"{default // 1024}k" if default < 1024 * 1024 else f"{default // (1024 * 1024)}M"
        case _:
            return str(default)


def make_settings(kind: type[S], options: dict[str, Any]) -> S:
    """Settings from a command's options; what was not given keeps its default."""
    names = {field.name for field in dataclasses.fields(kind)}
    return kind(**{name: value for name, value in options.items() if name in names and value is not None})


class Group(click.Group):
    """Commands in the order of their definition, which is the order in which one meets them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(zerogate.__version__, prog_name="zerogate")
def commands() -> None:
    """A reverse proxy with no list of backends: workers dial in and say what they serve.

    Start a router and any number of workers, in any order. Each option is also an environment variable: --queue-timeout
    is ZEROGATE_QUEUE_TIMEOUT. Times are seconds, or a number with ms, s, m or h; sizes are bytes, or with k, M or G.
    """


@commands.command()
@settings_options(RouterSettings)
def router(**options: Any) -> None:
    """Take HTTP, and send it to the workers that dialled in."""
    from zerogate.router.service import Router

    settings = make_settings(RouterSettings, options)

    def greet(service: Service) -> None:
        _say(
            f"router {settings.name}",
            *_addresses(settings),
            "Workers may come and go: `zerogate hello worker-1` is one. Ctrl-C stops.",
        )

    def reopen(service: Service) -> None:
        assert isinstance(service, Router)
        service.reopen_log()

    run_service(
        lambda: Router(settings),
        loop=settings.loop,
        log_level=settings.log_level,
        on_started=greet,
        on_hangup=reopen if _logs_to_file(settings) else None,
    )


@commands.command()
@click.argument("app")
@settings_options(WorkerSettings)
def worker(app: str, **options: Any) -> None:
    """Host the ASGI application APP, written MODULE:ATTRIBUTE."""
    from zerogate.worker.loader import load_application

    _run_worker(make_settings(WorkerSettings, options), lambda: load_application(app), ["worker", app], app)


@commands.command()
@click.argument("name")
@settings_options(WorkerSettings, without=("name",))
def hello(name: str, **options: Any) -> None:
    """Be an example worker: answer `Hello from NAME`."""
    from zerogate.worker.hello import hello as make_application

    settings = make_settings(WorkerSettings, {**options, "name": name})
    _run_worker(settings, lambda: make_application(name), ["hello"], "hello")


@commands.command()
@click.argument("app")
@settings_options(RouterSettings, WorkerSettings, without=("connect", "name"))
@click.pass_context
def run(ctx: click.Context, /, app: str, **options: Any) -> None:
    """Run a router and workers for APP in one go.

    A worker for each core, unless told otherwise. More workers may dial in.
    """
    if ctx.get_parameter_source("processes") is click.core.ParameterSource.DEFAULT:
        options["processes"] = n_cores()
    with tempfile.TemporaryDirectory(prefix="zerogate-") as directory:
        endpoint = f"ipc://{directory}/link"
        router_settings = make_settings(RouterSettings, {**options, "bind": (endpoint, *options["bind"])})
        module = app.partition(":")[0].rpartition(".")[2]
        name = re.sub(r"[^A-Za-z0-9._-]", "_", module)[:100] or "worker"
        worker_settings = make_settings(WorkerSettings, {**options, "connect": (endpoint,), "name": name})
        _check_join(worker_settings)
        children = [
            Child(
                "the router", ["router"], to_environment(router_settings), takes_hangup=_logs_to_file(router_settings)
            ),
            # After the router, which needs them for what is in flight.
            *worker_children(["worker", app], worker_settings, stage=1),
        ]
        n_workers = worker_settings.processes
        supervise(
            children,
            loop=router_settings.loop,
            log_level=router_settings.log_level,
            on_started=lambda: _say(
                f"router and {n_workers} worker{'s' if n_workers > 1 else ''} ({app})",
                *_addresses(dataclasses.replace(router_settings, bind=tuple(options["bind"]))),
                "More workers may come and go. Ctrl-C stops.",
            ),
        )


@commands.command()
@click.option(
    "--http",
    metavar="HOST:PORT",
    default=DEFAULTS.http[0],
    envvar="ZEROGATE_HTTP",
    help=f"HOST:PORT to take HTTP on.  [default: {DEFAULTS.http[0]}]",
)
@click.option(
    "--bind",
    metavar="ENDPOINT",
    default=DEFAULTS.bind[0],
    envvar="ZEROGATE_BIND",
    help=f"Endpoint that workers dial.  [default: {DEFAULTS.bind[0]}]",
)
@click.option(
    "--admin",
    metavar="HOST:PORT",
    default=DEFAULTS.admin,
    envvar="ZEROGATE_ADMIN",
    help=f"HOST:PORT of the router's status.  [default: {DEFAULTS.admin}]",
)
@click.option("--once", is_flag=True, envvar="ZEROGATE_ONCE", help="End after the last step.")
def demo(http: str, bind: str, admin: str, once: bool) -> None:
    """Play the README's example in this terminal.

    Then it stays up for your own curl, until Ctrl-C.
    """
    from zerogate.demo import Demo

    Demo(http, bind, admin).play(once=once)


@commands.command()
@click.option(
    "--admin",
    metavar="HOST:PORT",
    default=DEFAULTS.admin,
    envvar="ZEROGATE_ADMIN",
    help=f"HOST:PORT of the router's status.  [default: {DEFAULTS.admin}]",
)
@click.option("--json", "as_json", is_flag=True, envvar="ZEROGATE_JSON", help="The whole of it, for scripts.")
def status(admin: str, as_json: bool) -> None:
    """Show a router's workers, routes and counters."""
    from zerogate.status import show_status

    show_status(admin, as_json=as_json)


def n_cores() -> int:
    """How many cores this process may use, which in a container are not all that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def worker_children(arguments: list[str], settings: WorkerSettings, stage: int = 0) -> list[Child]:
    """A worker process for each of `processes`, named NAME-1, NAME-2, …"""
    children = []
    for number in range(1, settings.processes + 1):
        name = f"{settings.name}-{number}" if settings.processes > 1 else settings.name
        own = dataclasses.replace(settings, name=name, processes=1)
        # `hello` takes its name as an argument.
        named = [*arguments, name] if arguments == ["hello"] else arguments
        children.append(Child(f"worker {name}", named, to_environment(own), stage))
    return children


def _run_worker(settings: WorkerSettings, load: Callable[[], Any], arguments: list[str], label: str) -> None:
    """Be a worker process, or the supervisor of several."""
    from zerogate.worker.asgi import AsgiHost
    from zerogate.worker.service import Worker

    def greet(*_: object) -> None:
        names = settings.name if settings.processes == 1 else f"{settings.name}-1 to -{settings.processes}"
        _say(f"worker {names} ({label}) dials {', '.join(settings.connect)}")

    _check_join(settings)
    if settings.processes > 1:
        children = worker_children(arguments, settings)
        supervise(children, loop=settings.loop, log_level=settings.log_level, on_started=greet)
        return

    def make_worker() -> Worker:
        return Worker(settings, AsgiHost(load(), lifespan=settings.lifespan, root_path=settings.root_path))

    run_service(make_worker, loop=settings.loop, log_level=settings.log_level, on_started=greet)


def _check_join(settings: WorkerSettings) -> None:
    """Find out here, not at the router, that no router could take this worker's JOIN. Raises UsageError."""
    from zerogate.wire.http.join import parse_join
    from zerogate.wire.spdy.headers import decode_block
    from zerogate.worker.routers import join_block

    if settings.processes < 1:
        raise UsageError("--processes 0: a worker is at least one process")
    try:
        parse_join(decode_block(join_block(settings)), max_routes=sys.maxsize)
    except ZerogateError as error:
        raise UsageError(f"no router would take this worker: {error.reason}") from error


def _say(what: str, *lines: str) -> None:
    click.echo("\n".join([f"zerogate {zerogate.__version__} {what}", *lines]), err=True)


def _addresses(settings: RouterSettings) -> list[str]:
    lines = [f"  http    http://{address}/" for address in settings.http]
    lines += [f"  workers {endpoint}" for endpoint in settings.bind]
    if settings.admin != "off":
        lines.append(f"  status  http://{settings.admin}/status")
    return lines


def _logs_to_file(settings: RouterSettings) -> bool:
    """Only then SIGHUP means a log to be opened anew. Else it means what it always does: the terminal is gone."""
    return settings.access_log not in ("-", "off")


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

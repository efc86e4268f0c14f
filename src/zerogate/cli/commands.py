"""The commands, in the order in which one meets them."""

import dataclasses
import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from zerogate.child import FOUND, STARTED, report, report_pipe, seat_channel
from zerogate.cli.command import Group
from zerogate.cli.config import config
from zerogate.cli.greetings import addresses, found_words, greet, patience, served, statics, worker_names
from zerogate.cli.keys import keys
from zerogate.cli.options import make_settings, settings_options
from zerogate.cli.ports import with_ports
from zerogate.cli.services import (
    check_join,
    example_application,
    files_settings,
    find_application,
    find_files,
    fleet,
    has_been_replaced,
    has_given_up,
    make_attached,
    make_router,
    make_sibling,
    make_worker,
    renew,
    reopen_log,
    router_group,
    watch_of,
    with_certificate,
    worker_children,
)
from zerogate.errors import UsageError
from zerogate.folders import temporary_folder
from zerogate.link.systemd import is_passed_sockets
from zerogate.logs import enable_loggers
from zerogate.native import compiled
from zerogate.runner import Service, run_service
from zerogate.settings import (
    AddressSettings,
    AttachSettings,
    CheckSettings,
    DemoSettings,
    FilesSettings,
    ReloadSettings,
    RenewalSettings,
    RouterSettings,
    RunSettings,
    Settings,
    StatusSettings,
    WebSocketSettings,
    WorkerSettings,
)
from zerogate.signals import note_signals
from zerogate.supervisor.command import ABRUPT_SIGNALS, supervise
from zerogate.version import __version__

if TYPE_CHECKING:
    from zerogate.worker.loader import Found

logger = logging.getLogger("zerogate")

# Of a `run` that nobody else can join.
LONE = "--bind ENDPOINT lets more workers dial in"

# Its router is another process than the one that they are for: they would listen, and nobody would accept.
NOT_FROM_SYSTEMD = (
    "`zerogate run` takes no sockets from systemd (LISTEN_FDS): let it listen by --http, or start `zerogate router`, "
    "which takes them, and workers beside it"
)


def names_of(*nouns: type[Settings]) -> tuple[str, ...]:
    return tuple(each.name for noun in nouns for each in dataclasses.fields(noun))


# It has a name, and knows its application.
NOT_FOR_HELLO = ("name", "app_dir", "interface", "factory", "env_file", "threads", *names_of(ReloadSettings))

# There is no code of anybody's in it.
NOT_WITHOUT_CODE = (
    *("app_dir", "interface", "factory", "env_file", "lifespan", "root_path", "cancel_after", "threads"),
    *names_of(WebSocketSettings, RenewalSettings, ReloadSettings),
)

# Its path begins where the route ends.
NOT_FOR_FILES = ("strip_prefix", "static", *NOT_WITHOUT_CODE)

# Its application is a server of its own, which speaks HTTP.
NOT_FOR_ATTACH = NOT_WITHOUT_CODE

# What a worker says on SIGHUP that has nobody to come up in its place.
ALONE = "SIGHUP: a lone process cannot be replaced: --processes 2, --max-requests and `zerogate run` have a supervisor"


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="zerogate", message=f"%(prog)s, version %(version)s ({compiled.KIND})")
def commands() -> None:
    """A reverse proxy with no list of backends: workers dial in and say what they serve.

    Start a router and any number of workers, in any order. Each option is also an environment variable: --queue-timeout
    is ZEROGATE_QUEUE_TIMEOUT. Times are seconds, or a number with ms, s, m or h; sizes are bytes, or with k, M or G.
    """


@commands.command(params=settings_options(RouterSettings, AddressSettings))
def router(**options: Any) -> None:
    """Take HTTP, and send it to the workers that dialled in."""
    settings = with_ports(make_settings(RouterSettings, options))

    def introduce(*_: object) -> None:
        n = settings.processes
        greet(
            f"router {settings.name}" + (f" of {n} processes" if n > 1 else ""),
            *addresses(settings),
            "Workers may come and go: `zerogate hello worker-1` is one. Ctrl-C stops.",
        )

    channel = seat_channel()
    if channel is not None:
        run_service(lambda: make_sibling(settings, channel), settings, on_hangup=renew, on_reopen=reopen_log)
    elif settings.processes > 1:
        children, make_center = router_group(settings)
        told = introduce if report_pipe() is None else lambda: report(STARTED)
        supervise(children, settings, told, make_center)
    else:
        run_service(
            lambda: make_router(settings),
            settings,
            on_started=introduce,
            on_hangup=renew,
            on_reopen=reopen_log,
            replaced=has_been_replaced,
        )


@commands.command(params=settings_options(WorkerSettings), short_help="Host the ASGI or WSGI application APP.")
@click.argument("app")
def worker(app: str, **options: Any) -> None:
    """Host the ASGI or WSGI application APP, written MODULE:ATTRIBUTE or MODULE."""
    settings = make_settings(WorkerSettings, options)
    _run_worker(settings, lambda: find_application(app, settings), ["worker", app])


@commands.command(params=settings_options(WorkerSettings, without=NOT_FOR_HELLO))
@click.argument("name")
def hello(name: str, **options: Any) -> None:
    """Be an example worker: answer `Hello from NAME`."""
    settings = make_settings(WorkerSettings, {**options, "name": name})
    _run_worker(settings, lambda: example_application(name), ["hello"])


@commands.command(
    params=settings_options(AttachSettings, without=NOT_FOR_ATTACH),
    short_help="Be a worker for the HTTP server at URL.",
)
@click.argument("url")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def attach(url: str, command: tuple[str, ...], **options: Any) -> None:
    """Be a worker for the HTTP server at URL: http://HOST:PORT or unix:/PATH.

    It joins when the server is up, and leaves while it is down. With a COMMAND, written behind `--`, it starts the
    server, starts it again when it ends, and stops it at last.
    """
    settings = make_settings(AttachSettings, options)
    check_join(settings)

    def introduce(*_: object) -> None:
        dials = ", ".join(settings.connect)
        greet(f"worker {worker_names(settings)} ({url}) dials {dials}", *served(settings))

    if settings.processes == 1:
        run_service(
            lambda: make_attached(settings, url, command),
            settings,
            on_started=introduce,
            on_hangup=_say_alone,
            replaced=has_given_up,
        )
        return
    if command:
        raise UsageError(f"{settings.written('processes')} goes without a COMMAND: each process would start its own")
    supervise(worker_children(["attach", url], settings), settings, introduce)


@commands.command(params=settings_options(FilesSettings, without=NOT_FOR_FILES))
@click.argument("folder", metavar="DIR")
def files(folder: str, **options: Any) -> None:
    """Serve the files of DIR, at the top of each --route.

    Files that are compressed beforehand (.br, .gz) go to those who take them, index.html stands for its folder,
    404.html for what is not there. No folder is listed, and no name that begins with a dot is served.
    """
    settings = files_settings(make_settings(FilesSettings, options))
    _run_worker(settings, lambda: find_files(folder, settings), ["files", folder])


@commands.command(params=settings_options(RunSettings, AddressSettings, without=("connect", "name")))
@click.argument("app")
def run(app: str, **options: Any) -> None:
    """Run a router and workers for APP in one go.

    A worker for each core, unless told otherwise. More workers may dial in where --bind says.
    """
    if options["reload"] and options["processes"] is None:
        # For whoever works on it, one is restarted sooner than many.
        options["processes"] = 1
    run_fleet(app, make_settings(RunSettings, options))


def run_fleet(app: str, settings: RunSettings) -> None:
    """A router and workers for APP, until a signal comes. Raises ZerogateError."""
    if is_passed_sockets():
        raise UsageError(NOT_FROM_SYSTEMD)
    # From here on there is something to tidy up, though no event loop that heeds signals yet. No log is open to be
    # opened anew.
    note_signals(signal.SIGTERM, signal.SIGINT, *ABRUPT_SIGNALS)
    signal.signal(signal.SIGUSR1, lambda *_: None)
    settings, words = with_certificate(with_ports(settings))
    with temporary_folder() as folder:
        who = f"router and {settings.processes} worker{'s' if settings.processes > 1 else ''}"
        children = fleet(app, settings, f"ipc://{folder}/link")
        # Applications take their time to be imported.
        greet(f"starts a {who} for {app}")
        supervise(
            children,
            settings,
            on_started=lambda: greet(
                f"{who} ({children[-1].found})",
                *addresses(settings),
                *words,
                *served(settings),
                *statics(settings),
                *patience(settings),
                f"{'More workers may come and go' if settings.bind else LONE}. Ctrl-C stops.",
            ),
            watch=watch_of(settings),
        )


@commands.command(params=settings_options(DemoSettings))
def demo(**options: Any) -> None:
    """Play the README's example in this terminal.

    Then it stays up for your own curl, until Ctrl-C.
    """
    from zerogate.demo import Demo

    Demo(make_settings(DemoSettings, options)).play()


@commands.command(params=settings_options(StatusSettings))
def status(**options: Any) -> None:
    """Show a router's workers, routes and counters."""
    from zerogate.status import show_status

    settings = make_settings(StatusSettings, options)
    show_status(settings.admin, token=settings.admin_token, as_json=settings.json)


@commands.command(params=settings_options(CheckSettings), short_help="Say whether the processes here are well.")
@click.argument("name", default="")
def check(name: str, **options: Any) -> None:
    """Say in one line whether the routers and workers that this user runs here are well: exit code 0, else 1.

    A router is well when it listens, a worker when a router sends it requests; of several processes of one command one
    is enough. With NAME only those are asked that are called so. It is meant for probes: nothing has to be set.
    """
    from zerogate.check import check as check_processes

    check_processes(name, make_settings(CheckSettings, options).answer_timeout)


commands.add_command(config)
commands.add_command(keys)


def _run_worker(settings: WorkerSettings, find: Callable[[], "Found"], arguments: list[str]) -> None:
    """Be a worker process, or the supervisor of several."""

    def introduce(found: str) -> None:
        dials = ", ".join(settings.connect)
        greet(f"worker {worker_names(settings)} ({found}) dials {dials}", *served(settings))

    check_join(settings)
    if settings.needs_supervisor and report_pipe() is None:
        children = worker_children(arguments, settings)
        supervise(children, settings, lambda: introduce(children[0].found), watch=watch_of(settings))
        return

    words = ""

    def make() -> Service:
        nonlocal words
        found = find()
        enable_loggers()
        words = found_words(found, settings)
        report(FOUND + words.encode() + b"\n")
        return make_worker(settings, found)

    run_service(make, settings, on_started=lambda _: introduce(words), on_hangup=_say_alone)


def _say_alone(_: Service) -> None:
    if report_pipe() is None:
        logger.warning(ALONE)

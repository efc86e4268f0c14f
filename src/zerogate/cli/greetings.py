"""What a command says when it has started."""

import math
from typing import TYPE_CHECKING

from zerogate.console import say
from zerogate.settings import ListenSettings, ReplySettings, RunSettings, ServeSettings, WorkerSettings
from zerogate.settings.kinds import OFF_WORD
from zerogate.version import __version__
from zerogate.wire.http.routes import Route, parse_route

if TYPE_CHECKING:
    from zerogate.worker.loader import Found


def greet(what: str, *lines: str) -> None:
    say(f"zerogate {__version__} {what}", *lines)


def addresses(settings: ListenSettings) -> list[str]:
    """Where a router can be reached."""
    lines = [f"  http    {_url('http', address)}" for address in settings.http if address != OFF_WORD]
    lines += [f"  https   {_url('https', address)}" for address in settings.https]
    lines += [f"  workers {endpoint}" for endpoint in settings.bind]
    if settings.admin != "off":
        lines.append(f"  status  http://{settings.admin}/status")
    return lines


def _url(scheme: str, address: str) -> str:
    if address.startswith("unix:"):
        return address
    if address.startswith((":", "*:")):
        return f"{scheme}://localhost:{address.rpartition(':')[2]}/ (every address)"
    return f"{scheme}://{address}/"


def served(settings: ServeSettings) -> list[str]:
    """How a worker's routes were understood; nothing where it serves everything."""
    if settings.route == ("*",):
        return []
    return [f"  serves  {_explain(parse_route(text))}" for text in settings.route]


def statics(settings: RunSettings) -> list[str]:
    """Which folders are served beside the application, and where."""
    pairs = [text.partition("=") for text in settings.static]
    return [f"  static  {prefix} from {folder}" for prefix, _, folder in pairs]


def patience(settings: ReplySettings) -> list[str]:
    """How --timeout was understood: gunicorn's is another."""
    if math.isinf(settings.timeout):
        return []
    return [f"  timeout 504 for a request whose reply has not begun within {settings.timeout:g} s; its worker lives on"]


def found_words(found: "Found", settings: ServeSettings) -> str:
    """What a worker hosts, and how: `mypkg.app:app, WSGI, 8 threads`."""
    from zerogate.worker.interface import WSGI

    n = settings.threads
    return f"{found.words}, {n} thread{'s' if n > 1 else ''}" if found.interface == WSGI else found.words


def worker_names(settings: WorkerSettings) -> str:
    return settings.name if settings.processes == 1 else f"{settings.name}-1 to -{settings.processes}"


def _explain(route: Route) -> str:
    match route:
        case Route("", ""):
            return "everything"
        case Route("", prefix):
            return f"path {prefix} (of any host)"
        case Route(host, "") if "." not in host:
            # Who means a path writes a slash: without one it is a host, and nobody asks for that one.
            return f"host {host} (any path); for a path write /{host}"
        case Route(host, prefix):
            hosts = f"hosts below {host.removeprefix('*.')}" if host.startswith("*.") else f"host {host}"
            return f"{hosts}, path {prefix}" if prefix else f"{hosts}, any path"

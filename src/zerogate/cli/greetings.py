"""What a command says when it has started."""

import zerogate
from zerogate.console import say
from zerogate.settings import ListenSettings, WorkerSettings


def greet(what: str, *lines: str) -> None:
    say(f"zerogate {zerogate.__version__} {what}", *lines)


def addresses(settings: ListenSettings) -> list[str]:
    """Where a router can be reached."""
    lines = [f"  http    http://{address}/" for address in settings.http]
    lines += [f"  workers {endpoint}" for endpoint in settings.bind]
    if settings.admin != "off":
        lines.append(f"  status  http://{settings.admin}/status")
    return lines


def worker_names(settings: WorkerSettings) -> str:
    return settings.name if settings.processes == 1 else f"{settings.name}-1 to -{settings.processes}"

"""`zerogate status`: a router's workers, routes and counters, fetched from its admin port and laid out for people."""

import http.client
import json
import re
import shutil
import sys
from typing import Any

from zerogate.console import show
from zerogate.errors import StartError, UsageError
from zerogate.settings.endpoint import parse_address
from zerogate.table import table

FETCH_TIMEOUT_S = 5.0
UNAUTHORIZED = 401

CUT_MARK = ">"
WORKER_HEADER = ("WORKER", "STATE", "IN FLIGHT", "SERVED", "WEIGHT", "UP FOR", "LABELS", "FROM", "SERVES")
LABELS_AT = WORKER_HEADER.index("LABELS")
PROCESS_HEADER = ("PROCESS", "PID", "UP FOR", "CLIENTS", "WORKERS", "WAITING", "REQUESTS")


def show_status(admin: str, *, token: str = "", as_json: bool) -> None:
    """Print the status of the router whose admin port is `admin` (HOST:PORT).

    Raises StartError, UsageError, OutputError.
    """
    status = fetch_status(admin, token)
    if as_json:
        show(json.dumps(status, indent=1))
        return
    # A pipe gets whole lines: only a terminal would break them.
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    show("\n".join(_cut(line, width) for line in render(status)))


def fetch_status(admin: str, token: str = "") -> dict[str, Any]:
    """What `/status` of an admin port says. Raises StartError if no router answers there, or UsageError."""
    host, port = parse_address(admin)
    connection = http.client.HTTPConnection(host or "127.0.0.1", port, timeout=FETCH_TIMEOUT_S)
    try:
        connection.request("GET", "/status", headers={"authorization": f"Bearer {token}"} if token else {})
        reply = connection.getresponse()
        if reply.status == UNAUTHORIZED:
            raise UsageError(f"the router at {admin} asks for its --admin-token, and this is not it")
        status = json.loads(reply.read())
    except OSError as error:
        reason = "no answer in time" if isinstance(error, TimeoutError) else error.strerror or str(error)
        raise StartError(
            f"no router answers at {admin} ({reason}): start one, or say where its --admin port is"
        ) from error
    except (http.client.HTTPException, ValueError) as error:
        raise StartError(f"what answers at {admin} is no router's admin port") from error
    finally:
        connection.close()
    if not isinstance(status, dict) or "workers" not in status:
        raise StartError(f"what answers at {admin} is no router's admin port")
    return status


def render(status: dict[str, Any]) -> list[str]:
    """The status in lines."""
    stopping = ", stopping" if status["is_stopping"] else ""
    lines = [
        f"router {status['router']}, up {duration(status['uptime_s'])}{stopping}: "
        f"{_count(len(status['workers']), 'worker')}, {_count(status['clients'], 'client')}, "
        f"{_count(status['waiting'], 'request')} waiting",
        "",
    ]
    if status["workers"]:
        workers = sorted(status["workers"], key=lambda worker: _natural(worker["name"]))
        rows = [WORKER_HEADER, *map(_worker_row, workers)]
        if not any(map(_labels, workers)):
            rows = [row[:LABELS_AT] + row[LABELS_AT + 1 :] for row in rows]
        lines += table(rows, right=("IN FLIGHT", "SERVED", "WEIGHT", "UP FOR"))
    else:
        lines.append("No worker is here. `zerogate hello worker-1` is one.")
    if status["routes"]:
        rows = sorted((route["route"], str(route["workers"]), str(route["waiting"])) for route in status["routes"])
        lines += ["", *table([("ROUTE", "WORKERS", "WAITING"), *rows], right=("WORKERS", "WAITING"))]
    if "processes" in status:
        processes = [_process_row(process) for process in status["processes"]]
        lines += ["", *table([PROCESS_HEADER, *processes], right=PROCESS_HEADER)]
    return [*lines, "", *_counters(status["counters"])]


def _cut(line: str, width: int | None) -> str:
    """No longer than that, and with a mark where something is missing."""
    return line if width is None or len(line) <= width else f"{line[: max(width - 1, 0)]}{CUT_MARK}"


def duration(seconds: float) -> str:
    """Its two largest units: `0.4s`, `12s`, `3m 20s`, `5h 2m`, `9d 4h`."""
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, whole_s = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    if days:
        return f"{days}d {hours}h"
    if hours:
        return f"{hours}h {minutes}m"
    return f"{minutes}m {whole_s}s" if minutes else f"{whole_s}s"


def _load(worker: dict[str, Any]) -> str:
    """Requests in flight of those that it takes, and what is counted for itself: `3/100`, `3/100 +2 tunnels`."""
    apart = [_count(worker.get(f"{noun.replace(' ', '_')}s", 0), noun) for noun in ("tunnel", "event stream")]
    shown = ", ".join(text for text in apart if not text.startswith("0 "))
    return f"{worker['in_flight']}/{worker['capacity']}" + (f" +{shown}" if shown else "")


def _labels(worker: dict[str, Any]) -> str:
    return ",".join(f"{name}={value}" for name, value in worker.get("labels", {}).items())


def _worker_row(worker: dict[str, Any]) -> tuple[str, ...]:
    return (
        worker["name"],
        worker["state"],
        _load(worker),
        str(worker["served"]),
        str(worker["weight"]) if worker.get("share") is None else f"{worker['share']:.4g}%",
        duration(worker["joined_s"]),
        _labels(worker) or "-",
        worker["peer"],
        ", ".join(worker["routes"]),
    )


def _process_row(process: dict[str, Any]) -> tuple[str, ...]:
    """One of a router's several processes."""
    names = ("clients", "workers", "waiting")
    return (
        str(process["process"]),
        str(process["pid"]),
        duration(process["uptime_s"]),
        *(str(process[name]) for name in names),
        str(process["counters"]["requests"]),
    )


def _counters(counters: dict[str, Any]) -> list[str]:
    """Requests and replies, then whatever else has been counted; what never happened is not worth a line."""
    replies = [f"{n} {kind}xx" for kind, n in counters["replies"].items() if n]
    errors = [f"{n} {code}" for code, n in counters["errors"].items()]
    # Each process of a worker has a pulse beside its link: to people that is no link.
    told = counters | {"links": counters.get("links", 0) - counters.get("pulses", 0)}
    rest = [
        f"{n} {name.replace('_', ' ')}"
        for name, n in told.items()
        if isinstance(n, int) and n and name not in ("requests", "connections")
    ]
    lines = [
        f"since its start: {_count(counters['requests'], 'request')} on "
        f"{_count(counters['connections'], 'connection')}" + (f", replies {', '.join(replies)}" if replies else "")
    ]
    if errors:
        lines.append(f"error replies:   {', '.join(errors)}")
    if rest:
        lines.append(f"also:            {', '.join(rest)}")
    return lines


def _natural(name: str) -> list[tuple[int, str]]:
    """A key that sorts worker-2 before worker-10."""
    return [(int(part), "") if part.isdigit() else (0, part) for part in re.split(r"(\d+)", name)]


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"

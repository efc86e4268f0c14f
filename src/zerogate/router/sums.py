"""The status of several processes that are a router together, as that of one."""

from collections.abc import Iterable
from typing import Any

from zerogate.router.counters import Counters

Status = dict[str, Any]

# Of a worker that has a link to each process: what is the sum of all, what the least, and what is true of any.
_SUMMED = ("capacity", "in_flight", "tunnels", "event_streams", "served", "failures", "bytes_in", "bytes_out")
# What happens to a worker happens in every process: how often it did, where it did most often.
_GREATEST = ("joined", "drained", "lost")
# Of the router itself.
_SUMMED_TOP = ("clients", "links", "waiting", "collecting", "tunnels", "event_streams")
# Of its states the one that says most, if they differ.
_STATES = ("up", "suspect", "resting", "draining")


def sum_up(statuses: Iterable[Status]) -> Status:
    """What all of them are together. A worker is there once, and so is a route; `processes` has each one's numbers."""
    statuses = list(statuses)
    workers: dict[Any, Status] = {}
    routes: dict[str, Status] = {}
    # Also if none of them answers there is a sum.
    counters = Counters().as_dict()
    for number, status in enumerate(statuses, 1):
        for index, worker in enumerate(status["workers"]):
            # Without an id each link is a worker of its own.
            key = (worker["id"], worker["name"]) if worker["id"] else (number, index)
            _add_worker(workers, key, worker, status["process"])
        for route in status["routes"]:
            _add_route(routes, route)
        _add(counters, status["counters"])
    return {
        "uptime_s": max((status["uptime_s"] for status in statuses), default=0.0),
        "is_stopping": any(status["is_stopping"] for status in statuses),
        **{name: sum(status[name] for status in statuses) for name in _SUMMED_TOP},
        "workers": list(workers.values()),
        "routes": list(routes.values()),
        "refusals": [refusal for status in statuses for refusal in status["refusals"]],
        "counters": counters,
        "processes": [_process(status) for status in statuses],
    }


def _process(status: Status) -> Status:
    names = ("process", "pid", "uptime_s", "clients", "links", "waiting", "counters")
    return {name: status[name] for name in names} | {"workers": len(status["workers"])}


def _add_worker(workers: dict[Any, Status], key: Any, worker: Status, process: int) -> None:
    known = workers.get(key)
    if known is None:
        workers[key] = {**worker, "processes": [process]}
        return
    for name in _SUMMED:
        known[name] += worker[name]
    known["processes"].append(process)
    known["joined_s"] = max(known["joined_s"], worker["joined_s"])
    known["has_pulse"] = known["has_pulse"] or worker["has_pulse"]
    known["state"] = max(known["state"], worker["state"], key=_rank)


def _rank(state: str) -> int:
    return _STATES.index(state) if state in _STATES else len(_STATES)


def _add_route(routes: dict[str, Status], route: Status) -> None:
    """A worker serves it in each process: the most that any of them has is how many there are."""
    known = routes.setdefault(route["route"], {**route, "workers": 0, "waiting": 0})
    known["workers"] = max(known["workers"], route["workers"])
    known["waiting"] += route["waiting"]


def _add(total: Status, counters: Status) -> None:
    """Counters are numbers, or numbers by name."""
    for name, value in counters.items():
        if isinstance(value, dict):
            _add(total.setdefault(name, {}), value)
        elif name in _GREATEST:
            total[name] = max(total.get(name, 0), value)
        else:
            total[name] = total.get(name, 0) + value

"""The status of several processes as that of one."""

from typing import Any

from zerogate.router.sums import sum_up
from zerogate.status import render


def worker(name: str, worker_id: str, **changes: Any) -> dict[str, Any]:
    numbers = {"capacity": 50, "in_flight": 1, "served": 10, "failures": 0, "bytes_in": 5, "bytes_out": 6}
    apart = {"tunnels": 3, "event_streams": 2}
    known = {"name": name, "id": worker_id, "state": "up", "joined_s": 1.0, "has_pulse": False}
    return {**known, **numbers, **apart, **changes}


def status(process: int, *workers: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "process": process,
        "pid": 100 + process,
        "uptime_s": 1.0 * process,
        "is_stopping": False,
        "clients": 3,
        "links": len(workers),
        "waiting": 1,
        "collecting": 0,
        "tunnels": 3,
        "event_streams": 2,
        "workers": list(workers),
        "routes": [{"route": "*", "workers": len(workers), "waiting": 1}],
        "refusals": [{"reason": f"of {process}"}],
        "counters": {
            "requests": 7,
            "lost": process,
            "replies": {"2": 6, "4": 1},
            "errors": {"no_route": 1} if process == 1 else {},
        },
        **changes,
    }


def test_a_worker_is_there_once_and_numbers_are_sums() -> None:
    first = status(1, worker("w", "a", joined_s=9.0), worker("v", "b"))
    second = status(2, worker("w", "a", state="suspect", has_pulse=True), worker("v", "b", state="gone mad"))
    found = sum_up([first, second])
    w, v = found["workers"]
    assert (w["name"], w["capacity"], w["in_flight"], w["served"], w["bytes_out"]) == ("w", 100, 2, 20, 12)
    assert (w["state"], w["has_pulse"], w["joined_s"], w["processes"]) == ("suspect", True, 9.0, [1, 2])
    assert v["state"] == "gone mad"
    assert found["routes"] == [{"route": "*", "workers": 2, "waiting": 2}]
    counted = {name: n for name, n in found["counters"].items() if n}
    replies = {"1": 0, "2": 12, "3": 0, "4": 2, "5": 0}
    assert counted == {"requests": 14, "lost": 2, "replies": replies, "errors": {"no_route": 1}}
    assert [(each["tunnels"], each["event_streams"]) for each in (found, w)] == [(6, 4), (6, 4)]
    assert (found["clients"], found["waiting"], found["uptime_s"], found["is_stopping"]) == (6, 2, 2.0, False)
    assert [each["reason"] for each in found["refusals"]] == ["of 1", "of 2"]
    assert [(each["process"], each["pid"], each["workers"]) for each in found["processes"]] == [
        (1, 101, 2),
        (2, 102, 2),
    ]
    # What it was made of is as it was.
    assert first["workers"][0]["capacity"] == 50


def test_workers_that_say_no_id_are_each_their_own() -> None:
    found = sum_up([status(1, worker("w", ""), worker("w", "")), status(2, worker("w", ""))])
    assert len(found["workers"]) == 3
    assert [each["processes"] for each in found["workers"]] == [[1], [1], [2]]


def test_two_workers_of_one_process_are_two() -> None:
    found = sum_up([status(1, worker("w", "a"), worker("v", "a"))])
    assert [each["name"] for each in found["workers"]] == ["w", "v"]


def test_nobody_there() -> None:
    """They hang, all of them, and somebody looks."""
    found = sum_up([])
    assert "0 requests" in " ".join(render({"router": "r", **found}))
    assert (found["workers"], found["uptime_s"], found["is_stopping"], found["clients"]) == ([], 0.0, False, 0)

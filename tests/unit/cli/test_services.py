"""The services that commands run, and those that they supervise."""

import pytest

from zerogate.cli.services import check_join, fleet, worker_children
from zerogate.errors import UsageError
from zerogate.settings import RunSettings, WorkerSettings

ENDPOINT = "ipc:///tmp/a folder/link"


def test_a_fleet_is_a_router_and_workers_that_meet() -> None:
    settings = RunSettings(processes=2, queue_timeout=7.0, weight=50, bind=("tcp://127.0.0.1:1",), grace=4.0)
    router, *workers = fleet("shop.app:app", settings, ENDPOINT)
    assert (router.arguments, router.stage, router.takes_hangup) == (["router"], 0, True)
    assert router.environment["ZEROGATE_BIND"] == f"'{ENDPOINT}' tcp://127.0.0.1:1"
    assert router.environment["ZEROGATE_QUEUE_TIMEOUT"] == "7s"
    assert [worker.arguments for worker in workers] == [["worker", "shop.app:app"]] * 2
    assert [worker.environment["ZEROGATE_NAME"] for worker in workers] == ["app-1", "app-2"]
    for worker in workers:
        assert (worker.stage, worker.takes_hangup) == (1, False)
        assert worker.environment["ZEROGATE_CONNECT"] == f"'{ENDPOINT}'"
        assert worker.environment["ZEROGATE_WEIGHT"] == "50"
        assert worker.environment["ZEROGATE_PROCESSES"] == "1"
        assert worker.environment["ZEROGATE_GRACE"] == router.environment["ZEROGATE_GRACE"] == "4s"


@pytest.mark.parametrize(
    ("app", "name"), [("app:app", "app"), ("a.b.c:d.e", "c"), ("grüße:app", "gr__e"), (":app", "worker")]
)
def test_workers_are_named_after_their_module(app: str, name: str) -> None:
    assert fleet(app, RunSettings(processes=1), ENDPOINT)[1].environment["ZEROGATE_NAME"] == name


def test_an_example_worker_takes_its_name_as_an_argument() -> None:
    children = worker_children(["hello"], WorkerSettings(name="w", processes=2))
    assert [child.arguments for child in children] == [["hello", "w-1"], ["hello", "w-2"]]
    assert [child.label for child in children] == ["worker w-1", "worker w-2"]


def test_a_worker_that_no_router_would_take_is_refused_here() -> None:
    check_join(WorkerSettings(name="w", route=("/a", "b/c")))
    with pytest.raises(UsageError, match=r"no router would take this worker: .*a worker"):
        check_join(WorkerSettings(name="a worker"))
    with pytest.raises(UsageError, match="no router would take this worker: 'a b' is not a route"):
        fleet("app:app", RunSettings(route=("a b",)), ENDPOINT)

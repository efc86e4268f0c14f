"""The services that commands run, and those that they supervise."""

import sys
from pathlib import Path

import pytest

from tests.support.each import each
from zerogate.cli.services import check_join, files_settings, find_files, fleet, worker_children
from zerogate.errors import UsageError
from zerogate.settings import FilesSettings, RunSettings, WorkerSettings

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


@each(
    ("app", "name"),
    [
        ("app:app", "app"),
        ("a.b.c:d.e", "c"),
        ("mysite.wsgi", "mysite"),
        ("asgi:app", "asgi"),
        ("grüße:app", "gr__e"),
        (":app", "worker"),
    ],
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


def test_a_worker_for_each_folder_at_the_hosts_of_the_application(tmp_path: Path) -> None:
    settings = RunSettings(
        processes=2,
        static=(f"/static={tmp_path}", f"/more={tmp_path}"),
        route=("a.example", "b.example/shop", "*"),
        cache_control="no-cache",
        replace=True,
    )
    router, one, two, *workers = fleet("shop:app", settings, ENDPOINT)
    assert router.environment["ZEROGATE_OWN_WORKERS"] == "4"
    assert len(workers) == 2
    assert (one.arguments, one.stage, one.is_early) == (["files", str(tmp_path)], 1, True)
    assert one.environment["ZEROGATE_ROUTE"] == "/static a.example/static b.example/static"
    assert (one.environment["ZEROGATE_NAME"], two.environment["ZEROGATE_NAME"]) == ("files-1", "files-2")
    assert one.environment["ZEROGATE_CACHE_CONTROL"] == "no-cache"
    assert one.environment["ZEROGATE_PROCESSES"] == "1"
    assert one.environment["ZEROGATE_CONNECT"] == f"'{ENDPOINT}'"


@each("text", ["/static", "static=.", "=.", "/static="])
def test_a_folder_that_is_not_written_so(text: str) -> None:
    with pytest.raises(UsageError, match="write PREFIX=DIR"):
        fleet("shop:app", RunSettings(static=(text,)), ENDPOINT)


def test_a_folder_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"^--static /s=nowhere: no such folder$"):
        fleet("shop:app", RunSettings(static=("/s=nowhere",)), ENDPOINT)


def test_files_are_an_application(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = files_settings(FilesSettings(cache_control="no-cache"))
    assert settings.lifespan == "off"
    found = find_files(str(tmp_path), settings)
    assert (found.words, found.knows_its_routes) == (f"files of {tmp_path}, ASGI", True)
    monkeypatch.setitem(sys.modules, "starlette.staticfiles", None)
    monkeypatch.delitem(sys.modules, "zerogate.worker.files")
    with pytest.raises(UsageError, match=r"pip install 'zerogate\[files\]'"):
        find_files(str(tmp_path), settings)

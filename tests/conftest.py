"""Fixtures for all tests, and what the short loop (`-m fast`) is made of."""

import gc
import os
import signal
import sys
import warnings
from collections.abc import Generator, Iterator
from pathlib import Path

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

from tests.support.processes import ROUTER_PROCESSES, Site, make_site
from zerogate.collector import IS_TUNABLE
from zerogate.logs import ROOT

HERE = Path(__file__).parent

# The folders whose tests start no process of ours. All of them are the short loop.
FAST_FOLDERS = ("unit", "property", "conformance")
FAST_TIMEOUT_S = 120

# Whatever PYTHONDONTWRITEBYTECODE says, for these processes alone: pytest rewrites each module's assertions in each
# process, which is a third of the short loop unless the outcome is kept.
sys.dont_write_bytecode = False

# A busy machine is no failure: no deadlines. The short loop tries few examples, and the same ones each time; the long
# one tries others each time. A test that needs more says so as a multiple of `settings().max_examples`.
hypothesis.settings.register_profile("full", deadline=None)
hypothesis.settings.register_profile(
    "fast", deadline=None, max_examples=10, stateful_step_count=25, derandomize=True, database=None
)

# Workers remember routers across restarts: not those of tests.
os.environ["XDG_STATE_HOME"] = "/dev/null/nowhere"

# Under nohup(1) SIGHUP is ignored, and in a script's background (`&`) SIGINT is; and so they would be by every process
# that a test starts.
signal.signal(signal.SIGHUP, signal.SIG_DFL)
signal.signal(signal.SIGINT, signal.default_int_handler)


def is_short_loop(config: pytest.Config) -> bool:
    return bool(config.getoption("markexpr") == "fast")


def pytest_configure(config: pytest.Config) -> None:
    """Choose Hypothesis's profile, unless its own option has: by HYPOTHESIS_PROFILE, else by the loop."""
    if not config.getoption("--hypothesis-profile"):
        by_loop = "fast" if is_short_loop(config) else "full"
        hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", by_loop))
    if is_short_loop(config) and hasattr(config, "workerinput"):
        config.pluginmanager.register(Terse())


class Terse:
    """One of several processes says of a test how it went, and not that it began, was set up, torn down and ended.

    Five messages for each test, and what the process that reads them makes of them, are a tenth of the short loop.
    """

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool:
        for report in runtestprotocol(item, log=False, nextitem=nextitem):
            if report.when == "call" or not report.passed:
                item.ihook.pytest_runtest_logreport(report=report)
        return True


def pytest_collection(session: pytest.Session) -> None:
    # Tests are many objects, that all stay: a collector that counts them through again and again takes a fifth of the
    # short loop.
    gc.disable()


def pytest_collection_finish(session: pytest.Session) -> None:
    if IS_TUNABLE:
        gc.freeze()
    gc.enable()


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The short loop need not read the tests that it leaves out."""
    is_slow = collection_path.parent == HERE and collection_path.is_dir() and collection_path.name not in FAST_FOLDERS
    return True if is_slow and is_short_loop(config) else None


def pytest_collectstart(collector: pytest.Collector) -> None:
    # What holds for a module holds for its tests: to mark each of them takes a while.
    if isinstance(collector, pytest.Module) and collector.path.relative_to(HERE).parts[0] in FAST_FOLDERS:
        collector.add_marker(pytest.mark.fast)
        # A thread for each test, as for the others, would be a fifth of the short loop.
        collector.add_marker(pytest.mark.timeout(FAST_TIMEOUT_S, method="signal"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if is_short_loop(config):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if not item.get_closest_marker("slow")]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """What a test that fails leaves open is closed with it: its frames hold it, and it would fail a later test."""
    n_failed = item.session.testsfailed
    result = yield
    if item.session.testsfailed > n_failed:
        for name in ("last_type", "last_value", "last_traceback", "last_exc"):
            if hasattr(sys, name):
                delattr(sys, name)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            gc.collect()
    return result


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """How many processes `-n auto` is: each reads and imports all, and more of them wait at once."""
    return 3


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """TEST_ROUTER_PROCESSES is for all but those that are about what one process decides, or has one link."""
    Site.router_processes = 1 if item.get_closest_marker("one_process") else ROUTER_PROCESSES


@pytest.fixture(autouse=True)
def log_level() -> Iterator[None]:
    """What one test has said of logging is not for the next one to hear."""
    level = ROOT.level
    yield
    ROOT.setLevel(level)


@pytest.fixture
def site() -> Iterator[Site]:
    """Free ports, and processes that end with the test."""
    with make_site() as made:
        yield made

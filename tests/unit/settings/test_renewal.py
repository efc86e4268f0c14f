"""When processes are replaced, and who needs a supervisor for it."""

from typing import Any

from tests.support.each import each
from zerogate.settings import WorkerSettings
from zerogate.settings.kinds import MIB


@each(
    ("given", "needs"),
    [
        ({}, False),
        ({"processes": 2}, True),
        ({"max_requests": 100}, True),
        ({"max_requests": 0}, False),
        ({"max_requests_jitter": 10}, False),
        ({"max_memory": 100 * MIB}, True),
        ({"reload": True}, True),
        ({"reload_dir": ("x",)}, False),
    ],
)
def test_who_needs_a_supervisor(given: dict[str, Any], needs: bool) -> None:
    assert WorkerSettings(**given).needs_supervisor == needs

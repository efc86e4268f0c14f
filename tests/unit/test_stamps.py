"""How a time is written."""

import subprocess
import sys

import pytest

from tests.support.commands import clean_environment
from tests.support.each import each
from zerogate.stamps import Stamps


@each(
    ("zone", "time", "offset"), [("UTC", "22", "+0000"), ("America/New_York", "17", "-0500"), ("CET-1", "23", "+0100")]
)
def test_times_are_those_of_the_zone_it_was_started_in(zone: str, time: str, offset: str) -> None:
    """Django, for one, sets the time zone of its settings for the whole process."""
    script = """
import os, time
from zerogate.stamps import Stamps
stamps = Stamps()
os.environ["TZ"] = "Asia/Kolkata"
time.tzset()
print(stamps.stamp(1_700_000_000.9996))
"""
    environment = {**clean_environment(), "TZ": zone}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"2023-11-14T{time}:13:20.999{offset}\n"


def test_each_second_and_each_of_its_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    stamps = Stamps()
    times = (0.0, 0.25, 1.0, 0.5, 86_399.5)
    assert [stamps.stamp(seconds).removeprefix("1970-01-01T") for seconds in times] == [
        *("00:00:00.000+0000", "00:00:00.250+0000", "00:00:01.000+0000", "00:00:00.500+0000", "23:59:59.500+0000"),
    ]

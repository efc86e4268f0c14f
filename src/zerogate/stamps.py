"""How a time is written in lines for people: `2026-11-29T13:45:12.345+0100`, the same in every log."""

import datetime
import os
import zoneinfo
from pathlib import Path

# tzset(3): the system's time zone, where TZ says none.
LOCAL_ZONE = Path("/etc/localtime")


class Stamps:
    """Of the time zone that this process has now: Django sets its own for the whole process, later."""

    def __init__(self) -> None:
        self._zone = _zone()
        # Most lines are of the same second as the one before.
        self._second = -1
        self._before, self._behind = "", ""

    def stamp(self, seconds: float) -> str:
        """`seconds` are since 1970, as `time.time()` has them."""
        second = int(seconds)
        if second != self._second:
            self._second = second
            time = datetime.datetime.fromtimestamp(second, self._zone)
            self._before, self._behind = f"{time:%Y-%m-%dT%H:%M:%S}", f"{time:%z}"
        return f"{self._before}.{int((seconds - second) * 1000):03}{self._behind}"


def _zone() -> datetime.tzinfo | None:
    name = os.environ.get("TZ", "").removeprefix(":")
    try:
        if name:
            return zoneinfo.ZoneInfo(name)
        with LOCAL_ZONE.open("rb") as file:
            return zoneinfo.ZoneInfo.from_file(file)
    except (OSError, ValueError, LookupError):
        # An old-fashioned name, such as CET-1: as it is now, without what summer changes.
        return datetime.datetime.now().astimezone().tzinfo

"""The environment variables of whatever serves: those of this process, less what would change what is measured."""

import os
from collections.abc import Mapping

FOREIGN_SETTINGS = ("ZEROGATE_", "UVICORN_", "GRANIAN_", "GUNICORN_", "WEB_CONCURRENCY", "FORWARDED_ALLOW_IPS")


def surroundings(more: Mapping[str, str]) -> dict[str, str]:
    """The variables for a process, with these more on top."""
    own = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN_SETTINGS)} | dict(more)
    if "PYTHONPATH" in own:
        # What serves starts in another directory, where a relative path would lead elsewhere, or nowhere.
        own["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, own["PYTHONPATH"].split(os.pathsep)))
    return own

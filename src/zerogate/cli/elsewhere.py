"""Options that other servers have by the same name, for something else."""

from collections.abc import Callable
from typing import NamedTuple

from zerogate.errors import UsageError
from zerogate.settings.endpoint import parse_listening


class Elsewhere(NamedTuple):
    """`words` are for people; `is_meant` says whether a value is one of theirs, "" whether they have it without."""

    words: str
    is_meant: Callable[[str], bool] = lambda value: not value


def _is_address(value: str) -> bool:
    try:
        parse_listening(value)
    except UsageError:
        return False
    return True


ELSEWHERE = {
    "access_log": Elsewhere("uvicorn's --access-log has no value; here it says where to: -, a PATH, or off"),
    "bind": Elsewhere("gunicorn's --bind is --http here: --bind is where workers dial", _is_address),
    "config": Elsewhere(
        "gunicorn's is Python; here it is TOML, see docs/coming-from.md", lambda value: value.endswith(".py")
    ),
    "http": Elsewhere(
        "uvicorn's --http chooses a parser; here it is where to listen", ("auto", "h11", "httptools").__contains__
    ),
    "timeout": Elsewhere("gunicorn's ends a worker that is silent; here its request gets 504, and it lives on"),
}


def elsewhere(setting: str, value: str) -> str:
    """What to say, in brackets, of an option that was refused with this value; "" if there is nothing to say."""
    found = ELSEWHERE.get(setting)
    return f" ({found.words})" if found is not None and found.is_meant(value) else ""

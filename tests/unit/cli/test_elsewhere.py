"""Options that other servers have by the same name."""

from tests.support.each import each
from zerogate.cli.commands import commands
from zerogate.cli.elsewhere import ELSEWHERE, elsewhere
from zerogate.cli.options import setting_options


@each(
    ("setting", "value", "said"),
    [
        ("bind", "0.0.0.0:8000", "is --http here"),
        ("bind", "unix:/run/s", "is --http here"),
        ("bind", "8000", ""),
        ("http", "h11", "chooses a parser"),
        ("http", "9000x", ""),
        ("config", "gunicorn.conf.py", "TOML"),
        ("config", "zerogate.toml", ""),
        ("access_log", "", "has no value"),
        ("timeout", "soon", ""),
        ("queue_timeout", "", ""),
    ],
)
def test_what_is_said_of_it(setting: str, value: str, said: str) -> None:
    words = elsewhere(setting, value)
    assert said in words
    assert bool(said) is bool(words)


def test_all_of_them_are_options_of_run() -> None:
    assert set(ELSEWHERE) <= set(setting_options(commands.commands["run"]))

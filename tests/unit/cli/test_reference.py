"""docs/options.md is made from the declarations, and is up to date."""

from tests.support.commands import ROOT
from zerogate.cli.reference import reference
from zerogate.settings import RouterSettings, RunSettings, WorkerSettings
from zerogate.settings.option import flag_name, options_of


def test_the_page_is_up_to_date() -> None:
    page = (ROOT / "docs" / "options.md").read_text()
    assert page == reference(), "make it anew: python -m zerogate.cli.reference > docs/options.md"


def test_every_option_is_on_it() -> None:
    page = reference()
    for kind in (RouterSettings, WorkerSettings, RunSettings):
        for field, option in options_of(kind):
            assert (f"| `{flag_name(field.name)}" in page) is not option.is_hidden


def test_an_option_that_differs_says_for_whom() -> None:
    page = reference()
    assert "| `--processes COUNT\\|auto` (worker, hello, attach, files) | 1 | 1 to 1024 |" in page
    assert "| `--processes COUNT\\|auto` (run) | auto, the number of cores | 1 to 1024 |" in page
    assert "| `--head-timeout DURATION` | 10s | 1ms to 8760h; 0: no limit |" in page
    assert "| `--timeout DURATION` (router) | 60s | 1ms to 8760h; 0: no limit |" in page
    assert "| `--timeout DURATION` (run) | off | 1ms to 8760h; 0: no limit |" in page
    assert "| `--timeout DURATION` (worker, hello, attach, files) | the router's | 1ms to 8760h; 0: no limit |" in page

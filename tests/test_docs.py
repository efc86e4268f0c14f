"""What the pages for people say of the code, read out of both. What they say of behaviour: e2e/test_readme.py."""

import re
import tomllib
from pathlib import Path

import click
import pytest

import zerogate
from tests.support.each import each
from tests.unit.test_layers import MODULES, own
from zerogate.cli.commands import commands
from zerogate.cli.elsewhere import ELSEWHERE
from zerogate.cli.options import every_command, setting_options
from zerogate.cli.suggestions import explain_no_such_option
from zerogate.settings import AddressSettings
from zerogate.settings.option import flag_name
from zerogate.wire.http.errors import ERRORS

pytestmark = pytest.mark.fast

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
CONFIG = tomllib.loads((ROOT / "pyproject.toml").read_text())


def rows(page: str, header: str) -> list[list[str]]:
    """The cells of the table whose header begins so."""
    lines = page[page.index(f"\n{header}") + 1 :].split("\n\n")[0].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


# docs/operations.md


def test_each_error_is_explained_as_it_is() -> None:
    said = set()
    for code, statuses, fault, closes, *_ in rows((DOCS / "operations.md").read_text(), "| `zerogate-error`"):
        assert closes in ("yes", "no")
        for status in statuses.split(","):
            row = (code.strip("`"), int(status), fault, closes == "yes")
            assert row not in said
            said.add(row)
    assert said == {(kind.code, kind.status, kind.fault.value, kind.closes) for kind in ERRORS}


def test_each_503_may_be_asked_again_and_nothing_else() -> None:
    assert all(kind.may_retry == (kind.status == 503) for kind in ERRORS)


# docs/rooms.md

ROOMS = rows((DOCS / "rooms.md").read_text(), "| room | is | imports |")
IS_FOLDER = {module: path.name == "__init__.py" for module, path in MODULES.items()}
# Folders whose single files are below their rooms, and so are not told apart.
NOT_ROOMS = {"", "wire"}
# Below all of them, as errors are.
CELLAR = {"native"}


def room_of(module: str) -> str:
    folder = module if IS_FOLDER[module] else module.rpartition(".")[0]
    return folder.removeprefix("zerogate").lstrip(".").replace(".", "/")


def test_every_room_is_there() -> None:
    assert {name.strip("`/") for name, *_ in ROOMS} == {room_of(module) for module in MODULES} - NOT_ROOMS


@pytest.mark.parametrize(("name", "_is", "imports"), ROOMS, ids=[row[0].strip("`/") for row in ROOMS])
def test_rooms_import_what_the_page_says(name: str, _is: str, imports: str) -> None:
    room = name.strip("`/")
    inside = [module for module in MODULES if room_of(module) == room]
    found = {room_of(other) for module in inside for other in own(module)} - NOT_ROOMS - CELLAR
    # A folder in a room, and the room that a folder is in, are the room itself.
    found = {other for other in found if not f"{other}/".startswith(f"{room}/") and not room.startswith(f"{other}/")}
    assert found == {text.strip("`/ ") for text in imports.split(",")} - {"nothing"}


def test_the_files_that_it_names_are_there() -> None:
    places = [path.as_posix() for path in (*MODULES.values(), *(ROOT / "tests").rglob("*.py"))]
    for page in ("rooms.md", "decisions.md"):
        for name in re.findall(r"`([\w/]+\.py)`", (DOCS / page).read_text()):
            assert any(path.endswith(f"/{name}") for path in places), f"{page}: {name}"


# docs/coming-from.md

MOVING = (DOCS / "coming-from.md").read_text()
THEIRS = [
    (name, row[2]) for row in rows(MOVING, "| option | of | here |") for name in re.findall(r"`(-[\w-]+)`", row[0])
]
RUN = commands.commands["run"]


@each(("name", "here"), THEIRS)
def test_their_options_are_what_the_page_says(name: str, here: str) -> None:
    found = next((option for option in setting_options(RUN).values() if name in option.opts), None)
    if here.startswith("the same"):
        assert found is not None
        is_part = found.kind is AddressSettings
        assert set(re.findall(r"`(--[\w-]+)", here)) <= {"--http"} if is_part else {flag_name(found.setting)}
    elif here.startswith("another"):
        assert found is not None
        assert found.setting in ELSEWHERE
    else:
        assert found is None
        context = click.Context(RUN, parent=click.Context(commands))
        assert explain_no_such_option(name, context) is not None


def test_our_options_are_what_they_are_called() -> None:
    ours = {name for command in every_command(commands).values() for param in command.params for name in param.opts}
    for page in ("coming-from.md", "configuration.md"):
        text = (DOCS / page).read_text()
        tables = [row for row in text.splitlines() if row.startswith("| ")]
        named = {name for row in tables for name in re.findall(r"`(--[\w-]+)", row.split("|")[-2])}
        assert named <= ours
        assert named or page == "configuration.md"


# CONTRIBUTING.md, CHANGELOG.md


def test_contributing_is_short_and_its_commands_are_ours() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert text.count("\n") < 40
    commands = text.partition("```\n")[2].partition("```")[0]
    wanted = {requirement.partition(">")[0] for requirement in CONFIG["project"]["optional-dependencies"]["test"]}
    assert set(re.findall(r"\b(pytest|coverage|ruff|mypy)\b", commands)) <= wanted
    assert "pip install -e '.[test]'" in commands
    assert "python -m pytest -m fast" in commands
    markers = CONFIG["tool"]["pytest"]["ini_options"]["markers"]
    assert [marker.partition(":")[0] for marker in markers] == ["fast", "slow", "one_process"]
    assert CONFIG["tool"]["coverage"]["run"]["branch"] is True


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1] == zerogate.__version__

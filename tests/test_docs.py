"""What the pages for people say of the code, read out of both. What they say of behaviour: e2e/test_readme.py."""

import re
import tomllib
from pathlib import Path

import pytest

import zerogate
from tests.unit.test_layers import MODULES, own
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
    for page in ("rooms.md", "decisions.md"):
        for name in re.findall(r"`([\w/]+\.py)`", (DOCS / page).read_text()):
            places = [path.as_posix() for path in (*MODULES.values(), *(ROOT / "tests").rglob("*.py"))]
            assert any(path.endswith(f"/{name}") for path in places), f"{page}: {name}"


# CONTRIBUTING.md, CHANGELOG.md


def test_contributing_is_short_and_its_commands_are_ours() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert text.count("\n") < 40
    commands = text.partition("```\n")[2].partition("```")[0]
    wanted = {requirement.partition(">")[0] for requirement in CONFIG["project"]["optional-dependencies"]["test"]}
    assert set(re.findall(r"\b(pytest|coverage|ruff|mypy)\b", commands)) <= wanted
    assert "pip install -e '.[test]'" in commands
    assert "python -m pytest -m fast" in commands
    assert [marker.partition(":")[0] for marker in CONFIG["tool"]["pytest"]["ini_options"]["markers"]] == ["fast"]
    assert CONFIG["tool"]["coverage"]["run"]["branch"] is True


def test_the_changelog_has_this_version() -> None:
    versions = re.findall(r"^## \[?([^\]\s]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased"
    assert versions[1] == zerogate.__version__

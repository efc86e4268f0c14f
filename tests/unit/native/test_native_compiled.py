import os
from pathlib import Path

import pytest

from zerogate.native import compiled

is_there = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")


def test_it_can_be_turned_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.VARIABLE, "0")
    assert compiled.look() == compiled.OFF


def test_it_is_absent_if_any_of_it_is(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(compiled.VARIABLE, raising=False)
    monkeypatch.setattr(compiled, "MODULES", (*compiled.MODULES, "walls"))
    assert compiled.look(tmp_path) == compiled.ABSENT


@is_there
def test_it_is_there(tmp_path: Path) -> None:
    assert compiled.look(tmp_path) == compiled.NATIVE


@is_there
def test_it_is_no_good_once_its_source_has_changed(tmp_path: Path) -> None:
    source = tmp_path / f"{compiled.MODULES[0]}.pyx"
    source.touch()
    assert compiled.look(tmp_path) == compiled.STALE
    os.utime(source, (0, 0))
    assert compiled.look(tmp_path) == compiled.NATIVE


@is_there
def test_what_cannot_be_loaded_is_absent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def fail(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(compiled, "import_module", fail)
    assert compiled.look(tmp_path) == compiled.ABSENT


def test_what_is_found() -> None:
    found = compiled.find("blocks", "decode_block")
    assert (found is compiled.decline) is not compiled.IS_ON
    assert compiled.find("blocks", "decode_block", otherwise=1) == 1 or compiled.IS_ON


def test_every_module_is_built() -> None:
    folder = Path(compiled.__file__).parent
    if sources := {path.stem for path in folder.glob("*.pyx")}:  # a working copy
        assert sources == set(compiled.MODULES)


def test_who_declines_takes_nothing() -> None:
    compiled.decline(b"anything", 1)

"""Why a user's code failed, and where; of modules, `test_loader.py` has more."""

import shutil
from pathlib import Path

import pytest

from zerogate.worker.import_failure import explain_failure


def test_the_reason_and_the_place_in_one_line() -> None:
    with pytest.raises(ValueError, match="one") as caught:
        raise ValueError("one\n two")
    said = explain_failure(caught.value)
    assert said.startswith("ValueError: one two (")
    assert 'test_import_failure.py:13: raise ValueError("one\\n two"))' in said


def test_without_words() -> None:
    with pytest.raises(KeyError) as caught:
        raise KeyError
    assert explain_failure(caught.value).startswith("KeyError (")


def test_where_no_folder_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path)
    with pytest.raises(KeyError) as caught:
        raise KeyError
    assert f"({__file__}:" in explain_failure(caught.value)

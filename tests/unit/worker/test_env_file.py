"""Variables from a file."""

import os
import sys
from pathlib import Path

import pytest

from zerogate.errors import UsageError
from zerogate.worker.env_file import load_env_file


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ENV_FILE_ONE", "ENV_FILE_TWO", "ENV_FILE_THREE"):
        monkeypatch.setenv(name, "before")
        monkeypatch.delenv(name)
    return tmp_path / "env"


def test_what_the_environment_has_stays(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("dotenv")
    path.write_text("# words\nENV_FILE_ONE=1\nexport ENV_FILE_TWO='a b'\nENV_FILE_THREE=${ENV_FILE_ONE}1\n")
    monkeypatch.setenv("ENV_FILE_TWO", "mine")
    load_env_file(str(path))
    assert [os.environ[f"ENV_FILE_{n}"] for n in ("ONE", "TWO", "THREE")] == ["1", "mine", "11"]


def test_a_file_that_cannot_be_read(path: Path) -> None:
    pytest.importorskip("dotenv")
    with pytest.raises(UsageError, match=r"^--env-file .*/env: No such file or directory$"):
        load_env_file(str(path))
    with pytest.raises(UsageError, match=r"^--env-file .*: Is a directory$"):
        load_env_file(str(path.parent))
    path.write_bytes(b"A=\xff\n")
    with pytest.raises(UsageError, match=r"^--env-file .*/env: not a text in UTF-8$"):
        load_env_file(str(path))


def test_without_the_library(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "dotenv", None)
    with pytest.raises(UsageError, match=r"pip install 'zerogate\[env\]'"):
        load_env_file(str(path))

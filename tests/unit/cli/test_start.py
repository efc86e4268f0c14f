"""Before all else that is imported."""

import sys
from types import ModuleType

import pytest

from zerogate.cli import main


def test_a_ctrl_c_amid_imports_and_behind_them(monkeypatch: pytest.MonkeyPatch) -> None:
    class Interrupting(ModuleType):
        def __getattr__(self, name: str) -> object:
            raise KeyboardInterrupt

    monkeypatch.setitem(sys.modules, "zerogate.cli.entry", Interrupting("entry"))
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1

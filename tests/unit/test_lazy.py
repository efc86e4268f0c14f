"""Names that are imported when they are asked for."""

import sys
from types import ModuleType

import pytest

from zerogate.lazy import importer


def test_once_and_not_others(monkeypatch: pytest.MonkeyPatch) -> None:
    package = ModuleType("a_package")
    monkeypatch.setitem(sys.modules, "a_package", package)
    find = importer("a_package", {"sqrt": "math"})
    assert "sqrt" not in vars(package)
    assert find("sqrt")(9) == 3
    assert "sqrt" in vars(package)
    with pytest.raises(AttributeError, match="module 'a_package' has no attribute 'cbrt'"):
        find("cbrt")

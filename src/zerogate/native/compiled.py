"""Whether there is anything compiled, and what stands in for it if not."""

import os
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, TypeVar

Way = TypeVar("Way")

VARIABLE: Final = "ZEROGATE_NATIVE"
MODULES: Final = (
    "names",
    "heads",
    "blocks",
    "stored",
    "books",
    "faces",
    "sender",
    "session",
    "messages",
    "reads",
    "calls",
    "asgi",
    "servers",
    "link",
    "http1",
    "desk",
    "client",
    "turns",
    "routes",
    "exchange",
)

NATIVE: Final = "native"
OFF: Final = f"pure Python: {VARIABLE}=0"
ABSENT: Final = "pure Python: not compiled"
STALE: Final = "pure Python: the source is newer than what was compiled of it"


def look(folder: Path = Path(__file__).parent) -> str:
    """What there is, and may be used."""
    if os.environ.get(VARIABLE) == "0":
        return OFF
    for name in MODULES:
        spec = find_spec(f"{__package__}.{name}")
        if spec is None or spec.origin is None:
            return ABSENT
        compiled = Path(spec.origin)
        source = folder / f"{name}.pyx"
        if source.exists() and source.stat().st_mtime > compiled.stat().st_mtime:
            return STALE
    try:
        for name in MODULES:
            import_module(f"{__package__}.{name}")
    except ImportError:
        return ABSENT
    return NATIVE


KIND: Final = look()
IS_ON: Final = KIND == NATIVE


def decline(*_: object) -> None:
    """A fast path that takes nothing."""


def find(module: str, name: str, otherwise: Any = decline) -> Any:
    """A compiled function or class; what stands in for it where nothing is compiled."""
    return getattr(import_module(f"{__package__}.{module}"), name) if IS_ON else otherwise


def prefer(asking: Way, alone: Way) -> Way:
    """What asks something compiled first; where nothing is compiled, what does without.

    What: two calls less, of five things that each request needs. Why, benchmark: 2 % of its cost (bench/inside.py).
    """
    return asking if IS_ON else alone


class Base:
    """Stands in for a compiled class that has the attributes of a Python one."""

    __slots__ = ()


class NoPaths:
    """Stands in for what is not compiled, of classes that stand before another."""

    __slots__ = ()


def slots(base: Any, *names: str) -> tuple[str, ...]:
    """Those of these attributes that `base` does not have already."""
    return tuple(name for name in names if not hasattr(base, name))

"""What a session holds, for comparing it with what it held before, or with what another does."""

from collections import deque
from types import GetSetDescriptorType
from typing import Any


def attributes(kind: type) -> list[str]:
    """Of an object with slots: its own, and those that are compiled."""
    names = [name for base in kind.__mro__ for name in getattr(base, "__slots__", ())]
    compiled = [base for base in kind.__mro__ if base.__module__.startswith("zerogate.native.")]
    return names + [
        name for base in compiled for name, value in vars(base).items() if type(value) is GetSetDescriptorType
    ]


def snapshot(thing: Any, known: dict[int, Any]) -> Any:
    """All that `thing` holds, to the bottom."""
    if id(thing) in known:
        return "seen"
    if isinstance(thing, dict):
        return {key: snapshot(value, known) for key, value in thing.items()}
    if isinstance(thing, (list, tuple, deque)):
        return [snapshot(item, known) for item in thing]
    names = attributes(type(thing))
    if names and type(thing).__module__.startswith("zerogate."):
        known[id(thing)] = thing
        return {name: snapshot(getattr(thing, name), known) for name in names}
    if isinstance(thing, (bytes, bytearray, memoryview, int, str, float, type(None))):
        return bytes(thing) if isinstance(thing, (bytearray, memoryview)) else thing
    return "opaque"

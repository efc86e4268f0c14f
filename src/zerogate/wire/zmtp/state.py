"""What a connection keeps count of: the compiled class below it, or nothing (native/messages.pyx)."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, find

if TYPE_CHECKING:
    TrafficState = Base
else:
    TrafficState = find("messages", "TrafficState", Base)

# What is compiled imports nothing.
set_states: Callable[..., None] = find("messages", "set_states")

"""What a link keeps count of: the compiled class below it, or nothing (native/link.pyx)."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, find

if TYPE_CHECKING:
    LinkState = Base
else:
    LinkState = find("link", "LinkState", Base)

"""What a client's connection keeps count of: the compiled classes below it, or nothing (native/http1.pyx)."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, find

if TYPE_CHECKING:
    ConnectionState = Base
    ReaderState = Base
else:
    ConnectionState = find("http1", "ConnectionState", Base)
    ReaderState = find("http1", "ReaderState", Base)

"""What the parts of a session keep count of: the compiled classes below them, or nothing (native/session.pyx).

A part has its attributes there if it can, where fast paths read and write them as C numbers, else in its own slots.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, NoPaths, find

if TYPE_CHECKING:
    BlockReaderState = Base
    BlockWriterState = Base
    QueueState = Base
    ReaderState = Base
    SessionState = Base
    StreamState = Base
    TableState = Base
    WindowState = Base
    FastPaths = NoPaths
    StoredBlocks = NoPaths
else:
    BlockReaderState = find("stored", "BlockReaderState", Base)
    BlockWriterState = find("stored", "BlockWriterState", Base)
    QueueState = find("session", "QueueState", Base)
    ReaderState = find("session", "ReaderState", Base)
    SessionState = find("session", "SessionState", Base)
    StreamState = find("session", "StreamState", Base)
    TableState = find("session", "TableState", Base)
    WindowState = find("session", "WindowState", Base)
    FastPaths = find("session", "FastPaths", NoPaths)
    StoredBlocks = find("stored", "StoredBlocks", NoPaths)

# What is compiled imports nothing: it is given the classes of which it makes something, and the dictionary.
set_classes: Callable[..., None] = find("session", "set_classes")
set_dictionary: Callable[[bytes], None] = find("stored", "set_dictionary")

"""What the parts of a session keep count of: the compiled classes below them, or nothing (native/books.pyx).

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
    QueueState = find("books", "QueueState", Base)
    ReaderState = find("books", "ReaderState", Base)
    SessionState = find("books", "SessionState", Base)
    StreamState = find("books", "StreamState", Base)
    TableState = find("books", "TableState", Base)
    WindowState = find("books", "WindowState", Base)
    FastPaths = find("session", "FastPaths", NoPaths)
    StoredBlocks = find("stored", "StoredBlocks", NoPaths)

# What is compiled imports nothing: it is given the classes of which it makes something, and the dictionary.
set_stream: Callable[[type], None] = find("books", "set_stream")
set_parts: Callable[..., None] = find("sender", "set_parts")
set_events: Callable[..., None] = find("session", "set_events")
set_dictionary: Callable[[bytes], None] = find("stored", "set_dictionary")

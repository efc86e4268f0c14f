"""What is counted and remembered of each request: the compiled classes below who does, or nothing."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, NoPaths, find
from zerogate.transports import write_pieces

if TYPE_CHECKING:
    ClientState = Base
    CountersState = Base
    DateState = Base
    DeadlinesState = Base
    DeskState = Base
    DispatcherState = Base
    FastClient = NoPaths
    FastTable = NoPaths
    FastTurns = NoPaths
    ForwardingState = Base
    PrefixesState = Base
    TableState = Base
    TurnsState = Base
    WorkerState = Base
else:
    ClientState = find("client", "ClientState", Base)
    CountersState = find("desk", "CountersState", Base)
    DateState = find("desk", "DateState", Base)
    DeadlinesState = find("desk", "DeadlinesState", Base)
    DeskState = find("desk", "DeskState", Base)
    DispatcherState = find("turns", "DispatcherState", Base)
    FastClient = find("client", "FastClient", NoPaths)
    FastTable = find("routes", "FastTable", NoPaths)
    FastTurns = find("turns", "FastTurns", NoPaths)
    ForwardingState = find("desk", "ForwardingState", Base)
    PrefixesState = find("routes", "PrefixesState", Base)
    TableState = find("routes", "TableState", Base)
    TurnsState = find("turns", "TurnsState", Base)
    WorkerState = find("turns", "WorkerState", Base)

# What is compiled imports nothing.
find("client", "set_parts")(write_pieces)

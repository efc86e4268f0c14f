"""What clients, desks, routes, workers and their turns keep count of: the compiled classes below them, or nothing."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, NoPaths, find
from zerogate.transports import write_pieces

if TYPE_CHECKING:
    ClientState = Base
    DeskState = Base
    FastTable = NoPaths
    FastTurns = NoPaths
    PrefixesState = Base
    TableState = Base
    TurnsState = Base
    WorkerState = Base
else:
    ClientState = find("client", "ClientState", Base)
    DeskState = find("desk", "DeskState", Base)
    FastTable = find("routes", "FastTable", NoPaths)
    FastTurns = find("turns", "FastTurns", NoPaths)
    PrefixesState = find("routes", "PrefixesState", Base)
    TableState = find("routes", "TableState", Base)
    TurnsState = find("turns", "TurnsState", Base)
    WorkerState = find("turns", "WorkerState", Base)

# What is compiled imports nothing.
find("client", "set_parts")(write_pieces)

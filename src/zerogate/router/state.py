"""What clients, workers and their turns keep count of: the compiled classes below them, or nothing."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, find

if TYPE_CHECKING:
    ClientState = Base
    TurnsState = Base
    WorkerState = Base
else:
    ClientState = find("client", "ClientState", Base)
    TurnsState = find("exchange", "TurnsState", Base)
    WorkerState = find("exchange", "WorkerState", Base)

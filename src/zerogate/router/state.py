"""What workers and pools keep count of: the compiled classes below them, or nothing (native/exchange.pyx)."""

from typing import TYPE_CHECKING

from zerogate.native.compiled import Base, find

if TYPE_CHECKING:
    PoolState = Base
    WorkerState = Base
else:
    PoolState = find("exchange", "PoolState", Base)
    WorkerState = find("exchange", "WorkerState", Base)

"""How many processes a machine has work for."""

import os

# Below, a second router process would only take a core from the workers.
MIN_CORES_FOR_TWO = 4
CORES_PER_ROUTER = 4


def n_cores() -> int:
    """How many cores this process may use, which in a container are not all that there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def n_router_processes() -> int:
    """Router processes beside a worker for each core.

    A request costs the router about what it costs a worker beside the application's own work, and most applications
    work longer than that: a quarter of the cores is enough. From four on there are two: one of them may die.
    """
    cores = n_cores()
    return 1 if cores < MIN_CORES_FOR_TWO else max(2, cores // CORES_PER_ROUTER)

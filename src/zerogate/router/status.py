"""A snapshot of the router for people and scripts: what `/status` answers and `zerogate status` shows."""

import dataclasses
from typing import TYPE_CHECKING, Any

from zerogate.router.workers import Worker

if TYPE_CHECKING:
    from zerogate.router.service import Router


def status_of(router: "Router") -> dict[str, Any]:
    """Workers, routes, queues and counters, in JSON's types. Times are in seconds."""
    now = router.frontend.loop.time()
    pools = router.dispatcher.routes.values()
    return {
        "router": router.settings.name,
        "uptime_s": round(now - router.started_at, 1),
        "is_stopping": router.frontend.is_stopping,
        "clients": len(router.frontend.clients),
        "links": len(router.links),
        "waiting": len(router.dispatcher.lobby) + sum(len(pool.queue) for pool in pools),
        "workers": [_worker(worker, now) for worker in router.links.values() if worker is not None],
        "routes": [
            {"route": str(pool.route), "workers": len(pool.workers), "waiting": len(pool.queue)} for pool in pools
        ],
        "refusals": list(router.refusals),
        "counters": dataclasses.asdict(router.counters),
    }


def _worker(worker: Worker, now: float) -> dict[str, Any]:
    return {
        "name": worker.name,
        "peer": worker.link.peer,
        "software": worker.software,
        "state": worker.state,
        "routes": [str(pool.route) for pool in worker.pools],
        "weight": worker.weight,
        "capacity": worker.capacity,
        "in_flight": worker.in_flight,
        "served": worker.served,
        "failures": worker.failures,
        "joined_s": round(now - worker.joined_at, 1),
        "bytes_in": worker.link.bytes_in,
        "bytes_out": worker.link.bytes_out,
    }

"""A snapshot of the router for people and scripts: what `/status` answers and `zerogate status` shows."""

from typing import Any

from zerogate.router.desk import Desk
from zerogate.router.dispatcher import Dispatcher
from zerogate.router.links import Links
from zerogate.router.workers import Worker


def status_of(
    name: str, started_at: float, now: float, desk: Desk, dispatcher: Dispatcher, links: Links
) -> dict[str, Any]:
    """Workers, routes, queues and counters of the router `name`, in JSON's types. Times are in seconds."""
    pools = dispatcher.routes.values()
    return {
        "router": name,
        "uptime_s": round(now - started_at, 1),
        "is_stopping": desk.is_stopping,
        "clients": len(desk.clients),
        "links": len(links.workers),
        "waiting": len(dispatcher.lobby) + sum(pool.n_waiting for pool in pools),
        "collecting": len(dispatcher.anteroom),
        "tunnels": sum(worker.tunnels for worker in links.workers.values() if worker is not None),
        "event_streams": sum(worker.event_streams for worker in links.workers.values() if worker is not None),
        "workers": [_worker(worker, now) for worker in links.workers.values() if worker is not None],
        "routes": [
            {"route": str(pool.route), "workers": len(pool.workers), "waiting": pool.n_waiting} for pool in pools
        ],
        "refusals": list(links.refusals),
        "counters": desk.counters.as_dict() | {"log_dropped": desk.n_log_dropped},
    }


def _worker(worker: Worker, now: float) -> dict[str, Any]:
    return {
        "name": worker.name,
        "id": "" if worker.process_id.startswith("#") else worker.process_id,
        "peer": worker.link.peer,
        "software": worker.software,
        "key": worker.key_name,
        "state": worker.state,
        "routes": [str(pool.route) for pool in worker.pools],
        "has_pulse": worker.link.liveness.pulse is not None,
        "labels": dict(worker.terms.labels),
        "weight": worker.weight,
        "share": None if worker.terms.share is None else round(worker.terms.share * 100, 7),
        "sticky": str(worker.terms.sticky or ""),
        "capacity": worker.capacity,
        "in_flight": worker.in_flight,
        "tunnels": worker.tunnels,
        "event_streams": worker.event_streams,
        "served": worker.served,
        "failures": worker.failures,
        "joined_s": round(now - worker.joined_at, 1),
        "bytes_in": worker.link.bytes_in,
        "bytes_out": worker.link.bytes_out,
    }

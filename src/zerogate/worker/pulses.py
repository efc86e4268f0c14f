"""A worker's pulses: one to each router process, however many links it has."""

from zerogate.link.link import Link
from zerogate.settings import WorkerSettings
from zerogate.settings.endpoint import Endpoint
from zerogate.worker.identity import Identity
from zerogate.worker.pulse import Pulse


class Pulses:
    """Those of the worker process `process_id`."""

    def __init__(self, process_id: str, settings: WorkerSettings, identity: Identity) -> None:
        self._process_id = process_id
        self._settings = settings
        self._identity = identity
        self._pulses: dict[str, tuple[Pulse, set[Link]]] = {}

    def __repr__(self) -> str:
        return f"<Pulses {[pulse for pulse, _ in self._pulses.values()]}>"

    def add(self, link: Link, endpoint: Endpoint, router_id: str) -> None:
        """The link's router hears our pulse, from now on."""
        if router_id not in self._pulses:
            pulse = Pulse(endpoint, self._process_id, router_id, self._settings, self._identity)
            self._pulses[router_id] = (pulse, set())
            pulse.start()
        self._pulses[router_id][1].add(link)

    def remove(self, link: Link) -> None:
        """A link is gone: with a router's last one its pulse ends."""
        for router_id, (pulse, links) in list(self._pulses.items()):
            links.discard(link)
            if not links:
                del self._pulses[router_id]
                pulse.stop()

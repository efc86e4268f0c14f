"""Pulses: second links of workers' processes, which say only that the process lives (protocol.md, Pulse).

A worker that is too busy to answer on its link is told from one that is gone: its pulse answers, from a thread of the
same process. There is one pulse for each process that has joined, and none for any other.
"""

from zerogate.link.link import Link


class Pulses:
    """Whose pulse is which. Processes are known by the `id` of their JOIN."""

    def __init__(self) -> None:
        self._links: dict[str, set[Link]] = {}
        self._pulses: dict[str, Link] = {}
        self._owners: dict[Link, str] = {}

    def __repr__(self) -> str:
        return f"<Pulses {len(self._owners)} of {len(self._links)} processes>"

    def __contains__(self, link: Link) -> bool:
        return link in self._owners

    def __len__(self) -> int:
        return len(self._owners)

    @property
    def n_missing(self) -> int:
        """Processes that may still dial a pulse."""
        return len(self._links) - len(self._pulses)

    def add_worker(self, process_id: str, link: Link) -> None:
        """A worker of this process has joined."""
        self._links.setdefault(process_id, set()).add(link)
        if (pulse := self._pulses.get(process_id)) is not None:
            link.liveness.pulse = pulse.liveness

    def remove_worker(self, process_id: str, link: Link) -> None:
        """Its link is gone. With the last of its process's the pulse ends."""
        links = self._links.get(process_id, set())
        links.discard(link)
        if not links:
            self._links.pop(process_id, None)
            if (pulse := self._pulses.get(process_id)) is not None:
                pulse.close("its worker is gone")

    def add(self, process_id: str, pulse: Link) -> bool:
        """Count what comes on this link as life of every worker of the process. False if there is none."""
        if process_id not in self._links:
            return False
        if (before := self._pulses.pop(process_id, None)) is not None:
            before.close("another pulse has come")
        self._pulses[process_id] = pulse
        self._owners[pulse] = process_id
        for link in self._links[process_id]:
            link.liveness.pulse = pulse.liveness
        return True

    def remove(self, pulse: Link) -> None:
        """It is gone. What it has heard still counts, until another comes."""
        process_id = self._owners.pop(pulse)
        if self._pulses.get(process_id) is pulse:
            del self._pulses[process_id]

    def close(self) -> None:
        for pulse in list(self._owners):
            pulse.close("the router stops")

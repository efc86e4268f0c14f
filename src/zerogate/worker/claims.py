"""Which link has which router process: one each, however many addresses lead there."""

from zerogate.link.dial import Dialler
from zerogate.link.link import Link


class Claims:
    """A link claims the process that it has come to. Who comes second leaves, and waits until it is free again."""

    def __init__(self) -> None:
        self._links: dict[str, Link] = {}
        self._waiting: dict[str, set[Dialler]] = {}

    def __repr__(self) -> str:
        return f"<Claims {len(self._links)}, {sum(map(len, self._waiting.values()))} wait>"

    def __contains__(self, router_id: str) -> bool:
        return router_id in self._links

    def claim(self, router_id: str, link: Link) -> bool:
        """False if another link has it."""
        return self._links.setdefault(router_id, link) is link

    def wait(self, router_id: str, dialler: Dialler) -> None:
        """Have this one dial again when the process has lost its link."""
        self._waiting.setdefault(router_id, set()).add(dialler)

    def forget(self, dialler: Dialler) -> None:
        """It waits no more."""
        for diallers in self._waiting.values():
            diallers.discard(dialler)

    def free(self, link: Link) -> None:
        """The link is gone, or takes nothing new: whatever it had is free, and who waited for it dials."""
        for router_id in [router_id for router_id, claimed in self._links.items() if claimed is link]:
            del self._links[router_id]
            for dialler in self._waiting.pop(router_id, ()):
                dialler.dial_again(float("inf"))

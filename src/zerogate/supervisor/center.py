"""What several children have in common."""

import asyncio
from typing import Protocol


class Center(Protocol):
    """What children have in common, here in their parent."""

    replaced: asyncio.Event

    async def start(self) -> None:
        """Before any of them starts. Raises ZerogateError."""

    async def run(self) -> None:
        """While they come up. Returns when all is open; raises ZerogateError."""

    async def stop(self) -> None:
        """Before any of them stops."""

    def close(self) -> None:
        """After all have ended."""

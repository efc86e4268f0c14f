"""Waiting for whichever comes first."""

import asyncio


async def first_of(*events: asyncio.Event, seconds: float | None = None) -> bool:
    """Wait until one of them is set, or so long. Returns whether one is."""
    waiters = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waiters, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for waiter in waiters:
            waiter.cancel()
    return any(event.is_set() for event in events)

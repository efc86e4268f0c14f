"""One capacity that several routers share, counted twice: by the fast paths, and by the Python alone."""

from random import Random
from typing import Any

from zerogate.worker.capacity import CapacityShare, CarefulShare

STEPS = 40
N_ROUTERS = 4
KINDS = (
    *("take_slot",) * 4,
    *("free_slot",) * 3,
    "set_apart",
    "free_apart",
    "add",
    "remove",
    "leave",
    "share",
    "early",
    "next",
)
OF_ROUTER = ("in_flight", "apart", "peak", "refused", "need", "granted", "invitations", "is_leaving", "is_gone")


def books(share: Any) -> tuple[Any, ...]:
    """All that it knows."""
    routers = [(router, [getattr(state, name) for name in OF_ROUTER]) for router, state in share._routers.items()]
    return share.capacity, share.in_flight, share.apart, routers, list(share._turns), share.is_pressed, share.is_short


def ask(share: Any, name: str, router: str) -> Any:
    """What it says to this, or raises."""
    try:
        return getattr(share, name)(*(() if name in ("share", "share_early", "next_in_turn") else (router,)))
    except KeyError as error:
        return repr(error)


def play(random: Random) -> bool:
    """Routers come and go, ask and are answered. Tells if anybody had a slot; raises where the two differ."""
    capacity, max_apart = random.choice((0, 1, 2, 3, 10)), random.choice((0, 1, 5))
    fast, careful = CapacityShare(capacity, max_apart), CarefulShare(capacity, max_apart)
    in_flight: list[str] = []
    apart: list[str] = []
    has_had_any = False
    for _ in range(STEPS):
        name = random.choice(KINDS).replace("next", "next_in_turn").replace("early", "share_early")
        router = f"router {int(random.random() * N_ROUTERS)}"
        having = apart if name == "free_apart" else in_flight
        if name in ("free_slot", "set_apart", "free_apart"):
            if not having:
                continue
            router = having.pop(int(random.random() * len(having)))
        elif name == "add" and router in fast._routers:
            continue
        ours, theirs = ask(fast, name, router), ask(careful, name, router)
        if ours != theirs or books(fast) != books(careful):
            raise AssertionError(f"{name} {router}:\n  {ours!r} {books(fast)}\n  {theirs!r} {books(careful)}")
        if name == "take_slot" and ours is True:
            has_had_any = True
            in_flight.append(router)
        elif name == "set_apart":
            (apart if ours else in_flight).append(router)
    return has_had_any

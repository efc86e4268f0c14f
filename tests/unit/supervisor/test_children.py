"""Which process of a child counts."""

import asyncio

from tests.support.house import child
from zerogate.supervisor.life import Life


def test_a_hand_over() -> None:
    async def main() -> None:
        one = child("one")
        assert not one.is_alive
        life = Life([], {}, None, lambda life, word: None)
        one.is_held = True
        one.hand_over(life)
        assert (one.life, one.is_alive, one.is_held) == (life, True, False)
        assert one.is_renewed.is_set()
        life.is_over.set()
        assert not one.is_alive

    asyncio.run(main())

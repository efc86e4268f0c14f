"""Dice that fall the same way for the same seed, today and with every later Python."""

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

HEX_DIGITS = "0123456789abcdef"
# RFC 4648, section 5.
URL_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


class Dice:
    """Made of `random()` alone: no other method of `random.Random` is promised to stay as it is."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed).random

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        return int(self._random() * limit)

    def between(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + self.below(high - low + 1)

    def chance(self, share: float) -> bool:
        """True in this share of all throws."""
        return self._random() < share

    def pick(self, choices: Sequence[T]) -> T:
        """One of them, each as likely."""
        return choices[self.below(len(choices))]

    def draw(self, weights: Sequence[float], count: int) -> set[int]:
        """The positions of `count` different ones, a heavier one more likely."""
        # Efraimidis and Spirakis: the largest of random ** (1 / weight).
        keys = [self._random() ** (1 / weight) for weight in weights]
        return set(sorted(range(len(weights)), key=keys.__getitem__, reverse=True)[:count])

    def shuffled(self, count: int) -> list[int]:
        """The numbers from 0 to count - 1 in some order."""
        keys = [self._random() for _ in range(count)]
        return sorted(range(count), key=keys.__getitem__)

    def text(self, length: int, digits: str = HEX_DIGITS) -> str:
        """So many digits."""
        return "".join([self.pick(digits) for _ in range(length)])

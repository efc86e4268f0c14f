"""Octets that are nearly right: pieces of real ones, cut, doubled, swapped and spoilt."""

from collections.abc import Sequence
from random import Random

# Octets at the edges of what the codecs tell apart.
EDGES = b'\0\x01\t\n\x0b\x0c\r\x1f !"#%&+,-./059:;=?@AGZ[\\]_`agz{|}~\x7f\x80\xa0\xff'
MAX_EDITS = 3


def mutate(random: Random, octets: bytes, pieces: Sequence[bytes]) -> bytes:
    """`octets` with a few edits; every third time with none. `pieces` are what may be put in."""
    if random.random() < 0.3:
        return octets
    for _ in range(1 + int(random.random() * MAX_EDITS)):
        octets = _edit(random, octets, pieces)
    return octets


def _edit(random: Random, octets: bytes, pieces: Sequence[bytes]) -> bytes:
    size = len(octets)
    at = int(random.random() * (size + 1))
    to = min(size, at + 1 + int(random.random() ** 3 * 40))
    choice = random.random()
    if choice < 0.35:
        edge = EDGES[int(random.random() * len(EDGES))]
        return b"%b%c%b" % (octets[:at], edge, octets[at + (choice < 0.25) :])
    if choice < 0.5:
        return octets[:at] + octets[to:]
    if choice < 0.6:
        return octets[:to] + octets[at:]
    if choice < 0.7:
        other = int(random.random() * (size + 1))
        return octets[:other] + octets[at:to] + octets[other:]
    if choice < 0.75:
        return octets[:at] + octets[at:to].swapcase() + octets[to:]
    return octets[:at] + pieces[int(random.random() * len(pieces))] + octets[at:]

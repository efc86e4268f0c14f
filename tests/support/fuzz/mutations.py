"""How octets are bent. What is bent is a list of atoms: lines, pieces of bodies, frames."""

import random
import re
from collections.abc import Callable, Iterable

Dice = random.Random
Atoms = list[bytes]

# What numbers are that are trouble: nothing, all bits, signs, and those just beside a limit.
NUMBERS = (0, 1, 2, 3, 127, 128, 255, 256, 65535, 65536, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
DIGITS = re.compile(rb"[0-9]+")
SPECIALS = (b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b":", b",", b";", b"\x80", b"\xff", b"0", b"-", b"%", b"/", b"*")
MAX_JUNK_BYTES = 300


def flip(dice: Dice, atoms: Atoms) -> None:
    """A bit of an octet."""
    at = dice.randrange(len(atoms))
    if atoms[at]:
        octets = bytearray(atoms[at])
        octets[_near_the_front(dice, len(octets))] ^= 1 << dice.randrange(8)
        atoms[at] = bytes(octets)


def lie_binary(dice: Dice, atoms: Atoms) -> None:
    """A field of one to four octets says something else: of lengths, counts, ids."""
    at = dice.randrange(len(atoms))
    size = dice.choice((1, 2, 3, 4))
    octets = bytearray(atoms[at])
    if len(octets) >= size:
        place = _near_the_front(dice, len(octets) - size + 1)
        octets[place : place + size] = (dice.choice(NUMBERS) & (256**size - 1)).to_bytes(size, "big")
        atoms[at] = bytes(octets)


def lie_decimal(dice: Dice, atoms: Atoms) -> None:
    """A number in digits says something else."""
    with_digits = [at for at, atom in enumerate(atoms) if DIGITS.search(atom)]
    if with_digits:
        at = dice.choice(with_digits)
        found = dice.choice([*DIGITS.finditer(atoms[at])])
        lie = dice.choice((b"", b"-1", b"+1", b"0x10", b"1e3", b"9" * 40, b"%d" % dice.choice(NUMBERS)))
        atoms[at] = atoms[at][: found.start()] + lie + atoms[at][found.end() :]


def insert(dice: Dice, atoms: Atoms) -> None:
    """Something that means something, in the midst of an atom."""
    at = dice.randrange(len(atoms))
    place = dice.randint(0, len(atoms[at]))
    atoms[at] = atoms[at][:place] + dice.choice(SPECIALS) * dice.choice((1, 1, 1, 2, 50)) + atoms[at][place:]


def truncate(dice: Dice, atoms: Atoms) -> None:
    at = dice.randrange(len(atoms))
    atoms[at] = atoms[at][: dice.randint(0, len(atoms[at]))]


def junk(dice: Dice, atoms: Atoms) -> None:
    atoms.insert(dice.randint(0, len(atoms)), dice.randbytes(dice.randint(1, MAX_JUNK_BYTES)))


def drop(dice: Dice, atoms: Atoms) -> None:
    del atoms[dice.randrange(len(atoms))]


def duplicate(dice: Dice, atoms: Atoms) -> None:
    at = dice.randrange(len(atoms))
    atoms[at:at] = [atoms[at]] * dice.choice((1, 1, 2, 30))


def swap(dice: Dice, atoms: Atoms) -> None:
    one, other = dice.randrange(len(atoms)), dice.randrange(len(atoms))
    atoms[one], atoms[other] = atoms[other], atoms[one]


def cut_off(dice: Dice, atoms: Atoms) -> None:
    """Nothing comes after it."""
    del atoms[dice.randrange(len(atoms)) :]


Mutation = Callable[[Dice, Atoms], None]
MUTATIONS: tuple[Mutation, ...] = (
    flip,
    flip,
    lie_binary,
    lie_binary,
    lie_decimal,
    insert,
    truncate,
    junk,
    drop,
    duplicate,
    swap,
    cut_off,
)
# How many in one conversation: some pass as they are, some fall apart.
HOW_MANY = (0, 1, 1, 1, 2, 2, 3, 8)


def bend(dice: Dice, atoms: Iterable[bytes], how_many: int | None = None) -> Atoms:
    """The atoms, bent."""
    bent = [*atoms]
    for _ in range(dice.choice(HOW_MANY) if how_many is None else how_many):
        if bent:
            dice.choice(MUTATIONS)(dice, bent)
    return bent


def cuts(dice: Dice, octets: bytes) -> Atoms:
    """The same octets, in pieces: mostly few, now and then each of its own."""
    if not octets:
        return []
    if len(octets) < 600 and dice.random() < 0.05:
        return [octets[at : at + 1] for at in range(len(octets))]
    places = sorted({0, *(dice.randrange(len(octets)) for _ in range(dice.choice((0, 0, 1, 2, 5))))})
    return [octets[start:end] for start, end in zip(places, [*places[1:], len(octets)], strict=True)]


def _near_the_front(dice: Dice, size: int) -> int:
    """A place: frames have their numbers at their beginning."""
    return dice.randrange(min(size, 16)) if dice.random() < 0.6 else dice.randrange(size)

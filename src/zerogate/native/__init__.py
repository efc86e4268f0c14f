"""Fast paths for what is usual, compiled where there is a compiler (Cython). One file for each wall they stand in.

A function here takes only what it is sure of, and returns None for everything else: then the Python that is named
beside it reads, or refuses. So every rule, error and rare form stands in one place, in Python, and what is compiled can
be fast or absent, but never different; `tests/fuzz` holds the two against each other.

ZEROGATE_NATIVE=0 turns it off. All or nothing: with any of it missing, none is used.
"""

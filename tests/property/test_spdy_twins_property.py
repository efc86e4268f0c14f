"""The fast paths of a session against the careful Python: frames, cuts and calls in any order."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.twins import Twins

from zerogate.native import compiled

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason=compiled.KIND)


@given(st.integers(0, 2**64), st.integers(1, 60))
@settings(max_examples=3 * settings().max_examples, deadline=None)
def test_a_session_is_the_same_however_it_is_read(seed: int, n_steps: int) -> None:
    from random import Random

    twins = Twins(Random(seed).randrange)
    for _ in range(n_steps):
        if not twins.step():
            break

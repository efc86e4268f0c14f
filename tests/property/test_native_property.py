"""Whatever is taken natively, the Python takes, with equal results: some inputs. `python -m tests.fuzz` tries more."""

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz import targets
from tests.fuzz.targets import LIMITS, TARGETS

from zerogate.native import compiled
from zerogate.wire.http1 import HttpLimits

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason="nothing is compiled")

N_INPUTS = 50


@pytest.mark.parametrize("target", TARGETS)
@given(seed=st.integers(0, 2**32))
def test_what_is_taken_is_the_same(target: Callable[[Random], bool], seed: int) -> None:
    random = Random(seed)
    for _ in range(N_INPUTS):
        target(random)


@pytest.mark.parametrize("target", TARGETS)
def test_much_is_taken(target: Callable[[Random], bool]) -> None:
    """Else the above says nothing."""
    random = Random(1)
    assert sum(target(random) for _ in range(1000)) > 200


@given(st.binary(max_size=80), st.sampled_from(LIMITS))
def test_heads(raw: bytes, limits: HttpLimits) -> None:
    targets.check_head(raw, limits)


@given(st.binary(max_size=80))
def test_blocks(raw: bytes) -> None:
    targets.check_block(raw)
    targets.check_scope(raw, "")
    targets.check_reply(raw)


@given(st.integers(190, 610), st.lists(st.tuples(st.binary(max_size=8), st.binary(max_size=8)), max_size=6))
def test_reply_blocks(status: int, headers: list[tuple[bytes, bytes]]) -> None:
    targets.check_reply_block(status, headers)

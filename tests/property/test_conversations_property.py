"""Conversations come to the same with and without what is compiled: some. tests/fuzz/conversations.py has more."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fuzz import conversations

from zerogate.native import compiled

pytestmark = pytest.mark.skipif(not compiled.IS_ON, reason=compiled.KIND)


@given(st.integers(0, 2**64))
@settings(deadline=None)
def test_clients_and_workers_see_the_same(seed: int) -> None:
    conversations.play(seed)

"""The limits that design.md promises; each is met in the test of what keeps it."""

import dataclasses

import pytest

from zerogate.wire.http1 import HttpLimits


def test_by_default() -> None:
    limits = HttpLimits()
    assert (limits.max_head_bytes, limits.max_fields, limits.max_target_bytes) == (64 * 1024, 100, 16 * 1024)
    assert limits.max_body_bytes is None


def test_many_connections_share_them() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        HttpLimits().max_fields = 5  # type: ignore[misc]

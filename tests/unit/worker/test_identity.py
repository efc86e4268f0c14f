"""Who a worker is to its routers."""

from pathlib import Path

import pytest

from zerogate.errors import UsageError
from zerogate.settings import WorkerSettings
from zerogate.wire.zmtp import CurveClient, encode_key, make_key_pair
from zerogate.worker.identity import Identity

PAIR, ROUTER = make_key_pair(), make_key_pair()
ROUTER_KEY = encode_key(ROUTER.public)


def test_nobody_in_particular() -> None:
    assert Identity(WorkerSettings()).mechanisms() == []


def test_a_new_end_for_each_connection() -> None:
    identity = Identity(WorkerSettings(key=encode_key(PAIR.secret), router_key=ROUTER_KEY))
    one, other = identity.mechanisms() + identity.mechanisms()
    assert isinstance(one, CurveClient)
    assert one is not other
    assert encode_key(PAIR.secret) not in repr(identity)


def test_what_is_no_key(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file, and no key itself"):
        Identity(WorkerSettings(key=str(tmp_path / "none"), router_key=ROUTER_KEY))
    with pytest.raises(UsageError, match="--router-key short: a key has 40 characters"):
        Identity(WorkerSettings(key=encode_key(PAIR.secret), router_key="short"))


def test_both_or_none() -> None:
    with pytest.raises(UsageError, match="go together"):
        WorkerSettings(key="x")
    with pytest.raises(UsageError, match="go together"):
        WorkerSettings(router_key=ROUTER_KEY)

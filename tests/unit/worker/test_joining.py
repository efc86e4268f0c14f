"""What a worker says of itself."""

import pytest

from zerogate.errors import ZerogateError
from zerogate.settings import WorkerSettings
from zerogate.wire.http.join import parse_join
from zerogate.wire.spdy.headers import decode_block
from zerogate.worker.joining import join_block, join_of


def test_what_it_says_is_what_a_router_reads() -> None:
    settings = WorkerSettings(name="w", route=("a.example/b", "*"), weight=7, strip_prefix=True, timeout=2.0)
    found = parse_join(decode_block(join_block(settings, "id-1")), max_routes=8)
    assert (found.name, [str(route) for route in found.routes], found.weight) == ("w", ["a.example/b", "*"], 7)
    assert (found.id, found.strips_prefix, found.timeout_s) == ("id-1", True, 2.0)
    assert found == join_of(settings, "id-1")


def test_a_route_that_is_none() -> None:
    with pytest.raises(ZerogateError):
        join_block(WorkerSettings(route=("a b",)))

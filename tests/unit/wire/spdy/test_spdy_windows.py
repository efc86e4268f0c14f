import pytest
from tests.support.each import each

from zerogate.wire.spdy.windows import DEFAULT_WINDOW_BYTES, ReceiveWindow


class TestReceiveWindow:
    def test_the_peer_cannot_have_more_than_the_limit(self) -> None:
        window = ReceiveWindow(100_000)
        assert window.take(100_000)
        assert not window.take(1)
        assert window.take(0)
        assert repr(window) == "<ReceiveWindow 0, owes 0>"

    def test_credit_comes_when_half_is_owed(self) -> None:
        window = ReceiveWindow(100_000)
        assert window.take(80_000)
        assert [window.give(size) for size in (0, 49_999, 1, 29_999)] == [0, 0, 50_000, 0]
        assert window.owed == 29_999
        assert window.available == 20_000 + 50_000

    def test_what_was_let_and_what_is_there_stay_the_same_together(self) -> None:
        window = ReceiveWindow(100_000)
        on_the_way = 0
        for size in (1, 70_000, 10, 49_999, 99_000, 0, 100_000):
            assert window.take(size)
            on_the_way += size - window.give(size)
            assert window.available + window.owed == 100_000
        assert on_the_way == window.owed

    @each("limit", [0, 1, 100_000])
    def test_passing_on_is_taking_and_giving(self, limit: int) -> None:
        window, twin = ReceiveWindow(limit), ReceiveWindow(limit)
        for size in (1, 49_998, 0, 1, 10, 60_000, 0, 7):
            assert twin.take(size)
            assert window.pass_on(size) == twin.give(size)
            assert repr(window) == repr(twin)

    @each("limit", [0, 1, 100, DEFAULT_WINDOW_BYTES])
    def test_a_peer_that_has_not_heard_of_a_small_window_may_fill_the_default_one(self, limit: int) -> None:
        window = ReceiveWindow(limit)
        assert window.take(DEFAULT_WINDOW_BYTES)
        assert not window.take(1)

    def test_a_small_window_gives_small_credit(self) -> None:
        window = ReceiveWindow(100)
        assert window.take(100)
        assert [window.give(size) for size in (49, 1, 50)] == [0, 50, 50]

    @pytest.mark.parametrize("limit", [0, 1])
    def test_no_credit_is_ever_for_nothing(self, limit: int) -> None:
        assert ReceiveWindow(limit).give(0) == 0

"""Queues: order and bounds."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.fakes import FakeExchange
from zerogate.router.queue import Queue


def exchange(size: int = 100, arrived: float = 0.0) -> Any:
    return FakeExchange(size, arrived)


def test_first_come_first_served() -> None:
    queue: Queue[Any] = Queue(10, 1000)
    waiting = [exchange(arrived=number) for number in range(5)]
    assert all(queue.push(one) for one in waiting)
    assert queue.first_arrival() == 0
    assert [queue.pop() for _ in waiting] == waiting
    assert not queue


def test_a_retry_goes_first() -> None:
    queue: Queue[Any] = Queue(10, 1000)
    old, again = exchange(arrived=2.0), exchange(arrived=1.0)
    queue.push(old)
    queue.push(again, first=True)
    assert queue.first_arrival() == 1.0
    assert queue.pop_all() == [again, old]
    assert not queue
    assert queue.n_bytes == 0


def test_bounded_in_count() -> None:
    queue: Queue[Any] = Queue(2, 1000)
    first = exchange()
    assert queue.push(first)
    assert queue.push(exchange())
    assert not queue.push(exchange())
    assert not queue.push(exchange(), first=True)
    queue.remove(first)
    assert queue.push(exchange())


def test_bounded_in_bytes() -> None:
    queue: Queue[Any] = Queue(10, 1000)
    assert queue.push(exchange(400))
    assert not queue.push(exchange(601))
    assert queue.push(exchange(600))
    assert not queue.push(exchange(1))
    queue.pop()
    assert queue.n_bytes == 600
    assert queue.push(exchange(400))


def test_two_that_share_their_room() -> None:
    queue: Queue[Any] = Queue(3, 1000)
    line = queue.beside()
    first, second = exchange(300), exchange(300)
    assert queue.push(first)
    assert line.push(second)
    assert not line.push(exchange(401))
    assert (len(queue), queue.n_bytes, len(line), line.n_bytes) == (1, 300, 1, 300)
    assert not queue.grow(first, 500)
    line.remove(second)
    assert queue.grow(first, 0)
    assert all(line.push(exchange(50)) for _ in range(2))
    assert not queue.push(exchange(1))
    assert len(line.pop_all()) == 2
    assert queue.pop() is first
    queue.put_back(first)
    assert line.push(exchange(700))
    assert not line.push(exchange(1))
    assert line.pop().size_bytes == 700
    assert line.push(exchange(1))


def test_no_room_at_all() -> None:
    assert not Queue(0, 1000).push(exchange(1))
    assert not Queue(10, 0).push(exchange(1))


def test_a_body_that_grows_counts_and_keeps_its_place() -> None:
    queue: Queue[Any] = Queue(10, 1000)
    growing, other = exchange(100), exchange(100)
    queue.push(growing)
    queue.push(other)
    queue.grow(growing, 5000)
    assert queue.n_bytes == 5200
    assert not queue.push(exchange(1))
    # What it counted is what it gives back, whatever the exchange says by then.
    growing.size_bytes = 1
    assert queue.pop() is growing
    assert queue.n_bytes == 100


@given(
    st.lists(
        st.tuples(
            st.sampled_from("push push first pop remove grow drain".split()), st.integers(0, 60), st.integers(0, 9)
        )
    )
)
def test_as_a_list_would_be(moves: list[tuple[str, int, int]]) -> None:
    queue: Queue[Any] = Queue(4, 100)
    model: list[Any] = []
    sizes: dict[Any, int] = {}
    for move, size, which in moves:
        if move in ("push", "first"):
            one = exchange(size)
            fits = len(model) < 4 and sum(sizes[known] for known in model) + size <= 100
            assert queue.push(one, first=move == "first") == fits
            if fits:
                sizes[one] = size
                model.insert(0 if move == "first" else len(model), one)
        elif move == "drain":
            assert queue.pop_all() == model
            model.clear()
        elif model:
            one = model[which % len(model)]
            if move == "pop":
                assert queue.pop() is model.pop(0)
            elif move == "remove":
                queue.remove(one)
                model.remove(one)
            else:
                queue.grow(one, size)
                sizes[one] += size
        assert len(queue) == len(model)
        assert queue.n_bytes == sum(sizes[known] for known in model)

"""Several processes as one command: in which order they come and go, and what becomes of those that fail."""

import asyncio
import logging
import signal
import socket

import pytest

from tests.support.house import GRACE_S, STOP, House, alone, child, own_signals, run, send
from zerogate.child import REPLACED, STOPPING
from zerogate.errors import StartError, UsageError
from zerogate.runner import KILL_AFTER_S
from zerogate.supervisor.command import ABRUPT_SIGNALS
from zerogate.supervisor.keeper import MAX_FAILURES, RESTART_MIN_S

__all__ = ["alone", "own_signals"]

pytestmark = pytest.mark.usefixtures("alone")


def test_they_come_stage_by_stage_and_go_in_the_same_order() -> None:
    house = House()
    assert run(house, [child("router"), child("one", 1), child("two", 1)], STOP) == 0
    assert house.notes == [
        *("router begins", "one begins", "two begins", "all are up"),
        *("router gets SIGTERM", "router ends"),
        *("one gets SIGTERM", "two gets SIGTERM", "one ends", "two ends"),
    ]
    assert house.time_of("one begins") > house.time_of("router begins")


def test_what_a_child_has_found_is_its_own_words() -> None:
    house = House(one=[{"found": b"found shop:app, WSGI, 4 threads\n"}])
    children = [child("one"), child("two")]
    found: list[str] = []
    run(house, children, lambda: found.extend(each.found for each in children), STOP)
    assert found == ["shop:app, WSGI, 4 threads", ""]


def test_one_that_is_early_does_not_wait_for_those_before_it() -> None:
    house = House(router=[{"starts_in": 5.0}])
    assert run(house, [child("router"), child("one", 1, is_early=True)], STOP) == 0
    assert house.time_of("one begins") - house.time_of("router begins") < 1.0
    assert house.notes.index("router ends") < house.notes.index("one gets SIGTERM")


def test_who_stops_later_hears_of_it_before() -> None:
    house = House()
    heard: dict[str, bytes] = {}

    def listen() -> None:
        heard.update({name: lives[0].heard() for name, lives in house.processes.items()})

    house._lives = {"router": [{"ends_in": 2.0}]}
    run(house, [child("router"), child("one", 1)], STOP, listen)
    assert heard == {"router": b"", "one": STOPPING}


def test_who_does_not_end_in_time_is_killed() -> None:
    house = House(one=[{"ends_in": None}])
    assert run(house, [child("one"), child("two")], STOP) == 1
    assert house.time_of("one gets SIGKILL") - house.time_of("one gets SIGTERM") == GRACE_S + KILL_AFTER_S
    assert "two gets SIGKILL" not in house.notes


def test_however_many_stages_there_are_all_have_one_time() -> None:
    """Whoever hangs leaves the next stage some time for its own end."""
    house = House(router=[{"ends_in": None}], one=[{"ends_in": None}], two=[{"ends_in": 2.0}])
    assert run(house, [child("router"), child("one", 1), child("two", 1)], STOP) == 1
    began_at = house.time_of("router gets SIGTERM")
    assert house.time_of("one gets SIGTERM") - began_at == pytest.approx(GRACE_S + KILL_AFTER_S / 2)
    assert house.time_of("one gets SIGKILL") - began_at == pytest.approx(GRACE_S + KILL_AFTER_S)
    assert "two gets SIGKILL" not in house.notes


def test_a_second_signal_kills_them_all() -> None:
    house = House(one=[{"ends_in": None}])
    assert run(house, [child("one"), child("two", 1)], STOP, send(signal.SIGINT)) == 1
    assert {"one gets SIGKILL", "two gets SIGKILL"} <= set(house.notes)
    assert house.time_of("two gets SIGKILL") - house.time_of("one gets SIGTERM") <= 1.0


@pytest.mark.parametrize("number", ABRUPT_SIGNALS)
def test_nor_does_an_abrupt_end_leave_one_behind(number: int) -> None:
    house = House()
    assert run(house, [child("one"), child("two", 1)], send(number)) == 1
    assert {"one gets SIGKILL", "two gets SIGKILL"} <= set(house.notes)
    assert [note for note in house.notes if note.endswith("begins")] == ["one begins", "two begins"]


def test_a_hangup_is_for_those_who_take_it() -> None:
    house = House()
    run(house, [child("router", takes_hangup=True), child("one", 1)], send(signal.SIGHUP), STOP)
    assert [note for note in house.notes if "HUP" in note] == ["router gets SIGHUP"]


@pytest.mark.parametrize(
    ("code", "said", "error", "reason"),
    [
        (1, b"no room", StartError, "no room"),
        (2, b"no such option", UsageError, "no such option"),
        (3, b"", StartError, r"child one did not start \(exit code 3\)"),
    ],
)
def test_who_cannot_start_says_why_and_takes_the_others_along(
    code: int, said: bytes, error: type[Exception], reason: str
) -> None:
    house = House(one=[{"fails": (code, said)}])
    with pytest.raises(error, match=f"^{reason}$"):
        run(house, [child("one"), child("two")])
    assert "two gets SIGTERM" in house.notes
    assert "all are up" not in house.notes


def test_who_dies_is_started_again_after_a_pause_that_grows(caplog: pytest.LogCaptureFixture) -> None:
    house = House(one=[{"dies_in": 1.0, "last_words": b"no more room"}, {"dies_in": 1.0}, {}])
    with caplog.at_level(logging.ERROR, "zerogate"):
        assert run(house, [child("one")], lambda: None, STOP, every_s=8.0) == 0
    pauses = [house.time_of("one begins", n + 1) - house.time_of("one ends", n) for n in (0, 1)]
    assert pauses == pytest.approx([2 * RESTART_MIN_S, 4 * RESTART_MIN_S])
    assert caplog.messages == [
        "child one ended (no more room): starting it again in 0.2 s",
        "child one ended (exit code 1): starting it again in 0.4 s",
    ]
    assert house.notes.count("all are up") == 1


def test_who_has_lived_long_is_started_again_soon() -> None:
    house = House(one=[{"dies_in": 60.0}, {}])
    run(house, [child("one")], lambda: None, STOP, every_s=70.0)
    assert house.time_of("one begins", 1) - house.time_of("one ends") == pytest.approx(RESTART_MIN_S)


def test_nobody_is_started_again_when_it_stops() -> None:
    house = House(one=[{"dies_in": 1.0}, {}])
    # In the pause before the second life.
    assert run(house, [child("one")], lambda: None, STOP, every_s=1.0) == 0
    assert house.notes.count("one begins") == 1


def test_who_was_replaced_takes_the_others_along() -> None:
    house = House(router=[{"dies_in": 1.0, "last_words": REPLACED}])
    assert run(house, [child("router"), child("one", 1)]) == 0
    assert house.notes.count("router begins") == 1
    assert "one gets SIGTERM" in house.notes


def test_who_dies_again_and_again_is_given_up() -> None:
    house = House(one=[{"dies_in": 1.0, "last_words": b"no more room"}])
    with pytest.raises(
        StartError, match=f"^child one has died {MAX_FAILURES} times in a row .no more room.: giving up$"
    ):
        run(house, [child("one"), child("two")])
    assert house.notes.count("one begins") == MAX_FAILURES
    assert house.notes[-2:] == ["two gets SIGTERM", "two ends"]


def test_who_is_steady_in_between_is_not() -> None:
    house = House(one=[*[{"dies_in": 1.0}, {"dies_in": 60.0}] * MAX_FAILURES, {}])
    assert run(house, [child("one")], lambda: None, STOP, every_s=3000.0) == 0
    assert house.notes.count("one begins") == 2 * MAX_FAILURES + 1


# What children have in common


class FakeCenter:
    def __init__(self, house: House, *, fails: str = "", is_replaced_in: float | None = None) -> None:
        self.replaced = asyncio.Event()
        self._house = house
        self._fails = fails
        self._is_replaced_in = is_replaced_in

    async def start(self) -> None:
        self._house.note("centre starts")
        if self._fails == "start":
            raise StartError("taken")

    async def run(self) -> None:
        await asyncio.sleep(1.0)
        if self._fails == "run":
            raise StartError("will not be replaced")
        if self._fails == "never":
            await asyncio.sleep(1e6)
        if self._is_replaced_in is not None:
            asyncio.get_running_loop().call_later(self._is_replaced_in, self.replaced.set)
        self._house.note("centre is open")

    async def stop(self) -> None:
        self._house.note("centre stops")

    def close(self) -> None:
        self._house.note("centre is closed")


def test_what_they_have_in_common_comes_first_and_goes_last() -> None:
    house = House(one=[{"dies_in": 3.0}, {}])
    seats: list[socket.socket] = []

    def open_seat() -> socket.socket:
        ours, theirs = socket.socketpair()
        seats.extend((ours, theirs))
        return theirs

    one = child("one", open_seat=open_seat)
    assert run(house, [one], lambda: None, STOP, every_s=9.0, make_center=lambda: FakeCenter(house)) == 0
    assert house.notes == [
        *("centre starts", "one begins", "centre is open", "all are up", "one ends", "one begins"),
        *("centre stops", "one gets SIGTERM", "one ends", "centre is closed"),
    ]
    # Each life had a seat of its own, and our copy of its end is closed.
    assert [seat.fileno() >= 0 for seat in seats] == [True, False, True, False]
    for seat in seats:
        seat.close()


@pytest.mark.parametrize("fails", ["start", "run"])
def test_what_they_have_in_common_fails(fails: str) -> None:
    house = House()
    with pytest.raises(StartError, match=r"^taken$|^will not be replaced$"):
        run(house, [child("one")], make_center=lambda: FakeCenter(house, fails=fails))
    assert house.notes[-1] == "centre is closed"
    assert house.notes.count("one ends") == house.notes.count("one begins") == (fails == "run")


def test_a_stop_before_all_is_open() -> None:
    house = House()

    def make_center() -> FakeCenter:
        asyncio.get_running_loop().call_later(5.0, STOP)
        return FakeCenter(house, fails="never")

    assert run(house, [child("one")], make_center=make_center) == 0
    assert "all are up" not in house.notes
    assert house.notes[-3:] == ["one gets SIGTERM", "one ends", "centre is closed"]


def test_when_it_was_replaced_all_end() -> None:
    house = House()
    assert run(house, [child("one")], make_center=lambda: FakeCenter(house, is_replaced_in=2.0)) == 0
    assert house.notes[-4:] == ["centre stops", "one gets SIGTERM", "one ends", "centre is closed"]

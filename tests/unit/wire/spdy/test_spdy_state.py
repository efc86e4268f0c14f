"""Where the parts of a session keep their books: in compiled classes, or in slots of their own."""

import pytest

from zerogate.native import compiled
from zerogate.native.compiled import Base, slots
from zerogate.wire.spdy import state
from zerogate.wire.spdy.session import CarefulSession, Session


class Books:
    page = 1


def test_slots_are_for_what_is_not_there_yet() -> None:
    assert slots(Base, "page", "line") == ("page", "line")
    assert slots(Books, "page", "line") == ("line",)


@pytest.mark.skipif(not compiled.IS_ON, reason=compiled.KIND)
def test_fast_paths_come_first() -> None:
    assert Session.__mro__[1] is state.FastPaths
    assert Session.receive is not CarefulSession.receive


@pytest.mark.skipif(compiled.IS_ON, reason=compiled.KIND)
def test_nothing_is_compiled() -> None:
    assert Session.receive is CarefulSession.receive


def test_nobody_has_a_dictionary_beside_the_slots() -> None:
    for kind in (Session, CarefulSession):
        assert not hasattr(kind(opens_odd=True), "__dict__")

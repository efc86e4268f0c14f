"""A bug ends who met it, and does not reach who called."""

from zerogate.router.clients.alone import alone


class Item:
    def __init__(self) -> None:
        self.errors: list[Exception] = []

    def break_off(self, error: Exception) -> None:
        self.errors.append(error)

    @alone
    def divide(self, number: int, *, by: int) -> float:
        """Divides."""
        return number / by


def test_what_raises_ends_its_item_alone() -> None:
    item, other = Item(), Item()
    assert other.divide(6, by=3) == 2.0
    assert item.divide(6, by=0) is None
    assert [type(error) for error in item.errors] == [ZeroDivisionError]
    assert other.errors == []


def test_a_method_keeps_its_name() -> None:
    assert (Item.divide.__name__, Item.divide.__doc__) == ("divide", "Divides.")

"""Tables for people."""

from zerogate.table import table


def test_columns_are_as_wide_as_they_need_to_be() -> None:
    assert table([("A", "N"), ("long", "7"), ("", "1000")], right=("N",)) == ["A        N", "long     7", "      1000"]

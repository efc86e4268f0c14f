"""Tables for people. Plain columns rather than a table library: a dependency would buy borders."""

from collections.abc import Sequence

GAP = "  "


def table(rows: Sequence[Sequence[str]], right: Sequence[str] = ()) -> list[str]:
    """Rows as aligned columns; the first row is the heading, and `right` names the columns with numbers."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    is_right = [title in right for title in rows[0]]
    return [
        GAP.join(
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, is_right, strict=True)
        ).rstrip()
        for row in rows
    ]

"""Rows of words under a header."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Table:
    """For a terminal or for Markdown."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def as_text(self) -> str:
        """Columns in line."""
        widths = [max(map(len, column)) for column in zip(self.header, *self.rows, strict=True)]
        lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in (self.header, *self.rows)]
        return "\n".join((self.title, lines[0], "-" * len(lines[0]), *lines[1:]))

    def as_markdown(self) -> str:
        """A heading of the third level and the table."""
        lines = ["| " + " | ".join(row) + " |" for row in (self.header, ["---"] * len(self.header), *self.rows)]
        return "\n".join((f"### {self.title}", "", *lines))

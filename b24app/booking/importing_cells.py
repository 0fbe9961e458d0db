"""What stands in a table that somebody sends, whatever program has written it: sheets, rows, cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MOST_ROWS = 5000
MOST_COLUMNS = 200
LONGEST_TEXT = 1000  # of a cell: no field of ours is longer

# A date is a `datetime`, a time of day or a length a `timedelta`: spreadsheets do not tell those two apart.
Value = str | float | bool | datetime | timedelta


class Unreadable(Exception):
    """The file is not what can be imported; `code` is one that `texts` knows as `import.file.<code>`."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell with something in it. `fault` is a code when it has no value of its own: a formula, a merged cell."""

    value: Value
    fault: str = ""

    @property
    def shown(self) -> str:
        """As people see it."""
        return shown(self.value)


def shown(value: Value) -> str:
    """A value as a spreadsheet shows it: 6, 1.5, 09.03.2026, 9:30."""
    if isinstance(value, datetime):
        clock = "" if (value.hour, value.minute) == (0, 0) else f" {value.hour}:{value.minute:02}"
        return f"{value.day:02}.{value.month:02}.{value.year}{clock}"
    if isinstance(value, timedelta):
        minutes = round(value.total_seconds() / 60)
        return f"{minutes // 60}:{minutes % 60:02}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return value if isinstance(value, str) else ("TRUE" if value else "FALSE")


@dataclass(frozen=True, slots=True)
class Row:
    """What stands in one row, by column from 0; `number` as people count, from 1."""

    number: int
    cells: Mapping[int, Cell]


@dataclass(frozen=True, slots=True)
class Merge:
    """Cells that were made one: rows as people count, columns from 0, both ends inside."""

    first_row: int
    last_row: int
    first_column: int
    last_column: int


@dataclass(slots=True)
class Sheet:
    """One sheet: the rows that are not empty, in their order."""

    name: str
    rows: list[Row] = field(default_factory=list)
    merges: list[Merge] = field(default_factory=list)


def letters(column: int) -> str:
    """The name of a column: A, B, … Z, AA."""
    name = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        name = chr(ord("A") + rest) + name
    return name

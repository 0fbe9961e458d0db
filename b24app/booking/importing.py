"""A table of resources becomes drafts, and every cell that cannot be taken is named. Nothing is read or written here.

`importing_plan` compares the drafts with the ledger, `importing_save` writes them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from b24app.booking import importing_values as values
from b24app.booking.importing_cells import MOST_ROWS, Cell, Merge, Row, Sheet, Unreadable, letters
from b24app.booking.importing_table import LOOKED_AT
from b24app.booking.resources import SpecialDay
from b24app.scheduling.hours import DAY_MINUTES, OpeningHours

MOST_MERGED = 100_000  # cells below merged ones


@dataclass(frozen=True, slots=True)
class Words:
    """What names in a table stand for, by the name in small letters: what this company and this portal call so."""

    kinds: Mapping[str, str | int] = field(default_factory=dict)
    zones: Mapping[str, str | int] = field(default_factory=dict)
    countries: Mapping[str, str | int] = field(default_factory=dict)
    policies: Mapping[str, str | int] = field(default_factory=dict)
    tariffs: Mapping[str, str | int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Column:
    """A column that we understand. `titles`: how its heading may read, English and Russian first."""

    key: str
    read: Callable[[Cell, Words], Any]
    titles: tuple[str, ...]


def _plain(read: Callable[[Cell], Any]) -> Callable[[Cell, Words], Any]:
    return lambda cell, _: read(cell)


def _named(group: str, code: str) -> Callable[[Cell, Words], Any]:
    return lambda cell, words: values.one_of(cell, getattr(words, group), code)


COLUMNS = (
    Column("name", _plain(values.text), ("Name", "Название", "наименование", "имя", "ресурс", "resource", "title")),
    Column("kind", _named("kinds", "unknown_kind"), ("Kind", "Вид", "тип", "вид ресурса", "тип ресурса", "type")),
    Column("city", _plain(values.text), ("City", "Город")),
    Column("address", _plain(values.text), ("Address", "Адрес", "место", "этаж", "location", "where", "где")),
    Column("capacity", _plain(values.whole), ("People", "Вместимость", "людей", "человек", "capacity")),
    Column("units", _plain(values.whole), ("Equal places", "Одинаковых мест", "количество", "штук", "units")),
    Column("hours", _plain(values.week), ("Hours", "Часы", "часы работы", "режим работы", "график", "opening hours")),
    Column("days", _plain(values.weekdays), ("Days", "Дни", "дни недели", "рабочие дни", "weekdays")),
    Column("opens", _plain(values.clock), ("Opens", "Открытие", "открывается", "начало работы", "с", "from")),
    Column("closes", _plain(values.clock), ("Closes", "Закрытие", "закрывается", "конец работы", "до", "till", "to")),
    Column("special", _plain(values.dates), ("Closed on", "Закрыто в даты", "нерабочие даты", "закрыто", "closed")),
    Column("time_zone", _named("zones", "unknown_zone"), ("Time zone", "Часовой пояс", "timezone")),
    Column("holidays", _named("countries", "unknown_choice"), ("Holidays", "Праздники", "праздники страны", "country")),
    Column("step_minutes", _plain(values.minutes), ("Step", "Шаг", "шаг, минут", "шаг, мин", "step, minutes")),
    Column("min_minutes", _plain(values.minutes),
           ("Shortest booking", "Самая короткая бронь", "минимум, мин", "минимум", "shortest booking, minutes",
            "самая короткая бронь, минут")),
    Column("max_minutes", _plain(values.minutes),
           ("Longest booking", "Самая длинная бронь", "максимум, мин", "максимум", "longest booking, minutes",
            "самая длинная бронь, минут")),
    Column("horizon_days", _plain(values.whole),
           ("Open for, days ahead", "Открыто на дней вперёд", "дней вперёд", "открыто на дней вперед", "дней вперед",
            "days ahead")),
    Column("buffer_before", _plain(values.minutes),
           ("Buffer before", "Перерыв до", "перерыв до, минут", "buffer before, minutes", "подготовка")),
    Column("buffer_after", _plain(values.minutes),
           ("Buffer after", "Перерыв после", "перерыв после, минут", "buffer after, minutes", "уборка")),
    Column("policy_id", _named("policies", "unknown_choice"), ("Rules", "Правила")),
    Column("tariff_id", _named("tariffs", "unknown_choice"), ("Tariff", "Тариф", "цена по тарифу")),
    Column("parts", _plain(values.names), ("Made of", "Состоит из", "состав", "части", "parts")),
)  # fmt: skip
HEADINGS = {title.casefold(): column for column in COLUMNS for title in column.titles}
OF_HOURS = ("hours", "days", "opens", "closes")


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands in the file: `column` is its letters, `shown` what stands there."""

    sheet: str
    row: int
    column: str
    shown: str = ""


@dataclass(frozen=True, slots=True)
class WrongCell:
    """A cell that cannot be taken. `code` is one of `field.<code>`, `key` the column that tells what is expected."""

    place: Place
    key: str
    code: str
    params: Mapping[str, Any] = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Draft:
    """What one row says: fields of ResourceData that are filled in, names of parts, and where each of them stands.

    `columns`: the letters of all columns that there are, those included in which this row has nothing. `bad`: some of
    its cells cannot be taken, so it is looked through for what else is wrong and then left out.
    """

    sheet: str
    row: int
    given: Mapping[str, Any]
    places: Mapping[str, Place]
    columns: Mapping[str, str]
    parts: tuple[str, ...] | None = None
    bad: bool = False

    @property
    def name(self) -> str:
        return str(self.given.get("name", ""))

    def place(self, key: str) -> Place:
        """Where this stands, or where it should; what has no column is said at the name."""
        if key in self.places:
            return self.places[key]
        if key in self.columns:
            return Place(self.sheet, self.row, self.columns[key])
        return self.places.get("name") or Place(self.sheet, self.row, self.columns["name"])

    def wrong(self, key: str, code: str, **params: Any) -> WrongCell:
        return WrongCell(self.place(key), key, code, params)


@dataclass(slots=True)
class Table:
    """What was read: drafts and wrong cells in the order of the file, and what was left out as a whole."""

    drafts: list[Draft] = field(default_factory=list)
    wrong: list[WrongCell] = field(default_factory=list)
    rows: int = 0
    sheets_left: list[str] = field(default_factory=list)
    columns_left: list[str] = field(default_factory=list)


def read_drafts(sheets: Sequence[Sheet], words: Words) -> Table:
    """The drafts of all sheets that have a heading. Raises Unreadable when none has, or there is nothing below."""
    table, found = Table(), False
    for sheet in sheets:
        heading = _heading(sheet)
        if heading is None:
            if sheet.rows:
                table.sheets_left.append(sheet.name)
            continue
        found = True
        _read_sheet(sheet, heading, words, table)
        if table.rows > MOST_ROWS:
            raise Unreadable("too_many_rows")
    if not found:
        raise Unreadable("no_heading")
    if not table.rows:
        raise Unreadable("no_rows")
    _name_twice(table)
    return table


def _heading(sheet: Sheet) -> int | None:
    """The place among the rows of the one that has a heading for the name."""
    for place, row in enumerate(sheet.rows[:LOOKED_AT]):
        known = {column.key for column in map(_column, row.cells.values()) if column is not None}
        # Further down the word alone, beside others that are no headings, is part of a text.
        if "name" in known and (len(known) > 1 or len(row.cells) == 1 or place == 0):
            return place
    return None


def _column(cell: Cell) -> Column | None:
    """Which column this is the heading of. «Часы *» and "Name:" are as well."""
    return HEADINGS.get(" ".join(cell.shown.casefold().split()).rstrip(" *:"))


def _read_sheet(sheet: Sheet, heading: int, words: Words, table: Table) -> None:
    columns: dict[int, Column] = {}
    for number, cell in sorted(sheet.rows[heading].cells.items()):
        column = _column(cell)
        if column is None:
            table.columns_left.append(cell.shown)
        elif column in columns.values():
            place = Place(sheet.name, sheet.rows[heading].number, letters(number), cell.shown)
            table.wrong.append(WrongCell(place, column.key, "column_twice"))
        else:
            columns[number] = column
    rows, merged = _unmerged(sheet, heading + 1, columns)
    for row in rows:
        read = _RowReader(sheet.name, row, columns, words, merged.get(row.number))
        if read.is_filled:
            table.rows += 1
            table.wrong += read.wrong
            table.drafts.append(read.draft())


def _unmerged(sheet: Sheet, first: int, columns: Mapping[int, Column]) -> tuple[list[Row], dict[int, int]]:
    """The rows below the heading, with what a cell that was merged downwards says standing in each of its rows; and for
    rows where something else was merged its first hidden column that we understand."""
    rows = sheet.rows[first:]
    numbers, cells = [row.number for row in rows], {row.number: dict(row.cells) for row in rows}
    hidden: dict[int, int] = {}
    touched = 0
    for merge in sheet.merges:
        below = numbers[bisect_left(numbers, merge.first_row) : bisect_right(numbers, merge.last_row)]
        touched += len(below)
        if touched > MOST_MERGED:
            raise Unreadable("merged")
        for number in below:
            _unmerge(merge, number, cells, columns, hidden)
    return [Row(row.number, cells[row.number]) for row in rows], hidden


def _unmerge(
    merge: Merge, row: int, cells: dict[int, dict[int, Cell]], columns: Mapping[int, Column], hidden: dict[int, int]
) -> None:
    inside = [column for column in columns if merge.first_column <= column <= merge.last_column]
    single = merge.first_column == merge.last_column
    if single and inside and columns[inside[0]].key != "name":
        top = cells.get(merge.first_row, {}).get(merge.first_column)
        if row > merge.first_row and top is not None:
            cells[row][merge.first_column] = top
        return
    covered = [column for column in inside if (row, column) != (merge.first_row, merge.first_column)]
    if covered:
        hidden[row] = min([*covered, *([hidden[row]] if row in hidden else [])])


class _RowReader:
    """Reads one row, cell by cell."""

    def __init__(
        self, sheet: str, row: Row, columns: Mapping[int, Column], words: Words, hidden: int | None = None
    ) -> None:
        self._sheet, self._row, self._columns = sheet, row, columns
        self.wrong: list[WrongCell] = []
        self.is_filled = any(number in columns for number in row.cells)
        self._given: dict[str, Any] = {}
        self._places: dict[str, Place] = {}
        self._letters = {column.key: letters(number) for number, column in columns.items()}
        if hidden is not None:
            self.is_filled = True
            self._refuse(columns[hidden].key, "merged")
            return
        for number, column in columns.items():
            if number in row.cells:
                self._read(column, row.cells[number], letters(number), words)
        if self.is_filled:
            self._complete()

    def draft(self) -> Draft:
        """The row as a draft."""
        given = dict(self._given)
        parts = given.pop("parts", None)
        return Draft(self._sheet, self._row.number, given, self._places, self._letters, parts, bool(self.wrong))

    def _read(self, column: Column, cell: Cell, where: str, words: Words) -> None:
        self._places[column.key] = Place(self._sheet, self._row.number, where, cell.shown)
        try:
            if cell.fault:
                raise values.Wrong(cell.fault)
            found = column.read(cell, words)
        except values.Wrong as wrong:
            self._refuse(column.key, wrong.code)
        else:
            if found not in ("", ()):
                self._given[column.key] = found

    def _refuse(self, key: str, code: str) -> None:
        place = self._places.get(key) or Place(self._sheet, self._row.number, self._letters[key])
        self.wrong.append(WrongCell(place, key, code))

    def _complete(self) -> None:
        """What several cells say together, and the name without which there is nothing."""
        refused = {one.key for one in self.wrong}
        if "name" not in self._given and "name" not in refused:
            self._refuse("name", "required")
        if not refused & set(OF_HOURS):
            self._join_hours()
        for key in OF_HOURS[1:]:
            self._given.pop(key, None)
        if "special" in self._given:
            self._given["special"] = tuple(SpecialDay(day) for day in self._given["special"])

    def _join_hours(self) -> None:
        given = [key for key in OF_HOURS if key in self._given]
        if not given or given == ["hours"]:
            return
        if "hours" in given:
            self._refuse(given[1], "hours_twice")
            return
        for key in ("opens", "closes"):
            if key not in given:
                self._refuse(key if key in self._letters else given[0], "required")
                return
        opens, closes = self._given["opens"], self._given["closes"]
        if opens == DAY_MINUTES:
            self._refuse("opens", "not_a_time")
            return
        closes = closes if closes > opens else closes + DAY_MINUTES
        days = self._given.get("days", values.WORKDAYS)
        self._given["hours"] = tuple(sorted(OpeningHours(day, opens, closes) for day in days))
        self._places["hours"] = self._places["opens"]


def _name_twice(table: Table) -> None:
    """Of rows with one name only the first is good."""
    first: dict[str, Draft] = {}
    for number, draft in enumerate(table.drafts):
        known = first.setdefault(draft.name.casefold(), draft) if draft.name else draft
        if known is not draft:
            table.wrong.append(draft.wrong("name", "row_twice", row=known.row, sheet=known.sheet))
            table.drafts[number] = replace(draft, bad=True)


def in_order(wrong: Sequence[WrongCell], sheets: Sequence[str]) -> list[WrongCell]:
    """The wrong cells as one reads the file: by sheet, row, column."""
    places = {name: number for number, name in enumerate(sheets)}
    return sorted(
        wrong, key=lambda one: (places.get(one.place.sheet, 0), one.place.row, len(one.place.column), one.place.column)
    )


def reachable(edges: Mapping[str, Sequence[str]], start: str) -> Iterator[str]:
    """Everything that `start` is made of, at any depth; itself, when it is made of itself."""
    seen: set[str] = set()
    waiting = list(edges.get(start, ()))
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            yield one
            waiting += edges.get(one, ())

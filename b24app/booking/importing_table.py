"""A file that somebody sends, as sheets of cells: a workbook, or a text in whatever encoding."""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Collection, Iterator

from b24app.booking.importing_cells import LONGEST_TEXT, MOST_COLUMNS, MOST_ROWS, Cell, Row, Sheet, Unreadable
from b24app.booking.importing_xlsx import read_workbook

LARGEST = 10 * 1024 * 1024
SEPARATORS = ";,\t|"
LOOKED_AT = 20  # rows among which the heading is looked for
_ZIP, _OLD_EXCEL = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def read_table(data: bytes, name: str, headings: Collection[str]) -> list[Sheet]:
    """The sheets of a file. `name` is that of the only sheet of a text; `headings` (in small letters) tell which
    character stands between its columns. Raises Unreadable."""
    if not data.strip(b"\x00 \t\r\n"):
        raise Unreadable("empty")
    if len(data) > LARGEST:
        raise Unreadable("too_large")
    if data.startswith(_ZIP):
        return read_workbook(data)
    if data.startswith(_OLD_EXCEL):
        raise Unreadable("old_excel")
    return [_read_text(_decoded(data), name, headings)]


def _decoded(data: bytes) -> str:
    """The text, by its mark, else by what it can be: who saves from Excel in Russia sends cp1251."""
    encoding = next((known for mark, known in _MARKS if data.startswith(mark)), "") or _wide(data[:1000])
    for tried in [encoding] if encoding else ["utf-8", "cp1251"]:
        try:
            text = data.decode(tried)
        except UnicodeDecodeError:
            continue
        if not any(sign < " " and sign not in "\t\r\n\x0b\x0c" for sign in text[:10_000]):
            return text.replace("\x00", "")
    raise Unreadable("encoding")


def _wide(data: bytes) -> str:
    """Which UTF-16 this is without a mark: of each letter, Latin or Cyrillic, one byte is 0 or 4."""
    for start, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        halves = data[start::2]
        if sum(map(halves.count, b"\x00\x04")) > 0.8 * len(halves):
            return encoding
    return ""


def _read_text(text: str, name: str, headings: Collection[str]) -> Sheet:
    separator = max(SEPARATORS, key=lambda one: _known_columns(text, one, headings))
    sheet = Sheet(name)
    try:
        for number, row in enumerate(_rows(text, separator), start=1):
            cells = {column: _cell(one) for column, one in enumerate(row[:MOST_COLUMNS]) if one.strip()}
            if cells:
                sheet.rows.append(Row(number, cells))
            if len(sheet.rows) > MOST_ROWS + LOOKED_AT:
                raise Unreadable("too_many_rows")
    except csv.Error as error:
        raise Unreadable("quotes") from error
    return sheet


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    return csv.reader(io.StringIO(text, newline=""), delimiter=separator)


def _known_columns(text: str, separator: str, headings: Collection[str]) -> int:
    """How many columns of the best heading are ours, were this what stands between them."""
    first = [line.split(separator) for line in text[:20_000].splitlines()[:LOOKED_AT]]
    return max((sum(one.strip(' "\t').lower() in headings for one in line) for line in first), default=0)


def _cell(text: str) -> Cell:
    """A text, or what stands there instead of one: a formula that nobody has calculated."""
    value = text.strip()[:LONGEST_TEXT]
    return Cell(value, "formula" if value.startswith("=") and len(value) > 1 else "")

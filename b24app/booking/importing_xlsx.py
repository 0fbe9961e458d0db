"""Workbooks of Excel and its kin, read and written without their program.

Read as a stream, with bounds for what comes out of the archive, because anybody may send anything: libraries for it
read everything into memory first, and raise whatever they stumble over. What matters here is little: values as they
were last calculated, which numbers are dates, which cells are merged. (ECMA-376, part 1, chapter 18.)
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from xml.parsers import expat
from xml.sax.saxutils import escape

from b24app.booking.importing_cells import (
    LONGEST_TEXT,
    MOST_COLUMNS,
    MOST_ROWS,
    Cell,
    Merge,
    Row,
    Sheet,
    Unreadable,
    Value,
    letters,
)

MOST_UNPACKED = 64 * 1024 * 1024
MOST_FILES = 2000
MOST_SHEETS = 50
MOST_MERGES = 20_000
BROKEN = (
    zipfile.BadZipFile, zlib.error, expat.ExpatError, EOFError, KeyError, IndexError, ValueError, OverflowError,
    RuntimeError, NotImplementedError,
)  # fmt: skip
# Numbers of built-in formats that show a date, and that show a time only (18.8.30; 27 to 58 are the Asian ones).
DATES = {14, 15, 16, 17, 22, *range(27, 32), 36, *range(50, 55), 57, 58}
TIMES = {18, 19, 20, 21, 32, 33, 34, 35, 45, 46, 47, 55, 56}
_LITERAL = re.compile(r'"[^"]*"|\\.|_.|\*.|\[(?!h+\]|m+\]|s+\])[^\]]*\]', re.IGNORECASE)
_REF = re.compile(r"^\$?([A-Z]{1,3})\$?([0-9]{1,7})$")

Attributes = Mapping[str, str]


def read_workbook(data: bytes) -> list[Sheet]:
    """The visible sheets. Raises Unreadable."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return _Workbook(archive).sheets()
    except BROKEN as error:
        raise Unreadable("broken") from error


class _Workbook:
    """An archive that counts what it gives out."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive, self._left = archive, MOST_UNPACKED
        if len(archive.infolist()) > MOST_FILES:
            raise Unreadable("too_large")
        self._names = {one.lower(): one for one in archive.namelist()}

    def sheets(self) -> list[Sheet]:
        """Reads them one after another, with at most so many rows in all."""
        main = self._main()
        listed, epoch = self._listed(main)
        linked = self._linked(main)
        texts, formats = self._texts(linked), self._formats(linked)
        found: list[Sheet] = []
        left = MOST_ROWS + MOST_SHEETS
        for name, relation in listed[:MOST_SHEETS]:
            target = next((path for path, known, _ in linked if known == relation), "")
            if target in self._names:  # a sheet of charts only has none
                reader = _SheetReader(Sheet(name), texts, formats, epoch, left)
                self._parse(target, reader.start, reader.end, reader.text)
                found.append(reader.sheet)
                left -= len(reader.sheet.rows)
        return found

    def _main(self) -> str:
        for path, _, kind in self._relations("_rels/.rels", ""):
            if kind.endswith("/officedocument") and path in self._names:
                return path
        raise Unreadable("no_table")

    def _listed(self, main: str) -> tuple[list[tuple[str, str]], datetime]:
        """The visible sheets as names with their relations, and the day from which this workbook counts."""
        listed: list[tuple[str, str]] = []
        epoch = [datetime(1899, 12, 30)]  # noqa: DTZ001 — dates of a spreadsheet are in no zone

        def start(tag: str, of: Attributes) -> None:
            if tag == "sheet" and of.get("state", "visible") == "visible":
                listed.append((of["name"], _attribute(of, "id")))
            elif tag == "workbookPr" and of.get("date1904") in ("1", "true"):
                epoch[0] = datetime(1904, 1, 1)  # noqa: DTZ001 — as above

        self._parse(main, start)
        return listed, epoch[0]

    def _linked(self, main: str) -> list[tuple[str, str, str]]:
        folder, _, name = main.rpartition("/")
        return list(self._relations(f"{folder}/_rels/{name}.rels", folder))

    def _relations(self, path: str, folder: str) -> Iterator[tuple[str, str, str]]:
        """What a part refers to: path, id, kind."""
        rows: list[tuple[str, str, str]] = []

        def start(tag: str, of: Attributes) -> None:
            if tag == "Relationship" and of.get("TargetMode") != "External":
                rows.append((_path(folder, of["Target"]), of["Id"], of.get("Type", "").lower()))

        self._parse(path, start)
        yield from rows

    def _texts(self, linked: Sequence[tuple[str, str, str]]) -> list[str]:
        """Texts that stand once in the workbook, and in its cells by number."""
        found: list[str] = []
        parts: list[str] = []
        aside = [0]  # how a word is pronounced stands beside it, and is none of it

        def start(tag: str, of: Attributes) -> None:
            aside[0] += tag == "rPh"
            if tag == "si":
                parts.clear()

        def end(tag: str, inside: str) -> None:
            aside[0] -= tag == "rPh"
            if tag == "t" and not aside[0]:
                parts.append(inside)
            elif tag == "si":
                found.append("".join(parts)[:LONGEST_TEXT])

        for path in _of_kind(linked, "/sharedstrings"):
            self._parse(path, start, end, {"t"})
        return found

    def _formats(self, linked: Sequence[tuple[str, str, str]]) -> list[str]:
        """What the cells of each style show: "date", "time" or "" for a plain number."""
        codes: dict[int, str] = {}
        styles: list[int] = []
        inside = [False]

        def start(tag: str, of: Attributes) -> None:
            if tag == "numFmt":
                codes[int(of["numFmtId"])] = of.get("formatCode", "")
            elif tag == "cellXfs":
                inside[0] = True
            elif tag == "xf" and inside[0]:
                styles.append(int(of.get("numFmtId", 0)))

        def end(tag: str, _: str) -> None:
            if tag == "cellXfs":
                inside[0] = False

        for path in _of_kind(linked, "/styles"):
            self._parse(path, start, end)
        return [_shows(number, codes.get(number)) for number in styles]

    def _parse(
        self,
        path: str,
        start: Callable[[str, Attributes], None],
        end: Callable[[str, str], None] | None = None,
        text: Iterable[str] = (),
    ) -> None:
        """Reads one part; `end` gets what stands inside of the elements that `text` names."""
        parser, wanted = expat.ParserCreate(), frozenset(text)
        inside: list[str] = []

        def opened(name: str, attributes: dict[str, str]) -> None:
            tag = name.rpartition(":")[2]
            if tag in wanted:
                inside.clear()
                parser.CharacterDataHandler = inside.append
            start(tag, attributes)

        def closed(name: str) -> None:
            tag = name.rpartition(":")[2]
            parser.CharacterDataHandler = None
            if end is not None:
                end(tag, "".join(inside) if tag in wanted else "")

        parser.StartElementHandler, parser.EndElementHandler = opened, closed
        parser.StartDoctypeDeclHandler = _refuse_entities
        parser.buffer_text = True
        # In one piece: fed bit by bit, a comment without end would be looked through from its start for each bit.
        parser.Parse(self._unpacked(path), True)

    def _unpacked(self, path: str) -> bytes:
        with self._archive.open(self._names[path]) as part:
            body = part.read(self._left + 1)
        self._left -= len(body)
        if self._left < 0:
            raise Unreadable("too_large")
        return body


def _refuse_entities(*_: object) -> None:
    """No workbook declares a document type; who does wants its entities, which grow without end."""
    raise Unreadable("broken")


def _attribute(of: Attributes, name: str) -> str:
    return next(value for key, value in of.items() if key.rpartition(":")[2] == name and ":" in key)


def _path(folder: str, target: str) -> str:
    """The name of a part in the archive; those that begin with a slash count from its root."""
    if target.startswith("/"):
        return target[1:].lower()
    steps = folder.split("/") if folder else []
    for step in target.split("/"):
        steps = steps[:-1] if step == ".." else [*steps, step]
    return "/".join(steps).lower()


def _of_kind(linked: Sequence[tuple[str, str, str]], kind: str) -> list[str]:
    return [path for path, _, known in linked if known.endswith(kind)][:1]


def _shows(number: int, code: str | None) -> str:
    if code is None:
        return "date" if number in DATES else "time" if number in TIMES else ""
    plain = _LITERAL.sub("", code.partition(";")[0]).lower()
    if "general" in plain:
        return ""
    clock = re.search("[hs]", plain)
    if re.search("[yd]", plain) or ("m" in plain and not clock):
        return "date"
    return "time" if clock else ""


class _SheetReader:
    """Takes the elements of one sheet as they come and keeps its rows."""

    text = ("v", "t")

    def __init__(self, sheet: Sheet, texts: list[str], formats: list[str], epoch: datetime, left: int) -> None:
        self.sheet = sheet
        self._texts, self._formats, self._epoch, self._left = texts, formats, epoch, left
        self._row, self._column = 0, -1
        self._cells: dict[int, Cell] = {}
        self._kind, self._style, self._found = "n", 0, ""
        self._formula = False

    def start(self, tag: str, of: Attributes) -> None:
        """An element begins."""
        if tag == "row":
            self._row, self._column, self._cells = int(of.get("r", self._row + 1)), -1, {}
        elif tag == "c":
            self._column = _column(of["r"]) if "r" in of else self._column + 1
            self._kind, self._style = of.get("t", "n"), int(of.get("s", 0))
            self._found, self._formula = "", False
        elif tag == "f":
            self._formula = True
        elif tag == "mergeCell" and len(self.sheet.merges) < MOST_MERGES:
            self.sheet.merges.append(_merge(of["ref"]))

    def end(self, tag: str, inside: str) -> None:
        """An element ends; `inside` is its text."""
        if tag in ("v", "t"):
            self._found += inside
        elif tag == "c" and self._column < MOST_COLUMNS:
            self._keep()
        elif tag == "row" and self._cells:
            self.sheet.rows.append(Row(self._row, self._cells))
            if len(self.sheet.rows) > self._left:
                raise Unreadable("too_many_rows")

    def _keep(self) -> None:
        # A formula that gives an empty text was calculated; one without a value never was.
        if self._formula and not self._found and self._kind != "str":
            self._cells[self._column] = Cell("=", "formula")
        elif self._kind == "e":
            self._cells[self._column] = Cell(self._found[:LONGEST_TEXT], "excel_error")
        elif self._found.strip():
            self._cells[self._column] = Cell(self._value())

    def _value(self) -> Value:
        found = self._found
        if self._kind == "s":
            return self._texts[int(found)]
        if self._kind == "b":
            return found.strip() == "1"
        if self._kind == "d":
            return datetime.fromisoformat(found.strip().removesuffix("Z"))
        if self._kind in ("str", "inlineStr"):
            return found[:LONGEST_TEXT]
        return self._number(float(found))

    def _number(self, number: float) -> Value:
        shows = self._formats[self._style] if 0 <= self._style < len(self._formats) else ""
        if shows == "time" and 0 <= number < 1000:
            return timedelta(seconds=round(number * 86_400))
        if shows and 0 < number < 2_958_466:  # the end of the year 9999
            # The first workbooks took 1900 for a leap year, so up to its February they count one less.
            early = self._epoch.year == 1899 and number < 60
            return self._epoch + timedelta(days=early, seconds=round(number * 86_400))
        if number != number or abs(number) > 1e300:
            raise ValueError("no number")
        return number


def _column(ref: str) -> int:
    return _place(ref)[1]


def _place(ref: str) -> tuple[int, int]:
    """«B7» as row 7 and column 1."""
    found = _REF.match(ref)
    if not found:
        raise ValueError(ref)
    column = 0
    for letter in found[1]:
        column = column * 26 + ord(letter) - ord("A") + 1
    return int(found[2]), column - 1


def _merge(ref: str) -> Merge:
    first, _, last = ref.partition(":")
    (top, left), (bottom, right) = _place(first), _place(last or first)
    return Merge(min(top, bottom), max(top, bottom), min(left, right), max(left, right))


# Writing -------------------------------------------------------------------------------------------------------------

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_DOCUMENT = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006"
_KINDS = "application/vnd.openxmlformats-officedocument.spreadsheetml"
_EARLIEST = (1980, 1, 1, 0, 0, 0)  # of every part, so that the same table is the same file
# Style 1 is bold. All cells are texts (format 49), so that Excel makes no date of «9-12».
_STYLES = (
    f'<styleSheet xmlns="{_MAIN}"><fonts count="2"><font><sz val="11"/><name val="Calibri"/></font>'
    '<font><b/><sz val="11"/><name val="Calibri"/></font></fonts>'
    '<fills count="1"><fill><patternFill patternType="none"/></fill></fills><borders count="1"><border/></borders>'
    '<cellStyleXfs count="1"><xf/></cellStyleXfs><cellXfs count="2"><xf numFmtId="49" xfId="0" applyNumberFormat="1"/>'
    '<xf numFmtId="49" fontId="1" xfId="0" applyNumberFormat="1" applyFont="1"/></cellXfs>'
    '<cellStyles count="1"><cellStyle name="Normal" xfId="0" builtinId="0"/></cellStyles></styleSheet>'
)


def write_workbook(sheets: Mapping[str, Sequence[Sequence[str]]]) -> bytes:
    """A workbook of texts; the first row of each sheet is its heading."""
    names = [f"sheet{number}" for number in range(1, len(sheets) + 1)]
    parts = {
        "[Content_Types].xml": _content_types(names),
        "_rels/.rels": _relationships([("officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": _book(sheets),
        "xl/_rels/workbook.xml.rels": _relationships(
            [*(("worksheet", f"worksheets/{name}.xml") for name in names), ("styles", "styles.xml")]
        ),
        "xl/styles.xml": _STYLES,
        **{f"xl/worksheets/{name}.xml": _sheet(rows) for name, rows in zip(names, sheets.values(), strict=True)},
    }
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, text in parts.items():
            archive.writestr(zipfile.ZipInfo(path, _EARLIEST), _HEAD + text, zipfile.ZIP_DEFLATED)
    return body.getvalue()


def _content_types(names: Sequence[str]) -> str:
    listed = [
        ("workbook", "sheet.main"),
        ("styles", "styles"),
        *((f"worksheets/{name}", "worksheet") for name in names),
    ]
    overrides = (f'<Override PartName="/xl/{path}.xml" ContentType="{_KINDS}.{kind}+xml"/>' for path, kind in listed)
    return (
        f'<Types xmlns="{_PACKAGE}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{"".join(overrides)}</Types>'
    )


def _relationships(targets: Sequence[tuple[str, str]]) -> str:
    rows = (
        f'<Relationship Id="rId{number}" Type="{_DOCUMENT}/{kind}" Target="{path}"/>'
        for number, (kind, path) in enumerate(targets, start=1)
    )
    return f'<Relationships xmlns="{_PACKAGE}/relationships">{"".join(rows)}</Relationships>'


def _book(sheets: Iterable[str]) -> str:
    rows = (
        f'<sheet name="{escape(name, {chr(34): "&quot;"})}" sheetId="{number}" r:id="rId{number}"/>'
        for number, name in enumerate(sheets, start=1)
    )
    return f'<workbook xmlns="{_MAIN}" xmlns:r="{_DOCUMENT}"><sheets>{"".join(rows)}</sheets></workbook>'


def _sheet(rows: Sequence[Sequence[str]]) -> str:
    widest = max((len(row) for row in rows), default=1)
    body = "".join(
        f'<row r="{number}">{"".join(_cell(number, column, text) for column, text in enumerate(row))}</row>'
        for number, row in enumerate(rows, start=1)
    )
    frozen = '<pane ySplit="1" topLeftCell="A2" activePane="bottomLeft" state="frozen"/>'
    return (
        f'<worksheet xmlns="{_MAIN}"><sheetViews><sheetView workbookViewId="0">{frozen}</sheetView></sheetViews>'
        f'<cols><col min="1" max="{widest}" width="24" style="0" customWidth="1"/></cols>'
        f"<sheetData>{body}</sheetData></worksheet>"
    )


def _cell(row: int, column: int, text: str) -> str:
    if not text:
        return ""
    style = ' s="1"' if row == 1 else ""
    return f'<c r="{letters(column)}{row}"{style} t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'

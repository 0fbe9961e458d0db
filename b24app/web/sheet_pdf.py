"""A sheet as PDF, A4, with the font of static/fonts inside: what is printed looks alike on every computer.

Laid out by hand, because a row of ours may be as tall as its longest name and a page has to begin with its heads again.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from fpdf import FPDF

from b24app.web.sheet import Line, Page, Sheet

FONTS = Path(__file__).resolve().parents[2] / "static" / "fonts"
FAMILY = "DejaVu"
MARGIN, FOOT = 12.0, 14.0  # mm
BLACK, GREY, PALE = (0, 0, 0), (90, 90, 90), (170, 170, 170)
SHADE = (238, 238, 238)
LEADING, BASELINE = 1.28, 0.96  # of a font's size
MM = 25.4 / 72  # of a point

logging.getLogger("fontTools").setLevel(logging.WARNING)  # it tells of every table that it leaves out


class Text(NamedTuple):
    """Some words in one style: size in points, "" or "B"."""

    words: str
    size: float
    style: str = ""
    colour: tuple[int, int, int] = BLACK

    @property
    def leading(self) -> float:
        return self.size * MM * LEADING


class Cell(NamedTuple):
    """A column of a row: its width in mm, and texts below each other."""

    width: float
    texts: Sequence[Text]


@dataclass(frozen=True, slots=True)
class Row:
    """Cells side by side; `shade` behind them, `rule` above, `ruled` between them."""

    cells: Sequence[Cell]
    pad: float = 1.2
    shade: bool = False
    rule: bool = True
    ruled: bool = False


def pdf_of(sheet: Sheet, made: datetime) -> bytes:
    """The file. The same sheet at the same moment is the same file."""
    document = _Document(sheet)
    document.set_creation_date(made)
    for page in sheet.pages:
        document.write_page(page)
    return bytes(document.output())


class _Document(FPDF):
    """Draws pages; FPDF calls `footer` at the end of each."""

    def __init__(self, sheet: Sheet) -> None:
        super().__init__(format="A4")
        self._sheet = sheet
        self._head: list[Row] = []
        self._page: Page | None = None
        self._widths: dict[str, float] = {}
        self._broken: dict[tuple[str, str, float], list[str]] = {}
        for style, file in (("", "DejaVuSansCondensed.ttf"), ("B", "DejaVuSansCondensed-Bold.ttf")):
            self.add_font(FAMILY, style, FONTS / file)
        self.set_margins(MARGIN, MARGIN)
        self.set_auto_page_break(False)
        self.c_margin = 0
        self.set_title(sheet.title)
        self.set_lang(sheet.language)

    def footer(self) -> None:
        """When it was made, and which page of how many."""
        self.set_y(-FOOT + 3)
        self._use(Text("", 8, colour=GREY))
        self.cell(self.epw * 0.8, 4, f"{self._sheet.made} · {self._sheet.company}")
        self.cell(self.epw * 0.2, 4, f"{self.page_no()} / {{nb}}", align="R")

    def write_page(self, page: Page) -> None:
        """One sheet, on as many pieces of paper as it takes."""
        self._page = page
        self._head = []
        self._new_paper()
        if page.layout == "week":
            self._week(page)
        elif page.layout == "table":
            self._table(page)
        else:
            self._list(page)

    # layouts ----

    def _list(self, page: Page) -> None:
        for line in page.parts[0].lines:
            self._put(Row(self._line(line, 15, self.epw * 0.27), pad=1.6))
        self._close()

    def _table(self, page: Page) -> None:
        for part in page.parts:
            words = [Text(part.title, 11, "B"), *([Text(part.note, 8.5, colour=GREY)] if part.note else [])]
            head = Row([Cell(self.epw, words)], shade=True)
            self._head = []
            first = Row(self._line(part.lines[0], 10.5, self.epw * 0.2))
            self._room_for(self._height(head) + self._height(first))
            self._put(head)
            self._head = [head]
            for line in part.lines:
                self._put(Row(self._line(line, 10.5, self.epw * 0.2)))
        self._close()

    def _week(self, page: Page) -> None:
        width = self.epw / len(page.parts)
        self._head = [Row([Cell(width, [Text(part.title, 10, "B")]) for part in page.parts], shade=True)]
        self._put(self._head[0])
        for row in page.rows:
            cells = [Cell(width, _stacked(line) if line else []) for line in row]
            self._put(Row(cells, rule=False, ruled=True))
        self._close()

    def _line(self, line: Line, size: float, width: float) -> list[Cell]:
        colour = GREY if line.look in ("free", "closed") else BLACK
        style = "" if line.look in ("free", "closed") else "B"
        note = [Text(line.note, size * 0.72, colour=GREY)] if line.note else []
        return [
            Cell(width, [Text(line.time, size, style, colour)]),
            Cell(self.epw - width, [Text(line.what, size, "", colour), *note]),
        ]

    # rows ----

    def _put(self, row: Row) -> None:
        height = self._height(row)
        if self._room_for(height):
            for head in self._head:
                self._draw(head, self._height(head))
        self._draw(row, height)

    def _room_for(self, height: float) -> bool:
        """Begins another piece of paper where this one has no room; whether it has."""
        if self.get_y() + height <= self.h - FOOT:
            return False
        self._close()
        self._new_paper()
        return True

    def _draw(self, row: Row, height: float) -> None:
        top = self.get_y()
        if row.shade:
            self.set_fill_color(*SHADE)
            self.rect(MARGIN, top, self.epw, height, "F")
        if row.rule:
            self._rule(top)
        left = MARGIN
        for cell in row.cells:
            at = top + row.pad
            for text in cell.texts:
                lines = self._wrapped(text, cell.width - 2 * row.pad)
                self._use(text)
                for words in lines:
                    self.text(left + row.pad, at + text.size * MM * BASELINE, words)
                    at += text.leading
            left += cell.width
            if row.ruled and left < self.w - MARGIN - 1:
                self._line_down(left, top, height)
        self.set_xy(MARGIN, top + height)

    def _height(self, row: Row) -> float:
        def tall(cell: Cell) -> float:
            width = cell.width - 2 * row.pad
            return sum(len(self._wrapped(text, width)) * text.leading for text in cell.texts)

        return max(map(tall, row.cells)) + 2 * row.pad

    def _wrapped(self, text: Text, width: float) -> list[str]:
        """The words in lines that fit. FPDF's own cells do that too, at two milliseconds each."""
        room = width / (text.size * MM)
        key = (text.words, text.style, room)
        if key not in self._broken:  # asked for twice, for the height of the row and to draw it
            self._broken[key] = self._break(text, room)
        return self._broken[key]

    def _break(self, text: Text, room: float) -> list[str]:
        lines, line = [], ""
        for word in text.words.split(" "):
            longer = f"{line} {word}" if line else word
            if self._ems(text.style, longer) <= room:
                line = longer
                continue
            lines += [line] if line else []
            *full, line = self._cut(text.style, word, room)
            lines += full
        return [*lines, line]

    def _cut(self, style: str, word: str, room: float) -> list[str]:
        """A word in pieces that fit, mostly one."""
        pieces, piece = [], ""
        for letter in word:
            if piece and self._ems(style, piece + letter) > room:
                pieces.append(piece)
                piece = ""
            piece += letter
        return [*pieces, piece]

    def _ems(self, style: str, words: str) -> float:
        """How wide that is, in units of the font's size."""
        return sum(self._em(style, letter) for letter in words)

    def _em(self, style: str, letter: str) -> float:
        known = self._widths.get(style + letter)
        if known is None:
            self.set_font(FAMILY, style, 100)
            known = self._widths[style + letter] = self.get_string_width(letter) / (100 * MM)
        return known

    # paper ----

    def _new_paper(self) -> None:
        """An empty piece with the title at its top."""
        page = self._page
        assert page is not None, "paper belongs to a page"
        self.add_page(orientation="landscape" if page.is_wide else "portrait")
        big = 26.0 if page.layout == "list" else 18.0
        title = [Text(page.title, big, "B"), Text(page.when, big * 0.62)]
        small = " · ".join(filter(None, (page.place, page.zone)))
        row = Row([Cell(self.epw, [*title, Text(small, 9, colour=GREY)])], pad=0, rule=False)
        self._draw(row, self._height(row) + 4)

    def _close(self) -> None:
        self._rule(self.get_y())

    def _rule(self, at: float) -> None:
        self.set_draw_color(*PALE)
        self.set_line_width(0.25)
        self.line(MARGIN, at, MARGIN + self.epw, at)

    def _line_down(self, left: float, top: float, height: float) -> None:
        self.set_draw_color(*PALE)
        self.set_line_width(0.2)
        self.line(left, top, left, top + height)

    def _use(self, text: Text) -> None:
        self.set_font(FAMILY, text.style, text.size)
        self.set_text_color(*text.colour)


def _stacked(line: Line) -> list[Text]:
    """A line of a narrow column: the time above the words."""
    colour = GREY if line.look in ("free", "closed") else BLACK
    time = [Text(line.time, 10, "" if colour == GREY else "B", colour)] if line.time else []
    note = [Text(line.note, 8, colour=GREY)] if line.note else []
    return [*time, Text(line.what, 10, colour=colour), *note]

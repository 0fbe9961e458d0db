"""Tables as people send them: workbooks written by a library that is none of ours, and texts."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from typing import Any

import openpyxl  # type: ignore[import-untyped]


def workbook(*sheets: Sequence[Sequence[Any]], more: Callable[[Any], None] = lambda book: None) -> bytes:
    """A workbook of these sheets, «Лист1» and so on; `more` does something else to it before it is saved."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = book.create_sheet(f"Лист{number}")
        for row in rows:
            sheet.append(list(row))
    more(book)
    saved = io.BytesIO()
    book.save(saved)
    return saved.getvalue()


def changed(data: bytes, part: str, old: str, new: str) -> bytes:
    """The same workbook with something else in one of its parts."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as before, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            body = before.read(name)
            if name == part:
                assert old in body.decode(), body.decode()
                body = body.decode().replace(old, new).encode()
            after.writestr(name, body)
    return made.getvalue()


HEADING = (
    "Название", "Вид", "Город", "Вместимость", "Одинаковых мест", "Часы", "Открытие", "Закрытие", "Закрыто в даты",
    "Шаг", "Самая короткая бронь", "Самая длинная бронь", "Часовой пояс", "Праздники", "Состоит из",
)  # fmt: skip


def row(**said: Any) -> list[Any]:
    """A row under HEADING; what is not said stays empty."""
    columns = ("name", "kind", "city", "capacity", "units", "hours", "opens", "closes", "special", "step", "min", "max",
               "zone", "holidays", "parts")  # fmt: skip
    assert said.keys() <= set(columns)
    return [said.get(column) for column in columns]

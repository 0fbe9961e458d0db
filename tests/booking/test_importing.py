"""Tables of resources: what cells mean, which of them are wrong and why, and files that are no tables at all."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any

import openpyxl  # type: ignore[import-untyped]
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from b24app.booking import importing
from b24app.booking import importing_values as values
from b24app.booking.importing import Draft, Table, Words, read_drafts
from b24app.booking.importing_cells import Cell, Unreadable, letters
from b24app.booking.importing_table import LARGEST, read_table
from b24app.booking.importing_xlsx import read_workbook, write_workbook
from b24app.booking.resources import SpecialDay
from b24app.messages import MESSAGES
from b24app.scheduling.hours import OpeningHours
from tests.booking.tables import HEADING, changed, row, workbook

WORDS = Words(
    kinds={"переговорная": "room", "зал": "hall", "room": "room", "оборудование": "equipment"},
    zones={"europe/samara": "Europe/Samara", "самара": "Europe/Samara"},
    countries={"россия": "RU", "ru": "RU"},
    policies={"аренда": 7},
)
OFFICE = tuple(OpeningHours(day, 540, 1080) for day in range(5))


def read(data: bytes, name: str = "table.csv") -> Table:
    return read_drafts(read_table(data, name, importing.HEADINGS), WORDS)


def only(data: bytes) -> Draft:
    table = read(data)
    assert table.wrong == []
    (draft,) = table.drafts
    return draft


def cells(table: Table) -> list[tuple[str, str, str]]:
    """The wrong cells: sheet, cell, code."""
    return [(one.place.sheet, f"{one.place.column}{one.place.row}", one.code) for one in table.wrong]


def refusal(data: bytes) -> str:
    with pytest.raises(Unreadable) as refused:
        read(data)
    assert f"import.file.{refused.value.code}" in MESSAGES
    return refused.value.code


def outcome(read_one: Callable[[], Any]) -> Any:
    """What is read, or the code of the refusal, for which there are words."""
    try:
        return read_one()
    except values.Wrong as wrong:
        return wrong.code if f"field.{wrong.code}" in MESSAGES else None
    except Unreadable as unreadable:
        return unreadable.code if f"import.file.{unreadable.code}" in MESSAGES else None


# -- what cells mean


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("Пн–Пт 9:00–18:00", OFFICE),
        ("пн-пт 9-18", OFFICE),
        ("9.00–18.00", OFFICE),
        ("Mon–Fri 9:00–18:00", OFFICE),
        ("Пн–Пт 9–13, 14–18",
         tuple(sorted(OpeningHours(day, *one) for day in range(5) for one in ((540, 780), (840, 1080))))),
        ("Пн, Ср 9–10; Сб 22–2",
         (OpeningHours(0, 540, 600), OpeningHours(2, 540, 600), OpeningHours(5, 1320, 1560))),
        ("Вс–Пн 0–24", (OpeningHours(0, 0, 1440), OpeningHours(6, 0, 1440))),
        ("ежедневно 10–22", tuple(OpeningHours(day, 600, 1320) for day in range(7))),
        ("круглосуточно", tuple(OpeningHours(day, 0, 1440) for day in range(7))),
    ],
)  # fmt: skip
def test_a_week_is_read_as_people_write_it(value: str, meant: tuple[OpeningHours, ...]) -> None:
    assert values.week(Cell(value)) == meant


@pytest.mark.parametrize("value", ["с девяти", "Пн–Пт", "9–25", "9:70–10", "Пн–Пт 9", "Шн 9–18", "9–18 и ещё"])
def test_what_is_no_week_is_refused(value: str) -> None:
    with pytest.raises(values.Wrong) as wrong:
        values.week(Cell(value))
    assert wrong.value.code == "hours_wrong"


@pytest.mark.parametrize(
    ("kind", "value", "meant"),
    [
        (values.whole, 6.0, 6), (values.whole, "6", 6), (values.whole, "1\N{NO-BREAK SPACE}000", 1000),
        (values.whole, "6,0", 6), (values.whole, "6,5", "not_a_number"), (values.whole, 6.5, "not_a_number"),
        (values.whole, "шесть", "not_a_number"), (values.whole, datetime(2026, 5, 1), "became_date"),
        (values.whole, True, "not_a_number"), (values.whole, "9" * 30, "not_a_number"),
        (values.minutes, 90.0, 90), (values.minutes, "1:30", 90), (values.minutes, timedelta(minutes=90), 90),
        (values.minutes, "1 ч 30 мин", 90), (values.minutes, "2 ч", 120), (values.minutes, "45 min", 45),
        (values.minutes, "полчаса", "not_minutes"),
        (values.clock, timedelta(hours=9, minutes=30), 570), (values.clock, 0.375, 540), (values.clock, 9.0, 540),
        (values.clock, "9.30", 570), (values.clock, "24:00", 1440), (values.clock, "25:00", "not_a_time"),
        (values.clock, datetime(2026, 5, 1), "became_date"), (values.clock, float("nan"), "not_a_time"),
        (values.dates, datetime(2026, 5, 1), (date(2026, 5, 1),)),
        (values.dates, "01.05.2026, 2026-05-09", (date(2026, 5, 1), date(2026, 5, 9))),
        (values.dates, "31.02.2026", "not_a_date"), (values.dates, 46143.0, "not_a_date"),
        (values.dates, "01.05.2026; 1.5.2026", "date_twice"),
        (values.weekdays, "Пн–Пт", (0, 1, 2, 3, 4)), (values.weekdays, "сб., вс.", (5, 6)),
        (values.weekdays, "Fri-Mon", (0, 4, 5, 6)), (values.weekdays, "будни", "unknown_days"),
        (values.text, 101.0, "101"), (values.text, "  Зал \n А ", "Зал А"), (values.names, "А1; А2", ("А1", "А2")),
        (values.names, "А1 + а1", "part_twice"),
    ],
)  # fmt: skip
def test_a_cell_means_the_same_however_it_was_typed(kind: Any, value: Any, meant: Any) -> None:
    assert outcome(lambda: kind(Cell(value))) == meant


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=40), st.floats(), st.datetimes(), st.timedeltas(), st.booleans()))
def test_no_cell_is_too_strange_to_be_refused_by_a_code_with_words(value: Any) -> None:
    for column in importing.COLUMNS:
        found = outcome(partial(column.read, Cell(value), WORDS))
        assert found is not None


def test_columns_are_named_as_spreadsheets_name_them() -> None:
    assert [letters(one) for one in (0, 25, 26, 51, 52, 701, 702)] == ["A", "Z", "AA", "AZ", "BA", "ZZ", "AAA"]


def test_every_column_says_what_is_expected_in_it() -> None:
    assert {f"import.expects.{one.key}" for one in importing.COLUMNS} <= MESSAGES.keys()


# -- workbooks


def test_dates_times_and_numbers_of_a_workbook_are_what_they_show() -> None:
    said = row(
        name=101, kind="Переговорная", capacity=6, opens=time(9), closes=time(18, 30), special=date(2026, 5, 1),
        min=time(1, 30), step=30, zone="Самара", holidays="Россия",
    )  # fmt: skip
    draft = only(workbook([HEADING, said]))
    assert draft.given == {
        "name": "101", "kind": "room", "capacity": 6, "special": (SpecialDay(date(2026, 5, 1)),), "min_minutes": 90,
        "step_minutes": 30, "time_zone": "Europe/Samara", "holidays": "RU",
        "hours": tuple(OpeningHours(day, 540, 1110) for day in range(5)),
    }  # fmt: skip


def test_a_workbook_that_counts_from_1904_has_the_same_dates() -> None:
    def from_1904(book: Any) -> None:
        book.epoch = datetime(1904, 1, 1)

    draft = only(workbook([HEADING, row(name="Зал", special=date(2026, 5, 1))], more=from_1904))
    assert draft.given["special"] == (SpecialDay(date(2026, 5, 1)),)


def test_a_formula_counts_with_the_value_it_had_and_is_named_without_one() -> None:
    table = [HEADING, row(name="Зал", capacity="=2*3"), row(name="Холл", capacity=7)]
    never = workbook(table)
    assert cells(read(never)) == [("Лист1", "D2", "formula")]
    once = changed(never, "xl/worksheets/sheet1.xml", "<f>2*3</f><v />", "<f>2*3</f><v>6</v>")
    assert [draft.given["capacity"] for draft in read(once).drafts] == [6, 7]
    failed = changed(never, "xl/worksheets/sheet1.xml", "<f>2*3</f><v />", "<v>#N/A</v>")
    broken = changed(failed, "xl/worksheets/sheet1.xml", '<c r="D2">', '<c r="D2" t="e">')
    assert cells(read(broken)) == [("Лист1", "D2", "excel_error")]


def test_what_is_merged_downwards_counts_for_each_row_and_what_hides_a_name_is_named() -> None:
    def merge(book: Any) -> None:
        book["Лист1"].merge_cells("C2:C3")  # the city of both
        book["Лист1"].merge_cells("A4:A5")  # a name of two rows
        book["Лист1"].merge_cells("A6:D6")  # a title across

    rows = [row(name="А", city="Москва"), row(name="Б"), row(name="В", capacity=2), row(capacity=3), row(name="Этаж 3")]
    table = read(workbook([HEADING, *rows], more=merge))
    assert [(one.name, one.given.get("city")) for one in table.drafts if not one.bad] == [
        ("А", "Москва"), ("Б", "Москва"), ("В", None),
    ]  # fmt: skip
    assert cells(table) == [("Лист1", "A5", "merged"), ("Лист1", "B6", "merged")]


def test_each_sheet_with_headings_is_read_and_others_are_named() -> None:
    notes = [["Памятка"], ["Название", "не короче трёх букв", "и не длиннее ста"]]
    table = read(workbook([["Прайс на весну"], [], HEADING, row(name="А")], notes, [["Name", "Цвет"], ["B", "red"]]))
    assert [(one.sheet, one.row, one.name) for one in table.drafts] == [("Лист1", 4, "А"), ("Лист3", 2, "B")]
    assert (table.sheets_left, table.columns_left) == (["Лист2"], ["Цвет"])


def test_every_wrong_cell_of_a_row_is_named_at_once() -> None:
    said = row(name=datetime(2026, 12, 9), kind="Корабль", capacity="много", hours="с девяти", special="когда-то",
               min="полчаса", zone="Луна", holidays="Нигде")  # fmt: skip
    table = read(workbook([HEADING, said, row(capacity=5), row(name="А"), row(name="а"), row(name="Б", opens=time(9))]))
    assert cells(table) == [
        ("Лист1", "A2", "became_date"), ("Лист1", "B2", "unknown_kind"), ("Лист1", "D2", "not_a_number"),
        ("Лист1", "F2", "hours_wrong"), ("Лист1", "I2", "not_a_date"), ("Лист1", "K2", "not_minutes"),
        ("Лист1", "M2", "unknown_zone"), ("Лист1", "N2", "unknown_choice"), ("Лист1", "A3", "required"),
        ("Лист1", "H6", "required"), ("Лист1", "A5", "row_twice"),
    ]  # fmt: skip
    assert {f"field.{code}" for _, _, code in cells(table)} <= MESSAGES.keys()


def test_our_own_workbooks_are_read_by_everybody() -> None:
    data = write_workbook({"Ресурсы": [["Название", "Вид"], ["Зал «А» & Ко", ""]], "Помощь": [["Колонка"]]})
    theirs = openpyxl.load_workbook(io.BytesIO(data))
    assert [[cell.value for cell in row] for row in theirs["Ресурсы"].rows] == [
        ["Название", "Вид"],
        ["Зал «А» & Ко", None],
    ]
    assert [sheet.name for sheet in read_workbook(data)] == ["Ресурсы", "Помощь"]


# -- texts


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1251", "utf-16", "utf-16-le"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_a_text_is_read_in_whatever_encoding_and_with_whatever_between(encoding: str, separator: str) -> None:
    lines = [("Название", "Вид", "Часы"), ('"Зал; большой, "', "Зал", '"Пн–Пт 9–18"'), ("Ёлка", "", "")]
    if encoding == "cp1251" or separator != ";":
        lines[1] = (*lines[1][:2], '"Пн-Пт 9-18"')
    table = read("\r\n".join(separator.join(line) for line in lines).encode(encoding))
    assert table.wrong == []
    assert [one.name for one in table.drafts] == ["Зал; большой,", "Ёлка"]
    assert table.drafts[0].given["hours"] == OFFICE


def test_rows_of_a_text_are_counted_as_a_spreadsheet_counts_them() -> None:
    table = read('Название;Адрес;Вместимость\n\nЗал;"улица\nдом";x\nХолл;;=1+1\n'.encode())
    assert cells(table) == [("table.csv", "C3", "not_a_number"), ("table.csv", "C4", "formula")]


# -- what is no table


def test_files_that_are_no_tables_are_refused_with_words() -> None:
    plain = workbook([HEADING, row(name="А")])
    empty_zip = io.BytesIO()
    zipfile.ZipFile(empty_zip, "w").close()
    refused = {
        b"": "empty", b"\x00\x00": "empty", b"\xd0\xcf\x11\xe0" + b"\x00" * 600: "old_excel", plain[:-300]: "broken",
        b"\x89PNG\r\n\x1a\n\x00\x01\x02\x03" * 50: "encoding", b"PK\x03\x04" + b"x" * 100: "broken",
        'Имя"\nЗал;"никогда'.encode() + b"x" * 140_000: "quotes", "Цвет;Вес\nкрасный;7".encode(): "no_heading",
        "Название;Вид\n".encode(): "no_rows", b"x" * (LARGEST + 1): "too_large",
    }  # fmt: skip
    assert {data: refusal(data) for data in refused} == refused


def test_more_rows_than_anybody_has_are_refused_before_they_are_read() -> None:
    many = [["Название"], *([f"Зал {number}"] for number in range(50_000))]
    assert refusal("\n".join(line[0] for line in many).encode()) == "too_many_rows"
    assert refusal(write_workbook({"Лист": many})) == "too_many_rows"


def test_an_archive_that_grows_without_end_is_refused() -> None:
    bomb = io.BytesIO()
    plain = write_workbook({"Лист": [["Название"], ["А"]]})
    with zipfile.ZipFile(io.BytesIO(plain)) as before, zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as after:
        for name in before.namelist():
            body = before.read(name)
            padded = body.replace(b"<sheetData>", b"<!--" + b" " * 70_000_000 + b"--><sheetData>")
            after.writestr(name, padded)
    assert refusal(bomb.getvalue()) == "too_large"
    entities = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><worksheet xmlns'
    assert refusal(changed(plain, "xl/worksheets/sheet1.xml", "<worksheet xmlns", entities)) == "broken"


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    body = bytearray(_PLAIN)
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    assert outcome(lambda: read(bytes(body))) is not None


_PLAIN = write_workbook({"Лист": [["Название", "Вид"], ["А", "Зал"], ["Б", "Зал"]]})

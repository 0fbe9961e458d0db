"""A table to fill in. It holds nothing of anybody, so it is a plain link: browsers save files without our bearer."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, abort, make_response
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.importing import COLUMNS
from b24app.booking.importing_xlsx import write_workbook

blueprint = Blueprint("importing_template", __name__)

MIME = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SHOWN = (
    "name", "kind", "city", "address", "capacity", "units", "hours", "special", "holidays", "step_minutes",
    "min_minutes", "max_minutes", "buffer_after", "policy_id", "tariff_id", "parts",
)  # fmt: skip


@blueprint.get("/import/resources-<language>.xlsx")
def show(language: str) -> ResponseReturnValue:
    """The table in Russian or English: headings with two examples, and what belongs into each column."""
    if language not in texts.LANGUAGES:
        abort(404)
    sheets = {_say(language, "sheet"): _rows(language), _say(language, "help"): _help(language)}
    answer = make_response(write_workbook(sheets))
    answer.headers["Content-Type"] = MIME
    answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(_say(language, 'file'))}.xlsx"
    return answer


def _say(language: str, what: str) -> str:
    return texts.say(language, f"import.template.{what}")


def _title(language: str, titles: tuple[str, ...]) -> str:
    return titles[texts.LANGUAGES[::-1].index(language)]  # headings are told in English first


def _rows(language: str) -> list[list[str]]:
    columns = [column for column in COLUMNS if column.key in SHOWN]
    heading = [_title(language, column.titles) for column in columns]
    weekdays = _say(language, "weekdays")
    examples: list[dict[str, str]] = [
        {"name": _say(language, "room"), "kind": texts.say(language, "kind.room"), "city": _say(language, "city"),
         "capacity": "6", "units": "1", "hours": f"{weekdays} 9:00–18:00", "step_minutes": "30"},
        {"name": _say(language, "projector"), "kind": texts.say(language, "kind.equipment"), "units": "3",
         "hours": f"{weekdays} 9:00–21:00", "step_minutes": "60", "min_minutes": "60", "max_minutes": "480"},
    ]  # fmt: skip
    return [heading, *([example.get(column.key, "") for column in columns] for example in examples)]


def _help(language: str) -> list[list[str]]:
    rows = [[_title(language, one.titles), texts.say(language, f"import.expects.{one.key}")] for one in COLUMNS]
    return [[_say(language, "column"), _say(language, "expected")], *rows]

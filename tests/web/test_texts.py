"""Words: both languages complete, the right forms, and a sentence for every code that the source can raise."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from b24app import texts
from b24app.messages import MESSAGES
from install import translations
from tests.stand import MANAGER
from tests.web.installed import Installed
from tests.web.test_board import booked, room, words
from tests.web.test_bookings import form

ROOT = Path(__file__).parents[2]
CYRILLIC, LATIN = re.compile("[а-яё]", re.IGNORECASE), re.compile(r"[A-Za-z]{3,}")
MOSCOW = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 3, 13, 9, tzinfo=UTC)
# Names and abbreviations that are the same in Russian, and keys of tests' own data.
SAME = {
    "CRM",
    "UTC",
    "CLEAN",
    "result",
    "Google",
    "Outlook",
    "Apple",
    "URL",
    "Ctrl",
    "ics",
    "XLSX",
    "CSV",
    "UTF",
    "Excel",
    "JPEG",
    "PNG",
    "WebP",
    "https",
    "static",
    "true",
    "false",
    "Enter",
    "Esc",
    "PgUp",
    "PgDn",
    "Shift",
    "PDF",
    "Home",
    "End",
}
NBSP = "\N{NO-BREAK SPACE}"


def test_every_text_has_its_russian_and_the_catalogue_is_compiled() -> None:
    assert translations.problems() == []


def test_russian_is_russian() -> None:
    for message in translations.kept():
        for text in translations.forms(message) if message.id else ():
            bare = re.sub(r"%\(\w+\)s|%\(\w+\)d|\{\w+\}|%%|<[^>]+>|«flask[^»]*»|`[^`]*`|\b[A-Z]+_[A-Z_]+\b", "", text)
            assert set(LATIN.findall(bare)) <= SAME, text
            assert not re.search(r"\b[вксуиоВКСУИО] ", text), f"no no-break space after a short word: {text}"
            assert '"' not in text, text


def test_english_is_english() -> None:
    assert not [message for message in MESSAGES.values() if CYRILLIC.search(message)]


def raised_codes() -> Iterator[tuple[str, str]]:
    """(family, code) of every error that names a constant code."""
    families = {"NotAllowed": "not_allowed", "NotFound": "not_found", "Violation": "violation"}
    for path in ROOT.glob("b24app/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or not node.args:
                continue
            first = node.args[0]
            if node.func.id in families and isinstance(first, ast.Constant):
                yield families[node.func.id], str(first.value)
            if node.func.id == "InvalidInput" and isinstance(first, ast.Dict):
                yield from (("field", str(v.value)) for v in first.values if isinstance(v, ast.Constant))


@pytest.mark.parametrize(("family", "code"), sorted(set(raised_codes())))
def test_every_code_has_a_sentence(family: str, code: str) -> None:
    assert f"{family}.{code}" in MESSAGES


def test_a_code_without_words_gets_those_of_its_family() -> None:
    assert texts.say_refusal("ru", "not_allowed", "unheard_of") == f"У{NBSP}вас нет права на{NBSP}это"


@pytest.mark.parametrize(
    ("count", "russian", "english"),
    [(1, "1 день", "1 day"), (3, "3 дня", "3 days"), (5, "5 дней", "5 days"), (21, "21 день", "21 days")],
)
def test_numbers_choose_their_forms(count: int, russian: str, english: str) -> None:
    assert texts.say("ru", "days", count=count).replace(NBSP, " ") == russian
    assert texts.say("en", "days", count=count) == english


@pytest.mark.parametrize(
    ("minutes", "russian", "english"),
    [(30, "30 мин", "30 min"), (60, "1 ч", "1 h"), (90, "1 ч 30 мин", "1 h 30 min"), (0, "0 мин", "0 min")],
)
def test_durations(minutes: int, russian: str, english: str) -> None:
    assert texts.duration("ru", minutes).replace(NBSP, " ") == russian
    assert texts.duration("en", minutes).replace(NBSP, " ") == english


def test_days_and_periods() -> None:
    assert texts.day("ru", date(2026, 3, 12)) == f"Четверг, 12{NBSP}марта"
    assert texts.day("en", date(2026, 3, 12), short=True) == f"Thu, 12{NBSP}March"
    assert texts.period("ru", NOON, NOON + timedelta(hours=2), MOSCOW) == f"Пт, 13{NBSP}марта, 12:00–14:00"
    over = texts.period("en", NOON, NOON + timedelta(hours=24), MOSCOW)
    assert over == f"Fri, 13{NBSP}March, 12:00 – Sat, 14{NBSP}March, 12:00"


def test_zones_and_offsets() -> None:
    assert texts.zone("ru", ZoneInfo("Asia/Yekaterinburg"), NOON) == "Екатеринбург, UTC+5"
    assert texts.zone("en", ZoneInfo("Asia/Kolkata"), NOON) == "Kolkata, UTC+5:30"
    assert texts.offset("ru", -90) == f"−1{NBSP}ч{NBSP}30{NBSP}мин"


def test_a_parameter_is_shown_as_it_is() -> None:
    assert texts.say("ru", "event.client", name="{0} %s $result[x][id]").endswith("{0} %s $result[x][id]")


def said(page: str) -> str:
    """Everything that a page says: its text and what its attributes tell."""
    return " ".join([words(page), *re.findall(r'(?:aria-label|placeholder|title|label)="([^"]*)"', page)])


def test_pages_speak_the_portals_language_alone(installed: Installed) -> None:
    resource = room(installed, name="1", city="2")
    booked(installed, resource, title="3", deal_id=1)
    far = installed.stand.portal
    named = [user.full_name for user in far.users.values()] + [row["name"] for row in far.sections.values()]
    people = "|".join(map(re.escape, named))
    for language, foreign in (("en", CYRILLIC), ("ru", LATIN)):
        frame = installed.open(LANG=language)
        pages = [
            frame.page, frame.get("/app/bookings/new"), frame.get("/app/bookings/no/1000"), frame.get("/app/resources"),
            frame.get("/app/resources/new"), frame.post("/app/bookings", **form(resource, start="x", end="")),
            frame.post("/app/resources"), frame.get("/app/bookings/no/1"),
        ]  # fmt: skip
        assert f'<html lang="{language}">' in frame.page.text
        for page in pages:
            text = re.sub(r'<span class="av[^>]*>[^<]*</span>', "", page.text)  # initials
            assert set(foreign.findall(re.sub(people, "", said(text)))) <= SAME


def test_another_language_than_russian_is_english(installed: Installed) -> None:
    assert "Booking of resources" in installed.open(MANAGER, LANG="de").page.text

"""The search field: what its answer is made of. What is found: tests/ledger/test_agenda.py."""

from __future__ import annotations

import re
from typing import Any, cast

import pytest

from b24app.booking.clients import ClientData
from tests.stand import EMPLOYEE
from tests.web.desk import Desk, words
from tests.web.installed import Installed


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Oka")
    return made


def test_the_answer_is_a_list_that_a_reader_can_walk(desk: Desk) -> None:
    booking = desk.book(desk.room, 24, title="<b>Portrait</b>", client=ClientData("person", "Maria", "+79990000017"))
    text = desk.open().get("/app/search", q="maria").text
    assert text.count('role="option"') == 1
    assert f'id="found-{booking.number}"' in text
    assert f'hx-get="/app/bookings/no/{booking.number}"' in text
    assert "&lt;b&gt;Portrait" in text
    said = words(text)
    for part in ("Oka", f"№ {booking.number}", "Confirmed", "Wed, 11 March, 9:00–10:00"):
        assert part in said, part
    assert "7999" not in text, "the phone is the CRM's to show"


def test_no_more_than_twenty(desk: Desk) -> None:
    for start in range(21):
        desk.book(desk.room, 24 + start, title="Row")
    assert desk.open().get("/app/search", q="row").text.count('role="option"') == 20


@pytest.mark.parametrize("asked", ["", "   ", "\0", "%", "'; --", "x" * 5000, "９９９", "№"])
def test_odd_questions_find_nothing(desk: Desk, asked: str) -> None:
    desk.book(desk.room, 24, title="Portrait")
    answer = desk.open().get("/app/search", q=asked)
    assert answer.status_code == 200
    assert not re.findall(r"found-\d", answer.text)


def test_who_sees_only_what_is_taken_finds_nothing(desk: Desk) -> None:
    booking = desk.book(desk.room, 24, title="Portrait")
    desk.grant("busy", alone=True)
    for asked in ("Portrait", str(booking.number)):
        assert "found-" not in desk.open(EMPLOYEE).get("/app/search", q=asked).text

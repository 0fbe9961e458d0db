"""An administrator looks as somebody else: he sees no more and no less, changes nothing, and it is written down."""

from __future__ import annotations

import json
from typing import Any

import pytest
from werkzeug.test import TestResponse

from b24app.ledger.changes import newest
from tests.stand import ADMIN, APP_URL, MANAGER, Frame
from tests.web.desk import Desk, words
from tests.web.installed import Installed, everything


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, None)  # type: ignore[arg-type]  # the room comes at once
    made.room = made.resource(name="Ока")
    installed.open(MANAGER)  # the ledger has met him
    made.grant("busy", alone=True)
    return made


def look(frame: Frame, person: int = MANAGER) -> tuple[TestResponse, str]:
    """The page as that person has it, and the ticket that came with it."""
    answer = frame.post("/app/look-as", person=person)
    assert answer.status_code == 200, answer.text
    return answer, json.loads(answer.headers["HX-Trigger"])["b24:look"]["ticket"]


def send(frame: Frame, ticket: str, method: str, path: str, **form: Any) -> TestResponse:
    headers = {**frame.headers, "X-Look-As": ticket}
    return frame.client.open(path, method=method, data=form or None, headers=headers, base_url=APP_URL)


def name_of(desk: Desk) -> str:
    return desk.installed.stand.portal.users[MANAGER].full_name


def test_he_sees_what_that_person_sees(desk: Desk) -> None:
    booking = desk.book(desk.room, by=ADMIN)
    frame = desk.open(ADMIN)
    page, ticket = look(frame)
    assert f"You see the application as {name_of(desk)} does. Nothing can be changed." in words(page.text)
    assert "Settings" not in page.text
    assert send(frame, ticket, "GET", f"/app/bookings/{booking.id}").status_code == 404
    assert send(frame, ticket, "GET", "/app/resources").status_code == 403
    assert send(frame, ticket, "GET", f"/app/why?resource={desk.room.id}").status_code == 200
    assert frame.get(f"/app/bookings/{booking.id}").status_code == 200, "without the ticket he is himself"
    back = send(frame, ticket, "GET", "/app/look-as/end")
    assert "Settings" in back.text
    assert json.loads(back.headers["HX-Trigger"])["b24:look"]["ticket"] == ""


def test_nothing_can_be_changed_meanwhile(desk: Desk) -> None:
    booking = desk.book(desk.room, by=ADMIN)
    frame = desk.open(ADMIN)
    _, ticket = look(frame)
    send(frame, ticket, "GET", "/app/board?view=week&keep=1")
    before = everything(desk.installed.engine)
    rules = desk.installed.stand.app.url_map.iter_rules()
    known = {"booking_id": booking.id, "number": booking.number}
    for rule in rules:
        if not rule.rule.startswith(("/app/", "/install/")) or "POST" not in (rule.methods or ()):
            continue
        if rule.endpoint in ("frame.beat", "frame.renew"):
            continue
        values = {name: known.get(name, 1) for name in rule.arguments}
        if "batch" in values:
            values["batch"] = booking.id
        url = desk.installed.stand.app.url_map.bind("x").build(rule.endpoint, values, "POST")
        answer = send(frame, ticket, "POST", url, revision=1, title="x")
        assert answer.status_code == 403, (rule.rule, answer.status_code)
    assert everything(desk.installed.engine) == before
    assert send(frame, ticket, "POST", "/app/beat").status_code == 204


def test_that_he_looked_is_written_down(desk: Desk) -> None:
    frame = desk.open(ADMIN)
    look(frame)
    with desk.installed.tx() as tx:
        (line,) = newest(tx, desk.installed.portal().id, kind="look")
    assert (line.actor, line.subject_id, line.action) == (f"user:{ADMIN}", MANAGER, "added")


def test_a_ticket_is_good_for_nobody_else_and_not_for_long(desk: Desk) -> None:
    _, ticket = look(desk.open(ADMIN))
    assert send(desk.open(MANAGER), ticket, "GET", "/app/board").status_code == 403
    other = desk.open(2)
    assert send(other, ticket, "GET", "/app/board").status_code == 403
    assert send(desk.open(ADMIN), ticket + "x", "GET", "/app/board").status_code == 403
    assert desk.open(MANAGER).post("/app/look-as", person=ADMIN).status_code == 403
    assert desk.open(ADMIN).post("/app/look-as", person=4242).status_code == 422
    desk.forward(minutes=61)
    assert send(desk.open(ADMIN), ticket, "GET", "/app/board").status_code == 403


def test_what_the_crm_shows_to_the_administrator_is_not_shown(desk: Desk) -> None:
    desk.grant("see", alone=True)
    booking = desk.book(desk.room, by=ADMIN, deal_id=1)
    frame = desk.open(ADMIN)
    title = desk.installed.stand.portal.items[2][1]["title"]
    assert title in frame.get(f"/app/bookings/{booking.id}/crm").text
    _, ticket = look(frame)
    assert title not in send(frame, ticket, "GET", f"/app/bookings/{booking.id}/crm").text

"""The list of requests that wait for somebody, and naming who decides while one is away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from b24app.ledger import approval
from b24app.ledger.access import Viewer
from tests.stand import ADMIN, MANAGER, SECOND_MANAGER
from tests.web.desk import Desk, words
from tests.web.installed import Installed


@pytest.fixture
def desk(installed: Installed) -> Desk:
    """Everybody may ask, one manager approves; all of them have been here."""
    made = Desk(installed, None)  # type: ignore[arg-type]  # the room comes at once
    made.room = made.resource(name="Ока")
    for person in (MANAGER, SECOND_MANAGER):
        installed.open(person)
    made.grant("request", alone=True)
    return made


def ask(desk: Desk) -> None:
    """A manager asks, then another one gets the right to approve."""
    desk.book(desk.room, by=MANAGER, title="Планёрка")
    desk.grant("approve", f"U{SECOND_MANAGER}")


def test_an_approver_finds_the_request_and_decides(desk: Desk) -> None:
    ask(desk)
    frame = desk.open(SECOND_MANAGER)
    assert 'href="#waiting"' in frame.page.text
    assert words(frame.get("/app/waiting/count").text) == "Requests: 1"
    page = words(frame.get("/app/waiting").text)
    assert "Планёрка" in page
    assert "Ока" in page
    with desk.installed.tx() as tx:
        rows = approval.waiting(tx, desk.installed.portal().id, Viewer(ADMIN, is_admin=True), desk.now)
    answer = frame.post(f"/app/bookings/{rows[0].booking.id}/confirm", revision=1)
    assert answer.status_code == 200
    assert "hidden" in frame.get("/app/waiting/count").text
    assert "Nothing waits for you" in words(frame.get("/app/waiting").text)


def test_who_only_asks_has_no_list(desk: Desk) -> None:
    ask(desk)
    frame = desk.open(MANAGER)
    assert 'href="#waiting"' not in frame.page.text
    assert "Планёрка" not in frame.get("/app/waiting").text


def test_one_names_who_approves_meanwhile_and_is_back_again(desk: Desk) -> None:
    ask(desk)
    frame, day = desk.open(SECOND_MANAGER), (desk.now + timedelta(days=3)).date().isoformat()
    form = frame.get("/app/waiting/away")
    assert "Who approves meanwhile" in form.text
    answer = frame.post("/app/waiting/away", stand_in=MANAGER, until=day)
    assert answer.status_code == 200
    assert "approves for you" in words(answer.text)
    assert "Планёрка" in desk.open(MANAGER).get("/app/waiting").text, "now it is his"
    assert "Nobody has named" not in words(desk.open(ADMIN).get("/app/access").text)
    assert frame.post("/app/waiting/away", back="y").status_code == 200
    assert "Планёрка" not in desk.open(MANAGER).get("/app/waiting").text


def test_a_wrong_absence_names_its_fields(desk: Desk) -> None:
    frame = desk.open(SECOND_MANAGER)
    answer = frame.post("/app/waiting/away", stand_in="", until="")
    assert (answer.status_code, answer.text.count('class="errt"')) == (422, 2)
    assert frame.post("/app/waiting/away", person=MANAGER, back="y").status_code == 403
    assert desk.open(ADMIN).post("/app/waiting/away", person=MANAGER, back="y").status_code == 200

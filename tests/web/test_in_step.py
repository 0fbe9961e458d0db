"""Settings, "In step": what waits, what differs, what only a person can mend."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from b24app.ledger import sweeps
from b24app.ledger.models import ExternalRef
from b24app.ledger.portal_models import Draft, PortalPace
from tests import factories
from tests.stand import MANAGER
from tests.web.installed import Installed


def said(answer: TestResponse) -> str:
    """The page, with plain spaces where words must not be parted."""
    return answer.text.replace("\u00a0", " ")


@pytest.fixture
def booked(installed: Installed) -> int:
    """The number of a booking whose pictures are in the portal as far as the ledger knows."""
    with installed.tx() as tx:
        portal = installed.portal()
        room = factories.make_resource(tx, portal, now=installed.stand.now, name="Нева")
        booking = factories.make_booking(tx, portal, room, now=installed.stand.now)
        tx.execute(update(ExternalRef).values(dirty_since=None, remote_id=ExternalRef.id + 100, drawn={}))
    return booking.number


def test_everything_in_step_says_so(installed: Installed, booked: int) -> None:
    page = said(installed.open().get("/app/in-step"))
    assert "Портал показывает всё, что забронировано" in page
    assert "ещё не сверялись" in page
    assert "hx-trigger" not in page.partition("</section>")[0].partition("nav")[0]


def test_what_is_parked_is_shown_with_its_reason_and_tried_again(installed: Installed, booked: int) -> None:
    with installed.tx() as tx:
        ref = tx.scalars(
            select(ExternalRef).where(ExternalRef.booking_id.is_not(None), ExternalRef.kind == "item")
        ).one()
        ref.parked_reason = "contested"
    frame = installed.open()
    page = said(frame.get("/app/in-step"))
    assert f"Карточка брони № {booked}" in page
    assert "меняет это обратно" in page
    answer = frame.post(f"/app/in-step/{ref.id}/again")
    assert answer.status_code == 200
    with installed.tx() as tx:
        again = tx.get(ExternalRef, ref.id)
        assert again is not None
        assert (again.parked_reason, again.dirty_since) == (None, installed.stand.now)
    assert frame.post("/app/in-step/999999/again").status_code == 404


def test_everything_can_be_drawn_anew_with_its_progress(installed: Installed, booked: int) -> None:
    page = said(installed.open().post("/app/in-step/redraw"))
    with installed.tx() as tx:
        total = tx.scalar(select(func.count()).select_from(ExternalRef).where(ExternalRef.dirty_since.is_not(None)))
    assert f"{total} карточ" in page
    assert "<progress" in page
    assert "hx-trigger" in page


def test_a_comparison_is_asked_for_and_its_end_is_told(installed: Installed, booked: int) -> None:
    frame = installed.open()
    assert "Сверка началась" in said(frame.post("/app/in-step/compare"))
    now = installed.stand.now
    with installed.tx() as tx:
        sweep_id = sweeps.begin(tx, installed.portal().id, "user:1", now)
        found = {"compared": {"item": 5}, "differences": {"item_changed": 2, "event_missing": 1}}
        sweeps.note(tx, installed.portal().id, sweep_id, ended_at=now + timedelta(seconds=9), found=found)
    page = said(frame.get("/app/in-step"))
    assert "Карточек и событий: 5." in page
    assert "нет 1 события" in page
    assert "изменены 2 карточки броней" in page


def test_cards_that_are_no_bookings_are_listed(installed: Installed) -> None:
    with installed.tx() as tx:
        now = installed.stand.now
        tx.add(
            Draft(
                portal_id=installed.portal().id,
                remote_id=77,
                state="refused",
                print="x",
                created_at=now,
                updated_at=now,
            )
        )
    page = said(installed.open().get("/app/in-step"))
    assert "Карточка № 77" in page
    assert "причина в комментарии карточки" in page


def test_a_portal_that_does_not_answer_is_named(installed: Installed, booked: int) -> None:
    frame, now = installed.open(), installed.stand.now
    with installed.tx() as tx:
        tx.merge(PortalPace(portal_id=installed.portal().id, counted_at=now, silent_until=now + timedelta(minutes=4)))
    page = said(frame.get("/app/in-step"))
    assert "does not answer" in page or "не отвечает" in page
    assert "9:04" in page


def test_only_administrators_come_in(installed: Installed) -> None:
    frame = installed.open(MANAGER)
    assert frame.get("/app/in-step").status_code == 403
    for path in ("compare", "redraw", "again", "1/again"):
        assert frame.post(f"/app/in-step/{path}").status_code == 403

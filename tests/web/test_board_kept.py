"""A board that has not changed is not sent again: whose tag it is, and what makes it another one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select
from werkzeug.test import TestResponse

from b24app.booking.change import cancel_booking
from b24app.ledger.models import Booking, Grant
from b24app.sync.in_step import keep_in_step
from b24app.sync.pace import Pace
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach
from b24app.web import ask
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.stand import EMPLOYEE, MANAGER, Frame
from tests.web.installed import Installed
from tests.web.test_board import booked, counted, room
from tests.web.test_board_lanes import rules

DAY = "2026-03-10"


def asked_again(frame: Frame, tag: str, **query: object) -> TestResponse:
    """What the open board does every few seconds."""
    headers = {**frame.headers, "If-None-Match": tag}
    return frame.client.get(
        "/app/board", query_string={"day": DAY, **query}, headers=headers, base_url="https://app.example.com"
    )


def tag_of(frame: Frame, **query: object) -> str:
    answer = frame.get("/app/board", **{"day": DAY, **query})
    assert answer.status_code == 200
    tag = answer.headers["ETag"]
    assert tag.startswith('"')  # strong
    return tag


def test_nothing_changed_is_said_with_one_statement(installed: Installed) -> None:
    booked(installed, room(installed))
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    with counted(installed.engine) as statements:
        answer = asked_again(frame, tag)
    assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", tag)
    assert len(statements) == 1, "\n".join(statements)  # that of the bearer


def test_the_page_carries_the_tag_of_its_board(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    tag = frame.page.text.split('data-tag="')[1].split('"')[0]
    assert asked_again(frame, f'"{tag}"').status_code == 304
    assert f'data-tag="{tag}"' in frame.get("/app/board", day=DAY).text


@pytest.mark.parametrize("tag", ["*", '"x"', 'W/"a-b"', '"', '""', '"-99999999999"', '"a-99999999999999999999"'])
def test_a_tag_that_is_none_of_ours_brings_the_board(installed: Installed, tag: str) -> None:
    room(installed)
    assert asked_again(installed.open(MANAGER), tag).status_code == 200


def test_a_booking_a_cancellation_and_a_new_resource_change_the_board(installed: Installed) -> None:
    resource = room(installed)
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    number = booked(installed, resource, title="Новая")
    answer = asked_again(frame, tag)
    assert answer.status_code == 200
    assert "Новая" in answer.text
    tag = answer.headers["ETag"]
    with installed.tx() as tx:
        row = tx.scalars(select(Booking).where(Booking.number == number)).one()
        cancel_booking(
            tx, installed.portal(), row.id, revision=row.revision, viewer=ADMIN_VIEWER, now=installed.stand.now
        )
    answer = asked_again(frame, tag)
    assert (answer.status_code, "Новая" in answer.text) == (200, False)
    room(installed, name="Ещё одна")
    assert "Ещё одна" in asked_again(frame, answer.headers["ETag"]).text


def drained(installed: Installed) -> None:
    """The worker draws everything that is behind."""
    stand = installed.stand
    throttles = SharedThrottles(installed.engine, lambda: stand.now, lambda _: None)
    reach = Reach(installed.engine, stand.app.extensions["b24"].http, throttles, lambda: stand.now)
    for _ in range(3):
        keep_in_step(reach, installed.portal().id, Pace())


def test_what_the_drain_has_drawn_loses_its_mark(installed: Installed) -> None:
    booked(installed, room(installed))
    frame = installed.open(MANAGER)
    first = frame.get("/app/board", day=DAY)
    assert " lag " in first.text
    drained(installed)
    answer = asked_again(frame, first.headers["ETag"])
    assert answer.status_code == 200
    assert " lag " not in answer.text


def test_another_day_or_service_is_another_board(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    assert asked_again(frame, tag, day="2026-03-11").status_code == 200
    assert asked_again(frame, tag, service="5").status_code == 200
    assert asked_again(frame, tag).status_code == 304


def test_another_viewer_gets_another_tag(installed: Installed) -> None:
    resource = room(installed)
    booked(installed, resource, title="Тайное")
    admin, manager = installed.open(), installed.open(MANAGER)
    assert tag_of(admin) != tag_of(manager)
    assert asked_again(manager, tag_of(admin)).status_code == 200
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add(Grant(portal_id=installed.portal().id, scope="everything", code="AU", right="busy"))
    employee = installed.open(EMPLOYEE)
    assert "Тайное" in admin.get("/app/board", day=DAY).text
    assert "Тайное" not in employee.get("/app/board", day=DAY).text
    assert asked_again(employee, tag_of(admin)).status_code == 200


def test_a_right_that_was_taken_away_changes_the_board_at_once(installed: Installed) -> None:
    booked(installed, room(installed), title="Тайное")
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    with installed.tx() as tx:
        tx.execute(delete(Grant))
    answer = asked_again(frame, tag)
    assert (answer.status_code, "Тайное" in answer.text) == (200, False)


def test_a_warning_changes_the_board(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    installed.change(needs_admin=True)
    assert asked_again(frame, tag).status_code == 200


def test_a_hold_that_ends_changes_the_board_at_its_moment(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, hold_minutes=2))
    booked(installed, resource, title="Предбронь")
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    installed.stand.now += timedelta(seconds=119)
    assert asked_again(frame, tag).status_code == 304
    installed.stand.now += timedelta(seconds=1)
    answer = asked_again(frame, tag)
    assert (answer.status_code, 'class="b hold' in answer.text) == (200, False)


def test_a_request_that_ends_changes_the_board_at_its_moment(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, winner="manager", decide_minutes=2))
    booked(installed, resource)
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    installed.stand.now += timedelta(minutes=2)
    answer = asked_again(frame, tag)
    assert (answer.status_code, 'class="b req' in answer.text) == (200, False)


def test_a_board_is_looked_after_every_few_minutes_all_the_same(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    tag = tag_of(frame)
    installed.stand.now += ask.STAYS - timedelta(seconds=1)
    assert asked_again(frame, tag).status_code == 304
    installed.stand.now += timedelta(seconds=1)
    assert asked_again(frame, tag).status_code == 200


def test_who_may_see_the_same_shares_a_board_for_a_minute(installed: Installed) -> None:
    booked(installed, room(installed), title="Планёрка")
    one, other = installed.open(MANAGER), installed.open(EMPLOYEE)
    first = one.get("/app/board", day=DAY)
    with counted(installed.engine) as statements:
        again = other.get("/app/board", day=DAY)
    assert again.text == first.text
    assert len(statements) == 1, "\n".join(statements)
    installed.stand.now += timedelta(minutes=1)
    with counted(installed.engine) as statements:
        assert "9:01" in other.get("/app/board", day=DAY).text
    assert len(statements) == 5


def test_a_booking_is_on_the_shared_board_at_once(installed: Installed) -> None:
    resource = room(installed)
    frame = installed.open(MANAGER)
    frame.get("/app/board", day=DAY)
    booked(installed, resource, title="Только что")
    assert "Только что" in frame.get("/app/board", day=DAY).text


def test_a_card_does_not_share_its_board_with_the_calendar(installed: Installed) -> None:
    """Whose page has no top bar, so that the button stands in the tools."""
    room(installed)
    calendar = installed.open(MANAGER, "CALENDAR_GRIDVIEW").get("/app/board", day=DAY).text
    card = installed.open(MANAGER, "CRM_DEAL_DETAIL_TAB", options={"ID": "1"}).get("/app/board", day=DAY).text
    assert ('id="book"' in calendar, 'id="book"' in card) == (True, False)

"""What is left of the board when somebody wants less of it: lanes, pale blocks, empty states, memory."""

from __future__ import annotations

import re
from typing import Any

import pytest
from sqlalchemy import delete, text, update

from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.resources import archive_resource
from b24app.ledger.models import Grant, PortalUser, Resource
from b24app.scheduling.hours import OpeningHours
from tests.conftest import NOW
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import make_service
from tests.stand import ADMIN, EMPLOYEE, MANAGER, Frame
from tests.web.installed import Installed
from tests.web.test_board import booked, counted, room, words
from tests.web.test_board_kept import asked_again
from tests.web.test_board_lanes import blocks, change, rules

DAY = "2026-03-10"  # a Tuesday; it is nine in the morning
DAYTIME = tuple(OpeningHours(weekday, 9 * 60, 21 * 60) for weekday in range(7))


def lanes(page: str) -> list[str]:
    """The names at the left, in their order."""
    return re.findall(r"<div class=res .*?<b>(.*?)</b>", page)


def shown(frame: Frame, **query: Any) -> list[str]:
    answer = frame.get("/app/board", day=DAY, **query)
    assert answer.status_code == 200
    return lanes(answer.text)


def kept(installed: Installed, user_id: int = MANAGER) -> Any:
    with installed.tx() as tx:
        return tx.query(PortalUser.choice).filter_by(user_id=user_id).scalar()


def test_kind_place_capacity_and_service_leave_lanes_out(installed: Installed) -> None:
    room(installed, name="Ока", city="Пресня", capacity=6)
    room(installed, name="Нева", city="Арбат", capacity=12)
    hall = room(installed, name="Зал", kind="hall", city="Арбат", capacity=80)
    room(installed, name="Анна", kind="specialist")
    with installed.tx() as tx:
        service = make_service(tx, installed.portal(), (hall, 1), name="Съёмка").id
    frame = installed.open(MANAGER)
    assert shown(frame) == ["Нева", "Ока", "Зал", "Анна"]
    assert shown(frame, kind="room") == ["Нева", "Ока"]
    assert shown(frame, place="Арбат") == ["Нева", "Зал"]
    assert shown(frame, capacity=12) == ["Нева", "Зал"]
    assert shown(frame, place="Арбат", kind="room", capacity=10) == ["Нева"]
    assert shown(frame, service=service) == ["Зал"]


def test_what_has_to_be_free_is_free_for_the_whole_stretch(installed: Installed) -> None:
    free = room(installed, name="свободна", hours=DAYTIME)
    taken = room(installed, name="занята", hours=DAYTIME)
    touching = room(installed, name="впритык", hours=DAYTIME)
    pool = room(installed, name="две из трёх", kind="equipment", units=3, hours=DAYTIME)
    full = room(installed, name="обе из двух", kind="equipment", units=2, hours=DAYTIME)
    asked = room(installed, name="только просят", hours=DAYTIME, policy_id=rules(installed, winner="manager"))
    room(installed, name="рано закрыта", hours=tuple(OpeningHours(day, 9 * 60, 14 * 60) for day in range(7)))
    closed = room(installed, name="ремонт", hours=DAYTIME)
    with installed.tx() as tx:
        from_noon = ClosureData(
            installed.stand.now.date(), start=12 * 60, end=14 * 60, resource_id=closed.id, reason="x"
        )
        save_closure(tx, installed.portal(), from_noon, viewer=ADMIN_VIEWER, now=NOW)
    for one in (taken, asked, pool, pool, full, full):
        booked(installed, one, 4.5)  # 13:30
    booked(installed, touching, 3)  # 12:00–13:00
    booked(installed, touching, 6)  # 15:00–16:00
    names = shown(installed.open(MANAGER), **{"from": "13:00", "to": "15:00"})
    assert sorted(names) == sorted([free.name, touching.name, pool.name, asked.name])


def test_nothing_free_says_what_was_asked_and_what_is_nearest(installed: Installed) -> None:
    first, second = (
        room(installed, name="«Нева»", capacity=12, hours=DAYTIME),
        room(installed, name="«Ока»", capacity=6),
    )
    booked(installed, first, 3, 4)  # 12:00–16:00
    frame = installed.open(MANAGER, LANG="en")
    page = frame.get("/app/board", day=DAY, capacity=12, **{"from": "13:00", "to": "15:00"}).text
    assert "Nothing free for 12 people, 13:00–15:00" in words(page)
    assert "«Нева» from 16:00" in words(page)
    assert second.name not in page
    assert 'id="filters-button"' in page  # the tools stay: one of the filters can go
    assert re.search(r'id="reset" hx-get="/app/board\?keep=1&(amp;)?day=2026-03-10"', page)
    assert "Nothing for 500 people" in words(frame.get("/app/board", day=DAY, capacity=500).text)


def test_stages_and_a_responsible_hide_nothing(installed: Installed) -> None:
    resource = room(installed)
    mine = booked(installed, resource, 1, title="Моя", responsible_id=MANAGER)
    other = booked(installed, resource, 3, title="Чужая", responsible_id=EMPLOYEE)
    change(installed, other, payment="paid")
    frame = installed.open(MANAGER)

    def pale(**query: Any) -> list[str]:
        page = frame.get("/app/board", day=DAY, **query).text
        found = blocks(page, resource)
        assert [title for _, title in found] == ["Моя", "Чужая"]
        return [title for classes, title in found if classes.endswith(" dim")]

    assert pale() == []
    assert pale(stages="paid") == ["Моя"]
    assert pale(stages="paid,confirmed") == []
    assert pale(responsible=MANAGER) == ["Чужая"]
    assert pale(responsible=MANAGER, stages="paid") == ["Моя", "Чужая"]
    with counted(installed.engine) as statements:
        pale(responsible=EMPLOYEE)
    assert len(statements) <= 8, "\n".join(statements)
    assert mine != other


def test_boxes_that_are_ticked_come_one_by_one(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    page = frame.client.get(
        f"/app/board?day={DAY}&stages=paid&stages=request&keep=1",
        headers=frame.headers,
        base_url="https://app.example.com",
    ).text
    assert "stages=request,paid" in page.replace("%2C", ",")
    assert kept(installed) == {"page": {"stages": "request,paid"}}


def test_groups_by_place_and_none(installed: Installed) -> None:
    for name, kind, city in (
        ("А", "room", "Пресня"),
        ("Б", "hall", "Пресня"),
        ("В", "room", "Арбат"),
        ("Г", "room", ""),
    ):
        room(installed, name=name, kind=kind, city=city)
    frame = installed.open(MANAGER, LANG="en")
    by_place = words(frame.get("/app/board", day=DAY, group="place").text)
    order = [
        by_place.index(title) for title in ("Арбат 1, 0% taken", "Пресня 2, 0% taken", "No place given 1, 0% taken")
    ]
    assert order == sorted(order)
    alone = frame.get("/app/board", day=DAY, group="none").text
    assert lanes(alone) == ["А", "Б", "В", "Г"]
    assert "bgroup" not in alone


def test_the_form_of_all_filters_knows_what_there_is_and_what_is_set(installed: Installed) -> None:
    resource = room(installed, city="Пресня")
    room(installed, city="Арбат", kind="hall")
    booked(installed, resource, responsible_id=EMPLOYEE)
    query = {"place": "Пресня", "stages": "paid", "from": "13:10", "to": "15:00", "responsible": MANAGER, "day": DAY}
    form = installed.open(MANAGER).get("/app/board/filters", **query).text
    for there in ('<option value="Арбат">',
                  '<option value="Пресня" selected>', '<option selected>13:10</option>',
                  '<option selected>15:00</option>', f'<option value="{MANAGER}" selected>',
                  f'<option value="{EMPLOYEE}">',
                  'value="paid" checked', f'name="day" value="{DAY}"'):  # fmt: skip
        assert there in form, there
    assert 'value="request" checked' not in form


def test_what_is_no_longer_there_is_told_and_left_aside(installed: Installed) -> None:
    resource = room(installed, name="Ока")
    frame = installed.open(MANAGER, LANG="en")
    page = frame.get("/app/board", day=DAY, service=77, place="Атлантида", resource=9999).text
    assert lanes(page) == ["Ока"]
    for sentence in (
        "The service is no longer there.",
        "Nothing is at “Атлантида” any more.",
        "The resource is no longer",
    ):
        assert sentence in words(page)
    tag = page.split('data-tag="')[1].split('"')[0]
    assert asked_again(frame, f'"{tag}"').status_code == 304, "the line stays until something changes"
    with installed.tx() as tx:
        archive_resource(tx, installed.portal(), resource.id, viewer=ADMIN_VIEWER, now=installed.stand.now)
    assert lanes(asked_again(frame, f'"{tag}"').text) == []


# -- memory


def test_a_choice_is_remembered_for_the_kind_of_place(installed: Installed) -> None:
    room(installed, name="Ока")
    room(installed, name="Зал", kind="hall")
    frame = installed.open(MANAGER)
    assert "keep=1" in frame.page.text
    frame.get("/app/board", day=DAY, kind="hall", group="none", keep=1)
    again = installed.open(MANAGER)
    assert lanes(again.page.text) == ["Зал"]
    assert 'data-day="2026-03-10"' in again.page.text
    card = installed.open(MANAGER, "CRM_DEAL_DETAIL_TAB", options={"ID": "1"})
    assert lanes(card.page.text) == ["Ока", "Зал"]
    assert lanes(installed.open(EMPLOYEE).page.text) == ["Ока", "Зал"], "nobody else's"
    card.get("/app/board", day=DAY, kind="room", keep=1)
    assert kept(installed) == {"page": {"kind": "hall", "group": "none"}, "card": {"kind": "room"}}


def test_the_calendar_begins_with_a_day_and_a_phone_with_the_list(installed: Installed) -> None:
    room(installed)
    calendar = installed.open(MANAGER, "CALENDAR_GRIDVIEW")
    calendar.get("/app/board", view="list", keep=1)
    assert 'data-view="day"' in installed.open(MANAGER, "CALENDAR_GRIDVIEW").page.text
    frame = installed.open(MANAGER)
    assert 'data-view="day"' in frame.page.text
    phone = {**frame.headers, "User-Agent": "Mozilla/5.0 (iPhone) AppleWebKit/605.1.15 Mobile/15E148"}
    page = frame.client.get("/app/board?recall=board", headers=phone, base_url="https://app.example.com").text
    assert 'data-view="day"' in page, "who asks for the board gets it"
    page = frame.client.get("/app/board?recall=list", headers=phone, base_url="https://app.example.com").text
    assert 'data-view="list"' in page


def test_only_another_choice_is_written(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    for _ in range(2):
        frame.get("/app/board", day=DAY, kind="room", keep=1)
    with counted(installed.engine) as statements:
        frame.get("/app/board", day=DAY, kind="room", keep=1)
    assert ["UPDATE portal_user" in one for one in statements].count(True) == 1
    assert len(statements) <= 3, "\n".join(statements)  # those of the bearer, and one that changes nothing
    with installed.tx() as tx:
        version = tx.execute(
            text("SELECT xmin::text FROM portal_user WHERE user_id = :user"), {"user": MANAGER}
        ).scalar()
    frame.get("/app/board", day="2026-03-11", kind="room", keep=1)
    with installed.tx() as tx:
        again = tx.execute(text("SELECT xmin::text FROM portal_user WHERE user_id = :user"), {"user": MANAGER}).scalar()
    assert again == version, "another day is no other choice"


@pytest.mark.parametrize("spoiled", [[], "day", {"page": 5}, {"page": {"view": 7, "stages": [], "from": None}}])
def test_spoiled_memory_shows_the_usual_board_and_is_mended(installed: Installed, spoiled: Any) -> None:
    room(installed, name="Ока")
    with installed.tx() as tx:
        tx.execute(update(PortalUser).where(PortalUser.user_id == MANAGER).values(choice=spoiled))
        portal_user = tx.query(PortalUser).filter_by(user_id=MANAGER).count()
    frame = installed.open(MANAGER)
    assert lanes(frame.page.text) == ["Ока"]
    frame.get("/app/board", kind="room", keep=1)
    assert portal_user == 0 or kept(installed)["page"] == {"kind": "room"}


def test_the_day_of_a_phone_is_not_remembered_as_one(installed: Installed) -> None:
    resource, other = room(installed, name="Ока", hours=DAYTIME), room(installed, name="Зал", kind="hall")
    number = booked(installed, resource, 1, title="Планёрка")
    frame = installed.open(MANAGER)
    page = frame.get("/app/board", day=DAY, view="tall", stages="paid", keep=1).text
    assert f'id="c{other.id}"' in page
    lane = page[page.index(f'id="c{resource.id}"') :].split("</div>", 1)[0]
    assert f'data-r="{resource.id}"' in lane
    assert re.search(rf'class="b conf lag s40 n4 dim" href="#{number}"', lane)
    assert '<i class="shut s0 n36"' in lane
    assert kept(installed) == {"page": {"stages": "paid"}}


# -- nothing at all


def test_who_may_see_nothing_reads_whom_to_ask(installed: Installed) -> None:
    room(installed, name="Чужая")
    installed.open(ADMIN)
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        name = tx.query(PortalUser.name).filter_by(user_id=ADMIN).scalar()
    page = installed.open(EMPLOYEE, LANG="en").page.text
    assert "This board has not been opened to you" in words(page)
    assert name in page
    assert "Чужая" not in page
    assert 'id="book"' not in page


def test_sections_and_the_search_are_for_everybody(installed: Installed) -> None:
    resource: Resource = room(installed)
    page = installed.open(MANAGER).page.text
    assert [f'data-section="{name}"' in page for name in ("board", "list")] == [True, True]
    assert 'href="#resources"' not in page
    assert 'id="search-input"' in page
    assert f"id=r{resource.id}>" in page
    calendar = installed.open(MANAGER, "CALENDAR_GRIDVIEW").page.text
    assert "data-section" not in calendar

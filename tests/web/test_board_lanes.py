"""What stands on the lanes of the board: every state, pools, composites both ways, closed time, services."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from b24app.booking.attendance import mark_no_show
from b24app.booking.closures import ClosureData, save_closure
from b24app.booking.resources import SpecialDay
from b24app.ledger.models import Allocation, Booking, Grant, Policy, Resource
from b24app.scheduling.hours import OpeningHours
from tests.conftest import NOW
from tests.factories import ADMIN, hour, make_booking, make_service
from tests.stand import EMPLOYEE, MANAGER
from tests.web.installed import Installed
from tests.web.test_board import booked, room, words

DAYTIME = tuple(OpeningHours(weekday, 9 * 60, 21 * 60) for weekday in range(7))
HOSTILE = "<script>alert(1)</script>"


def rules(installed: Installed, **values: Any) -> int:
    """The id of rules with these values."""
    with installed.tx() as tx:
        policy = Policy(portal_id=installed.portal().id, name="Правила", rules=values)
        tx.add(policy)
        tx.flush()
        return policy.id


def board(installed: Installed, user_id: int = MANAGER, **query: Any) -> str:
    answer = installed.open(user_id).get("/app/board", **query)
    assert answer.status_code == 200
    return answer.text


def lane(text: str, resource: Resource) -> str:
    """The markup of one row."""
    start = text.index(f"id=r{resource.id}>")
    return text[start : text.index("</div></div>", start)]


def blocks(text: str, resource: Resource) -> list[tuple[str, str]]:
    """Class and words of everything that stands on a lane."""
    found = re.findall(r'<(a|span)[^>]* class="b ([^"]+)"[^>]*>(.*?)</\1>(?=<|$)', lane(text, resource))
    return [(classes, words(inner)) for _, classes, inner in found]


def grant_only(installed: Installed, *grants: tuple[str, str]) -> None:
    """Everybody has these rights (scope, right) and no others."""
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add_all(Grant(portal_id=installed.portal().id, scope=s, code="AU", right=r) for s, r in grants)


def change(installed: Installed, number: int, **values: Any) -> None:
    with installed.tx() as tx:
        booking = tx.scalars(select(Booking).where(Booking.number == number)).one()
        for name, value in values.items():
            setattr(booking, name, value)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        ({}, "conf lag s40 n4"),
        ({"payment": "paid"}, "paid lag s40 n4"),
        ({"stage": "completed"}, "done lag s40 n4"),
        ({"stage": "no_show"}, "nosh lag s40 n4"),
    ],
)
def test_each_stage_has_its_look(installed: Installed, values: dict[str, Any], classes: str) -> None:
    resource = room(installed)
    number = booked(installed, resource, title="Планёрка")
    change(installed, number, **values)
    text = board(installed)
    assert blocks(text, resource) == [(classes, "Планёрка")]
    assert f"href=#{number}>" in text


def test_a_hold_says_until_when_and_is_over_by_itself(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, hold_minutes=30))
    booked(installed, resource, 1, title="Студия танца")
    assert blocks(board(installed), resource) == [("hold lag s40 n4", "9:30 Студия танца")]
    assert "Предбронь" in words(board(installed).split("<footer")[1])
    installed.stand.now += timedelta(minutes=30)
    assert blocks(board(installed), resource) == []
    with installed.tx() as tx:
        assert tx.scalars(select(Booking.stage)).one() == "prebooked"  # nobody has written it down


def test_a_hold_until_another_day_says_which(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, hold_minutes=3 * 24 * 60))
    booked(installed, resource, 24 * 4, title="Выставка")
    assert blocks(board(installed, day="2026-03-14"), resource) == [("hold lag s36 n4", "13.03 Выставка")]


def test_requests_stand_side_by_side_and_hold_nothing(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, winner="manager"))
    first = booked(installed, resource, 1, 2, title="Первая")
    booked(installed, resource, 2, 2, title="Вторая")
    booked(installed, resource, 6, title="Лисицын К.")
    text = board(installed)
    assert blocks(text, resource) == [("req s40 n12", "2 заявки"), ("req s60 n4", "Лисицын К.")]
    assert f"href=#{first}><i>2</i>" in text
    with installed.tx() as tx:
        assert tx.scalars(select(Allocation)).all() == []


def test_a_request_whose_time_is_over_is_not_shown(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, winner="payment", decide_minutes=60))
    booked(installed, resource, 5)
    installed.stand.now += timedelta(hours=1)
    assert blocks(board(installed), resource) == []


def test_buffers_are_drawn_beside_the_booking(installed: Installed) -> None:
    resource = room(installed, buffer_before=15, buffer_after=30)
    booked(installed, resource, 1)
    shown = lane(board(installed), resource)
    assert '<i class="buf s39 n1"' in shown
    assert '<i class="buf s44 n2"' in shown
    assert "b conf lag s40 n4" in shown


def test_what_a_no_show_gave_back_is_free(installed: Installed) -> None:
    resource = room(installed)
    number = booked(installed, resource, 1, 2)
    installed.stand.now += timedelta(hours=1, minutes=30)
    with installed.tx() as tx:
        row = tx.scalars(select(Booking).where(Booking.number == number)).one()
        mark_no_show(
            tx, installed.portal(), row.id, revision=row.revision, viewer=ADMIN, now=installed.stand.now
        )  # fmt: skip
    booked(installed, resource, 0, 1, title="Другие")
    shown = [classes for classes, _ in blocks(board(installed), resource)]
    assert shown == ["nosh lag s40 n2", "conf lag s42 n4"]


def test_a_small_pool_has_a_line_for_each_place(installed: Installed) -> None:
    resource = room(installed, kind="equipment", name="Проектор", units=3)
    for title in ("Первый", "Второй"):
        booked(installed, resource, 1, title=title)
    text = board(installed)
    assert f'<div class="brow k3" role=row id=r{resource.id}>' in text
    assert sorted(blocks(text, resource)) == [("conf lag s40 n4 u1", "Первый"), ("conf lag s40 n4 u2", "Второй")]
    assert "3 шт." in words(lane(text, resource))


def test_a_booking_of_two_places_is_two_lines(installed: Installed) -> None:
    resource = room(installed, units=2)
    with installed.tx() as tx:
        service = make_service(tx, installed.portal(), (resource, 2))
        make_booking(
            tx, installed.portal(), resource, now=installed.stand.now, resource_id=None, service_id=service.id,
            viewer=ADMIN, title="Оба",
        )  # fmt: skip
    shown = blocks(board(installed), resource)
    assert sorted(shown) == [("conf lag s40 n4 u1", "Оба"), ("conf lag s40 n4 u2", "Оба")]


def test_of_a_large_pool_it_is_shown_how_many_are_taken_and_by_whom(installed: Installed) -> None:
    resource = room(installed, name="Рабочие места", units=4, buffer_after=30)
    numbers = [booked(installed, resource, 1, title=f"Место {n}") for n in range(4)]
    booked(installed, resource, 5, title="Одно")
    text = board(installed)
    assert blocks(text, resource) == [("cnt-u full s40 n6", "4 из 4, мест нет"), ("cnt-u s56 n6", "1 из 4")]
    _, _, start, end = re.findall(r"href=#(at)-(\d+)-(\d+)-(\d+)", text)[0]
    frame = installed.open(MANAGER)
    page = frame.get("/app/board/places", resource=resource.id, start=start, end=end, day="2026-03-10").text
    assert all(f"/app/bookings/no/{number}" in page for number in numbers)
    assert "Одно" not in page
    assert "Забронировать" not in page
    assert "Место 3" in words(page)
    later = frame.get("/app/board/places", resource=resource.id, start=int(start) + 4 * 3600, end=int(end) + 4 * 3600)
    assert "Одно" in later.text
    assert "Забронировать" in later.text


@pytest.mark.parametrize(
    "query",
    [
        {"start": "1773129600", "end": "1773129600"},
        {"start": "0", "end": "9999999999"},
        {"start": "-1", "end": "5"},
        {"start": "x", "end": "<script>"},
        {},
    ],
)
def test_places_at_no_time_are_not_found(installed: Installed, query: dict[str, str]) -> None:
    resource = room(installed, units=4)
    answer = installed.open(MANAGER).get("/app/board/places", resource=resource.id, **query)
    assert answer.status_code == 404
    assert "<script>" not in answer.text


def test_who_may_see_busy_only_sees_no_names_of_a_pool(installed: Installed) -> None:
    resource = room(installed, units=4)
    booked(installed, resource, 1, title="Тайное")
    grant_only(installed, ("everything", "busy"))
    frame = installed.open(EMPLOYEE)
    text = frame.get("/app/board").text
    assert blocks(text, resource) == [("cnt-u s40 n4", "1 из 4")]
    assert "#at-" not in text
    span = {"start": "1773126000", "end": "1773129600"}
    assert frame.get("/app/board/places", resource=resource.id, **span).status_code == 404


def composite(installed: Installed, *parts: Resource, **values: Any) -> Resource:
    return room(installed, kind="hall", parts=tuple(part.id for part in parts), **values)


def test_a_booking_of_a_composite_stands_on_its_parts(installed: Installed) -> None:
    a1, a2, b = (room(installed, kind="hall", name=name) for name in ("Зал А1", "Зал А2", "Зал Б"))
    whole = composite(installed, a1, a2, name="Зал А")
    everything = composite(installed, whole, b, name="Всё")
    number = booked(installed, whole, 1, title="Конференция")
    text = board(installed)
    assert blocks(text, whole) == [("conf lag s40 n4", "Конференция")]
    for part in (a1, a2):
        assert blocks(text, part) == [("part s40 n4", "в составе: Зал А")]
    assert blocks(text, everything) == [("part s40 n4", "занято: Зал А")]
    assert blocks(text, b) == []
    assert text.count(f"href=#{number}>") == 4


def test_a_booking_of_a_part_stands_on_every_composite_above(installed: Installed) -> None:
    a1, a2, b = (room(installed, kind="hall", name=name) for name in ("Зал А1", "Зал А2", "Зал Б"))
    whole = composite(installed, a1, a2, name="Зал А")
    everything = composite(installed, whole, b, name="Всё")
    booked(installed, a1, 1, title="Керамика")
    booked(installed, everything, 3, title="Выставка")
    text = board(installed)
    assert blocks(text, a1) == [("conf lag s40 n4", "Керамика"), ("part s48 n4", "в составе: Всё")]
    assert blocks(text, whole) == [("part s40 n4", "занято: Зал А1"), ("part s48 n4", "в составе: Всё")]
    assert blocks(text, everything) == [("part s40 n4", "занято: Зал А1"), ("conf lag s48 n4", "Выставка")]
    assert blocks(text, a2) == [("part s48 n4", "в составе: Всё")]


def test_one_booking_of_several_parts_is_one_block_on_the_composite(installed: Installed) -> None:
    a1, a2 = (room(installed, kind="hall", name=name) for name in ("Зал А1", "Зал А2"))
    whole = composite(installed, a1, a2, name="Зал А")
    with installed.tx() as tx:
        service = make_service(tx, installed.portal(), (a1, 1), (a2, 1))
        make_booking(
            tx, installed.portal(), a1, now=installed.stand.now, resource_id=None, service_id=service.id, viewer=ADMIN
        )
    assert blocks(board(installed), whole) == [("part s40 n4", "занято: Зал А1, Зал А2")]


def test_a_composite_names_nothing_that_the_visitor_may_not_see(installed: Installed) -> None:
    a1, a2 = (room(installed, kind="hall", name=name) for name in ("Тайный зал", "Зал А2"))
    whole = composite(installed, a1, a2, name="Тайный комплекс")
    first, second = booked(installed, a1, 1, title="Секрет"), booked(installed, whole, 3, title="Секрет")
    grant_only(installed, (f"resource:{a2.id}", "see"))
    text = board(installed, EMPLOYEE)
    assert blocks(text, a2) == [("part s48 n4", "в составе другого ресурса")]
    grant_only(installed, (f"resource:{whole.id}", "see"))
    text += board(installed, EMPLOYEE)
    assert blocks(board(installed, EMPLOYEE), whole)[0] == ("part s40 n4", "занята часть")
    grant_only(installed, (f"resource:{whole.id}", "busy"), (f"resource:{a1.id}", "busy"))
    masked = board(installed, EMPLOYEE)
    assert {words for _, words in blocks(masked, whole) + blocks(masked, a1)} == {"Занято"}
    assert f"href=#{first}" not in text + masked
    assert "Тайный зал" not in text
    assert "Секрет" not in masked
    assert f"href=#{second}" not in masked


def test_who_may_see_busy_only_sees_no_requests_and_no_reasons(installed: Installed) -> None:
    resource = room(installed, policy_id=rules(installed, winner="manager"))
    booked(installed, resource, 1, title="Тайная заявка")
    with installed.tx() as tx:
        data = ClosureData(date(2026, 3, 10), start=15 * 60, resource_id=resource.id, reason="Больничный")
        save_closure(tx, installed.portal(), data, viewer=ADMIN, now=NOW)
    grant_only(installed, ("everything", "busy"))
    text = board(installed, EMPLOYEE)
    assert blocks(text, resource) == [("clos s60 n36", "Закрыто")]
    assert "Больничный" not in text
    assert "Тайная" not in text


def test_who_may_only_ask_is_offered_free_time(installed: Installed) -> None:
    resource = room(installed)
    for right, offered in (("see", False), ("request", True)):
        grant_only(installed, ("everything", right))
        text = installed.open(EMPLOYEE).page.text
        assert (f"data-r={resource.id}" in text) is offered
        assert ('id="book"' in text) is offered


def test_closed_time_says_why(installed: Installed) -> None:
    resource = room(
        installed, hours=DAYTIME, holidays="RU", special=(SpecialDay(date(2026, 3, 11), ((600, 840),)),)
    )  # fmt: skip
    plain = lane(board(installed), resource)
    assert plain.count('title="Закрыто"') == 2
    special = lane(board(installed, day="2026-03-11"), resource)
    assert "10:00–14:00" in special
    holiday = lane(board(installed, day="2026-05-01"), resource)
    assert '<i class="shut s0 n96"' in holiday
    assert "1\N{NO-BREAK SPACE}мая" in holiday


def test_a_closure_of_the_company_stands_on_every_lane_and_flags_what_stands_in_it(installed: Installed) -> None:
    first, second = room(installed, hours=DAYTIME), room(installed, hours=DAYTIME)
    booked(installed, first, 6, title="Вечер стихов")
    with installed.tx() as tx:
        data = ClosureData(date(2026, 3, 10), start=14 * 60, reason=HOSTILE)
        save_closure(tx, installed.portal(), data, viewer=ADMIN, now=NOW)
    text = board(installed)
    (closure, said), *others = blocks(text, second)
    assert (closure, others) == ("clos s56 n40", [])
    assert said.endswith("&lt;script&gt;alert(1)&lt;/script&gt;")
    assert blocks(text, first) == [("clos s56 n40", said), ("conf lag flag s60 n4", "Вечер стихов")]
    assert HOSTILE not in text


def test_a_composite_is_closed_where_a_part_is(installed: Installed) -> None:
    part = room(installed, kind="hall", hours=DAYTIME)
    whole = composite(installed, part, room(installed, kind="hall"), name="Зал А")
    with installed.tx() as tx:
        data = ClosureData(date(2026, 3, 10), start=12 * 60, end=13 * 60, resource_id=part.id, reason="Уборка")
        save_closure(tx, installed.portal(), data, viewer=ADMIN, now=NOW)
    shown = lane(board(installed), whole)
    assert 'class="shut s0 n36"' in shown
    assert 'class="shut s84 n12"' in shown
    assert "Уборка" in shown


def test_a_service_leaves_the_lanes_that_can_serve_it(installed: Installed) -> None:
    able, unable = room(installed, kind="specialist", name="Анна"), room(installed, kind="specialist", name="Ольга")
    cabin = room(installed, kind="room", name="Кабинет")
    with installed.tx() as tx:
        service = make_service(tx, installed.portal(), ([able], 1), ("room", 1), name="Массаж")
        lonely = make_service(tx, installed.portal(), ("vehicle", 1), name="Трансфер")
    frame = installed.open(MANAGER)
    everything = frame.get("/app/board").text
    assert f'<option value="{service.id}">Массаж</option>' in everything
    assert "Трансфер" not in everything
    text = frame.get("/app/board", day="2026-03-10", service=service.id).text
    assert '<span class="ell">Массаж</span>' in text
    assert [f"id=r{one.id}>" in text for one in (able, unable, cabin)] == [True, False, True]
    assert "Ресурсы, 2" in words(text)
    assert f'<input type="hidden" name="service" value="{service.id}">' in text[text.index('id="at"') :]
    assert f'data-new="/app/bookings/new?service={service.id}"' in text
    for nothing in (lonely.id, "nonsense", 10**19):
        assert f"id=r{unable.id}>" in frame.get("/app/board", service=nothing).text


def test_a_portal_without_services_has_nothing_to_choose(installed: Installed) -> None:
    room(installed)
    assert "service-input" not in board(installed)


def test_a_service_is_offered_to_who_may_see_what_it_needs(installed: Installed) -> None:
    seen, hidden = room(installed), room(installed, kind="specialist")
    with installed.tx() as tx:
        make_service(tx, installed.portal(), (seen, 1), (hidden, 1), name="Тайная услуга")
    grant_only(installed, (f"resource:{seen.id}", "book"))
    assert "Тайная услуга" not in board(installed, EMPLOYEE)


def test_names_of_people_and_things_are_never_markup(installed: Installed) -> None:
    part = room(installed, kind="hall", name=f"Зал {HOSTILE}")
    whole = composite(installed, part, name=f"Весь {HOSTILE}")
    booked(installed, part, 1, title=HOSTILE)
    booked(installed, whole, 3, title=HOSTILE)
    with installed.tx() as tx:
        make_service(tx, installed.portal(), (part, 1), name=HOSTILE)
    assert HOSTILE not in board(installed)


def test_the_share_taken_counts_places_and_leaves_out_closures(installed: Installed) -> None:
    resource = room(installed, hours=tuple(OpeningHours(day, 600, 1200) for day in range(7)), units=2)
    booked(installed, resource, 1, 5)
    with installed.tx() as tx:
        data = ClosureData(date(2026, 3, 10), start=15 * 60, resource_id=resource.id)
        save_closure(tx, installed.portal(), data, viewer=ADMIN, now=NOW)
    assert "занято 50 %" in words(board(installed))


def test_an_hour_of_the_night_before_is_cut(installed: Installed) -> None:
    resource = room(installed)
    with installed.tx() as tx:
        make_booking(
            tx, installed.portal(), resource, now=installed.stand.now, interval=hour(installed.stand.now, 13, 4)
        )
    assert [classes for classes, _ in blocks(board(installed, day="2026-03-11"), resource)] == ["conf lag s0 n8"]

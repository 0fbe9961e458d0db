"""What lists and the search read: the right bookings, in the right order, and nothing of another portal."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from b24app.booking.change import cancel_booking
from b24app.booking.clients import ClientData
from b24app.ledger import agenda
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.models import Booking, Portal, Resource
from tests.factories import ADMIN, hour, make_booking, make_portal, make_resource

LONG = timedelta(days=14)
MARIA = ClientData("person", "Мария Ветрова", "+79990000017")
OTHER = ClientData("person", "ООО «100%_Вектор»", "+74950001122")
DAY = 24


@pytest.fixture
def room(tx: Session, portal: Portal, now: datetime) -> Resource:
    return make_resource(tx, portal, now=now)


@pytest.fixture
def three(tx: Session, portal: Portal, now: datetime, room: Resource) -> list[Booking]:
    """Maria's of tomorrow and of the day after, and somebody else's between them."""
    rows: list[tuple[str, float, dict[str, Any]]] = [
        ("Портрет", DAY, {"client": MARIA, "deal_id": 77}),
        ("Каталог", DAY + 4, {"client": OTHER}),
        ("Прогон", 2 * DAY, {"client": MARIA}),
    ]
    return [
        make_booking(tx, portal, room, now=now, title=title, interval=hour(now, start), **values)
        for title, start, values in rows
    ]


def found(tx: Session, portal: Portal, asked: str, now: datetime, viewer: Viewer = ADMIN) -> list[str]:
    return [row.booking.title for row in agenda.search(tx, portal.id, viewer, asked, now, 20)]


@pytest.mark.parametrize(
    ("asked", "titles"),
    [
        ("ветров", ["Портрет", "Прогон"]),
        ("00-17", ["Портрет", "Прогон"]),
        ("017", []),
        ("000-00-17", ["Портрет", "Прогон"]),
        ("8 (999) 000-00-17", ["Портрет", "Прогон"]),
        ("+7 999 000 00 17", ["Портрет", "Прогон"]),
        ("катал", ["Каталог"]),
        ("100%_", ["Каталог"]),
        ("%", []),
        ("_", []),
        ("77", ["Портрет"]),
        ("", []),
        ("нет такого", []),
        ("9" * 30, []),
    ],
)
def test_a_booking_is_found_by_what_people_remember(
    tx: Session, portal: Portal, now: datetime, three: list[Booking], asked: str, titles: list[str]
) -> None:
    assert found(tx, portal, asked, now) == titles


def test_its_number_comes_first_however_it_is_written(
    tx: Session, portal: Portal, now: datetime, three: list[Booking], room: Resource
) -> None:
    number = three[2].number
    make_booking(tx, portal, room, now=now, title=f"Ряд {number}", interval=hour(now, 1))
    for asked in (f"№ {number}", f"#{number}", str(number)):
        assert found(tx, portal, asked, now)[0] == "Прогон", asked


def test_what_is_ahead_comes_before_the_past_and_what_was_dropped_last(
    tx: Session, portal: Portal, now: datetime, three: list[Booking], room: Resource
) -> None:
    dropped = make_booking(tx, portal, room, now=now, title="Отменена", client=MARIA, interval=hour(now, 3 * DAY))
    cancel_booking(tx, portal, dropped.id, viewer=ADMIN, now=now, revision=1)
    tx.flush()
    later = now + timedelta(hours=DAY + 12)
    assert found(tx, portal, "Ветрова", later) == ["Прогон", "Портрет", "Отменена"]


def test_nobody_finds_what_he_may_not_see(
    tx: Session, portal: Portal, now: datetime, three: list[Booking], room: Resource
) -> None:
    busy = Viewer(9, grants=(GrantRule("everything", "AU", "busy"),))
    for asked in ("Ветрова", "0000017", "Портрет", str(three[0].number), "77"):
        assert found(tx, portal, asked, now, busy) == [], asked
    assert found(tx, portal, "Ветрова", now, Viewer(9, grants=(GrantRule(f"resource:{room.id}", "AU", "see"),)))


def test_another_portal_sees_nothing_of_it(
    tx: Session, portal: Portal, now: datetime, three: list[Booking], room: Resource
) -> None:
    here, window = make_portal(tx), hour(now, 0, 4 * DAY)
    room.portal_user_id = 5
    tx.flush()
    assert agenda.resources_of_person(tx, portal.id, 5) == {room.id}
    assert agenda.resources_of_person(tx, here.id, 5) == set()
    assert len(agenda.entries(tx, portal.id, window, LONG)) == 3
    assert agenda.entries(tx, here.id, window, LONG) == []
    assert agenda.rows_of(tx, here.id, ADMIN, [three[0].id]) == {}
    assert agenda.of_resources(tx, here.id, ADMIN, [room.id], window, LONG) == []
    for asked in ("Ветрова", "0000017", "Портрет", str(three[0].number), "77"):
        assert agenda.search(tx, here.id, ADMIN, asked, now, 20) == [], asked
    drawn = text("UPDATE external_ref SET remote_id = 31 WHERE kind = 'item' AND portal_id = :portal")
    tx.execute(drawn, {"portal": portal.id})
    assert agenda.booking_of_item(tx, here.id, ADMIN, 31) is None
    assert agenda.resource_of_item(tx, here.id, ADMIN, 31) is None
    assert agenda.booking_of_item(tx, portal.id, ADMIN, 31) is not None
    assert agenda.resource_of_item(tx, portal.id, ADMIN, 31) is not None


def test_the_search_never_reads_all_bookings(tx: Session, portal: Portal, now: datetime, three: list[Booking]) -> None:
    """With two million of them a sequential scan would take a second for every letter that is typed."""
    tx.execute(text("SET LOCAL enable_seqscan = off"))
    plan = "\n".join(
        row[0]
        for row in tx.connection().exec_driver_sql(
            "EXPLAIN " + agenda._NEAR_TITLES,
            {"portal": portal.id, "now": now, "near": agenda.NEAR, "like": "%пор%", "most": 20},
        )
    )
    assert "Seq Scan on booking" not in plan
    assert "booking_starts" in plan

"""Reading what specialists' own calendars say besides our bookings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import update

from b24app.errors import PortalUnavailable
from b24app.ledger import business as ledger
from b24app.ledger.business import Ours, Wanted
from b24app.ledger.models import Booking, ExternalRef
from b24app.ledger.session import transaction
from b24app.scheduling.interval import Interval
from b24app.sync import business
from b24app.sync.tokens import portal_client
from emulator import people_calendar
from tests.sync.rig import MANAGER, SECOND_ADMIN, Clock, Company
from tests.sync.test_see_events import deliveries, drag, event, invited, start, tell

OMSK = ZoneInfo("Asia/Omsk")
NOBODYS = Ours(frozenset(), frozenset())


def refresh(company: Company, days: int = 2, older_than: timedelta = business.WHEN_OFFERING) -> bool:
    rig = company.rig
    wanted, window = Wanted(frozenset({company.person.id})), Interval(rig.clock(), rig.clock() + timedelta(days=days))
    return business.refresh(
        rig.engine, lambda: portal_client(rig.reach, rig.portal_id), rig.portal_id, wanted, window,
        now=rig.clock(), older_than=older_than,
    )  # fmt: skip


def hours(company: Company) -> list[tuple[float, float]]:
    """When the specialist cannot be had, in hours from now."""
    now = company.rig.clock()
    with transaction(company.rig.engine) as tx:
        window = Interval(now - timedelta(days=1), now + timedelta(days=3))
        found = ledger.busy(tx, company.rig.portal_id, [MANAGER], window).get(MANAGER, [])
    return [((one.start - now) / timedelta(hours=1), (one.end - now) / timedelta(hours=1)) for one in found]


def add(company: Company, start: float, end: float, **more: Any) -> dict[str, Any]:
    now = company.rig.clock()
    times = (now + timedelta(hours=start), now + timedelta(hours=end))
    return people_calendar.add_event(company.rig.far, MANAGER, "Своё", *times, **more)


def test_busy_private_and_repeated_business_counts_and_free_does_not(company: Company) -> None:
    add(company, 1, 2)
    add(company, 3, 4, private=True)
    add(company, 5, 6, accessibility="free")
    add(company, 7, 8, accessibility="quest")
    add(company, 9, 10, rrule={"FREQ": "DAILY", "COUNT": 2})
    assert refresh(company)
    assert hours(company) == [(1, 2), (3, 4), (9, 10), (33, 34)]


def test_whole_days_and_absences_are_those_of_the_persons_clock(company: Company) -> None:
    """His midnight is 19:00 in UTC, thirteen hours from now; the portal's server is in Moscow."""
    day = company.rig.clock().date() + timedelta(days=1)
    people_calendar.add_event(company.rig.far, MANAGER, "Выходной", day, day)
    people_calendar.add_absence(company.rig.far, MANAGER, day + timedelta(days=1), day + timedelta(days=1))
    refresh(company, days=4)
    assert hours(company) == [(13, 61)]


def test_our_own_events_are_none_of_it_but_an_absence_with_the_same_number_is(company: Company) -> None:
    made: Booking = company.book(company.person)
    company.rig.drain()
    refresh(company)
    assert hours(company) == []
    day = company.rig.clock().date() + timedelta(days=1)
    absence = people_calendar.add_absence(company.rig.far, MANAGER, day, day)
    absence["id"] = event(company.rig, made)["id"]
    refresh(company, older_than=timedelta(seconds=-1))
    assert hours(company) == [(13, 37)]


def test_what_is_being_drawn_just_now_is_not_taken_for_other_business(company: Company) -> None:
    made: Booking = company.book(company.person)
    company.rig.drain()
    with transaction(company.rig.engine) as tx:  # as it is between the call and the record of its answer
        row = event(company.rig, made)
        intent = {"at": "", "from": "2026-03-10T12:00:00+05:00", "to": "2026-03-10T13:00:00+05:00", "marker": ""}
        of_person = (ExternalRef.booking_id == made.id, ExternalRef.target == f"user:{MANAGER}")
        tx.execute(
            update(ExternalRef).where(*of_person).values(remote_id=None, intent=intent, dirty_since=company.rig.clock())
        )
    assert row["start"] == datetime(2026, 3, 10, 7, tzinfo=UTC).timestamp()
    refresh(company)
    assert hours(company) == []


@pytest.mark.parametrize("told", [False, True])
def test_a_copy_in_a_participants_calendar_is_ours(company: Company, told: bool) -> None:
    rig = company.rig
    made = invited(company, SECOND_ADMIN)
    if told:
        parent = next(row["id"] for row in rig.events() if row["id"] == row["parent_id"])
        tell(rig, parent)
    people = {SECOND_ADMIN: OMSK}
    window = Interval(rig.clock(), rig.clock() + timedelta(days=1))
    client = portal_client(rig.reach, rig.portal_id)
    business.read(
        rig.engine, lambda: client, rig.portal_id, people, window, now=rig.clock(), older_than=business.WHEN_OFFERING
    )
    with transaction(rig.engine) as tx:
        assert ledger.busy(tx, rig.portal_id, [SECOND_ADMIN], window)[SECOND_ADMIN] == []
    assert made.id


def test_a_calendar_is_asked_again_when_what_is_kept_is_too_old(company: Company, clock: Clock) -> None:
    def asked() -> int:
        return len(company.rig.calls("calendar.accessibility.get"))

    refresh(company)
    assert asked() == 1
    clock.forward(100)
    refresh(company)
    assert asked() == 1
    refresh(company, older_than=business.BEFORE_BOOKING)
    assert asked() == 2
    refresh(company, days=5)  # days that were not asked for before
    assert asked() == 3
    clock.forward(121)
    refresh(company)
    assert asked() == 4


def test_boards_are_told_only_of_something_new(company: Company, clock: Clock) -> None:
    def changes() -> int:
        with transaction(company.rig.engine) as tx:
            return company.rig.ledger(tx).changes

    before = changes()
    assert not refresh(company)
    assert changes() == before
    add(company, 1, 2)
    clock.forward(121)
    assert refresh(company)
    assert changes() == before + 1


class Forgetful:
    """Tells of nobody."""

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        return []


class Silent:
    """Does not answer."""

    def call(self, method: str, params: Mapping[str, Any]) -> Any:
        raise PortalUnavailable("silent")


@pytest.mark.parametrize("client", [Silent, Forgetful])
def test_what_a_portal_does_not_tell_stays_as_it_was_known(company: Company, client: type[business.Client]) -> None:
    add(company, 1, 2)
    refresh(company)
    rig = company.rig
    window, later = Interval(rig.clock(), rig.clock() + timedelta(days=1)), rig.clock() + timedelta(hours=1)
    with contextlib.suppress(PortalUnavailable):
        business.read(
            rig.engine, client, rig.portal_id, {MANAGER: OMSK}, window, now=later, older_than=business.BEFORE_BOOKING
        )
    assert hours(company) == [(1, 2)]


def test_an_event_dragged_onto_other_business_is_put_back(company: Company) -> None:
    rig = company.rig
    made: Booking = company.book(company.person)
    rig.drain()
    add(company, 5, 6)
    drag(rig, event(rig, made), 5)
    tell(rig, event(rig, made)["id"])
    assert start(rig, made) == rig.clock() + timedelta(hours=1)
    assert deliveries(rig, "not_done") == [("comment", "not_done", None), ("notice", "not_done", MANAGER)]


DAY = 24 * 3600
NOON = int(datetime(2026, 3, 10, 12, tzinfo=UTC).timestamp())
MIDNIGHT = NOON - DAY // 2


@pytest.mark.parametrize(
    ("row", "spans"),
    [
        ({"DATE_FROM_TS_UTC": str(NOON), "DATE_TO_TS_UTC": str(NOON + 60)}, [(NOON, NOON + 60, "busy")]),
        ({"DATE_FROM_TS_UTC": str(NOON), "DATE_TO_TS_UTC": str(NOON), "ACCESSIBILITY": "busy"}, []),
        ({"DATE_FROM_TS_UTC": "soon", "DATE_TO_TS_UTC": None}, []),
        ({}, []),
        # whole days: UTC midnights of the dates, the last one included
        (
            {"DATE_FROM_TS_UTC": str(MIDNIGHT), "DATE_TO_TS_UTC": str(MIDNIGHT + DAY), "DT_SKIP_TIME": "Y"},
            [(MIDNIGHT - 6 * 3600, MIDNIGHT + 2 * DAY - 6 * 3600, "busy")],
        ),
        # an absence: midnights of a server in Moscow, in New York; only written dates; with a clock
        (
            {"FROM_HR": True, "FROM": MIDNIGHT - 3 * 3600, "TO": MIDNIGHT - 3 * 3600, "ACCESSIBILITY": "absent"},
            [(MIDNIGHT - 6 * 3600, MIDNIGHT + DAY - 6 * 3600, "absent")],
        ),
        (
            {"FROM_HR": True, "FROM": MIDNIGHT + 5 * 3600, "TO": MIDNIGHT + 5 * 3600, "DT_FROM": "03/10/2026 00:00:00"},
            [(MIDNIGHT - 6 * 3600, MIDNIGHT + DAY - 6 * 3600, "busy")],
        ),
        (
            {"FROM_HR": True, "DT_FROM": "10.03.2026", "DT_TO": "11.03.2026 00:00:00", "ACCESSIBILITY": "absent"},
            [(MIDNIGHT - 6 * 3600, MIDNIGHT + 2 * DAY - 6 * 3600, "absent")],
        ),
        (
            {"FROM_HR": True, "FROM": NOON, "TO": NOON + 3600, "DT_FROM": "10.03.2026 15:00:00", "DT_TO": "10.03.2026"},
            [(NOON, NOON + 3600, "busy")],
        ),
    ],
)
def test_every_way_in_which_the_portal_writes_business(row: dict[str, Any], spans: list[tuple[int, int, str]]) -> None:
    assert business.spans_of(MANAGER, [row], OMSK, NOBODYS) == spans


def test_days_are_cut_at_midnight_and_a_day_without_business_is_known_as_such() -> None:
    cut = business.by_day([(NOON, NOON + DAY, "busy")], [date(2026, 3, 10), date(2026, 3, 11), date(2026, 3, 12)])
    assert cut == {
        date(2026, 3, 10): [(NOON, NOON + DAY // 2, "busy")],
        date(2026, 3, 11): [(NOON + DAY // 2, NOON + DAY, "busy")],
        date(2026, 3, 12): [],
    }

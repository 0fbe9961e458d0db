"""Robots of ours on stages of the portal: each does what people do, by the same rules, and always answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import select

from b24app.bitrix.payload import RobotCall as Posted
from b24app.ledger import queries, robot_calls
from b24app.ledger.models import Booking, Client, ExternalRef, History, Resource
from b24app.ledger.portal_models import RobotCall
from b24app.ledger.robot_calls import Called
from b24app.ledger.session import transaction
from b24app.sync import robots
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_automation import declaration, lay_automation
from b24app.sync.robot_values import Given, Unclear
from b24app.sync.site import Site
from b24app.sync.tokens import portal_client
from emulator import event, faults, people, people_automation, people_calendar
from tests import factories
from tests.sync.rig import ADMIN, APP_URL, MANAGER, Company, Rig

DEAL = 2
STAGE = "NEW"
ROOM = "Переговорная «Нева»"
MOSCOW = ZoneInfo("Europe/Moscow")


@dataclass
class Automation:
    """The portal's automation with our robots in it, and the company whose rooms they book."""

    company: Company
    posted: int = 0

    @property
    def rig(self) -> Rig:
        return self.company.rig

    def post(self, url: str, pairs: list[tuple[str, str]]) -> int:
        """What the endpoint does with a robot's call; events are left out."""
        if url.endswith("/b24/robot"):
            call = Posted.parse(pairs)
            given = {code: list(values) for code, values in call.properties.items()}
            called = Called(call.code, call.event_token, call.document, given, call.user_id, call.waits)
            with transaction(self.rig.engine) as tx:
                robot_calls.keep(tx, self.rig.portal_id, called, self.rig.clock())
            self.posted += 1
        return 200

    def place(self, code: str, given: Mapping[str, Any], kind: int = DEAL, stage: str = STAGE) -> dict[str, Any]:
        return people_automation.place_robot(self.rig.far, ADMIN, kind, stage, code, dict(given))

    def deal(self, **fields: Any) -> int:
        """A deal of this very client, on the stage of our robots; called, not answered yet."""
        contact = people.add_item(self.rig.far, MANAGER, 3, {"name": "Ирина", "lastName": "Белова"})
        known = {"title": "Съёмка", "contactId": contact["id"], "assignedById": MANAGER, **fields}
        made = people.add_item(self.rig.far, MANAGER, DEAL, known)
        event.deliver_due(self.rig.world, everything=True)
        return int(made["id"])

    def asked(self, code: str, **given: Any) -> dict[str, Any]:
        """What the portal is told when a deal comes to a stage with this robot alone."""
        row = self.place(code, given)
        told = self.told(self.deal(), row)
        people_automation.unplace(self.rig.far, ADMIN, row["id"])
        return told

    def told(self, item_id: int, row: Mapping[str, Any], kind: int = DEAL) -> dict[str, Any]:
        """What the robot's run was answered in the end."""
        self.rig.drain(4)
        (run,) = people_automation.runs(self.rig.far, kind, item_id)[:1]
        assert run["status"] == "done", run
        return dict(run["values"][row["name"]])

    def funnel(self) -> int:
        """The entityTypeId of our bookings."""
        with transaction(self.rig.engine) as tx:
            return LaidCrm.from_json(self.rig.ledger(tx).crm).need("bookings").entity_type_id

    def bookings(self) -> list[Booking]:
        with transaction(self.rig.engine) as tx:
            return list(tx.scalars(select(Booking).order_by(Booking.number)))

    def calls(self) -> list[RobotCall]:
        with transaction(self.rig.engine) as tx:
            return list(tx.scalars(select(RobotCall).order_by(RobotCall.id)))

    def at(self, hours: float) -> str:
        """So many hours from now, as a Russian portal writes it."""
        return f"{(self.rig.clock() + timedelta(hours=hours)).astimezone(MOSCOW):%d.%m.%Y %H:%M:%S}"

    def service(self, *needs: Any, **values: Any) -> Any:
        with transaction(self.rig.engine) as tx:
            return factories.make_service(tx, self.rig.ledger(tx), *needs, **values)

    def resource(self, **values: Any) -> Resource:
        with transaction(self.rig.engine) as tx:
            return factories.make_resource(tx, self.rig.ledger(tx), now=self.rig.clock(), **values)


@pytest.fixture
def automation(company: Company) -> Automation:
    rig = company.rig
    client = portal_client(rig.reach, rig.portal_id)
    lay_automation(Site(rig.engine, client, rig.portal_id, APP_URL, "ru", True, rig.clock()))
    with transaction(rig.engine) as tx:
        rig.ledger(tx).time_zone = MOSCOW.key
    made = Automation(company)
    rig.world.post = made.post
    return made


# What they do ----


def test_a_robot_books_for_the_client_of_its_deal(automation: Automation) -> None:
    row = automation.place(
        "booking.create",
        {"resource": [ROOM], "start": automation.at(2), "minutes": "90", "comment": "Штатив", "title": "Портрет"},
    )
    deal = automation.deal()
    told = automation.told(deal, row)
    (booking,) = automation.bookings()
    (item,) = automation.rig.items("bookings")
    assert (told["status"], told["booking_number"], told["booking_id"]) == ("ok", str(booking.number), str(booking.id))
    assert told["booking_link"].endswith(f"/details/{item['id']}/")
    assert (told["stage"], told["resource"]) == ("confirmed", ROOM)
    assert told["start"] == "2026-03-10T11:00:00+03:00"
    assert (booking.deal_id, booking.source, booking.created_by) == (deal, "robot", "robot")
    assert (booking.responsible_id, booking.title, booking.notes) == (MANAGER, "Портрет", "Штатив")
    with transaction(automation.rig.engine) as tx:
        client = tx.get_one(Client, booking.client_id)
        assert (client.kind, client.name) == ("contact", "Ирина Белова")
        (change,) = tx.scalars(select(History))
    assert (change.action, change.actor) == ("booked", "robot")
    (call,) = automation.calls()
    assert (call.sent_at is not None, call.properties, call.token) == (True, {}, "")


def test_later_robots_of_the_stage_go_by_the_answer(automation: Automation) -> None:
    """Free for both, and then one was faster: the other's deal goes to another stage."""
    look = automation.place("booking.check", {"resource": [ROOM], "start": automation.at(2), "minutes": "60"})
    status = f"{{={look['name']}:status}}"
    make = people_automation.place_robot(
        automation.rig.far, ADMIN, DEAL, STAGE, "booking.create",
        {"resource": [ROOM], "start": f"{{={look['name']}:start}}", "minutes": "60"}, when=(status, "ok"),
    )  # fmt: skip
    taken = (f"{{={make['name']}:status}}", "taken")
    people_automation.place_move(automation.rig.far, ADMIN, DEAL, STAGE, "LOSE", when=taken)
    first, second = automation.deal(), automation.deal()
    for _ in range(3):
        automation.rig.drain(4)
        event.deliver_due(automation.rig.world, everything=True)
    assert [booking.deal_id for booking in automation.bookings()] == [first]
    (run,) = people_automation.runs(automation.rig.far, DEAL, first)[:1]
    assert run["values"][make["name"]]["status"] == "ok"
    assert automation.rig.far.items[DEAL][second]["stageId"].endswith("LOSE")


def test_the_nearest_free_time_is_found(automation: Automation) -> None:
    automation.company.book(automation.company.room, 1, interval=factories.hour(automation.rig.clock(), 0, 5))
    told = automation.asked("booking.nearest", resource=ROOM, minutes="120")
    assert (told["status"], told["resource"]) == ("ok", ROOM)
    assert (told["start"], told["end"]) == ("2026-03-10T14:00:00+03:00", "2026-03-10T16:00:00+03:00")
    told = automation.asked("booking.nearest", resource=ROOM, minutes="120", latest=automation.at(6))
    assert (told["status"], "start" in told) == ("taken", False)


def test_the_booking_of_a_deal_is_moved_confirmed_and_cancelled(automation: Automation) -> None:
    deal = automation.deal()
    made = automation.company.book(automation.company.room, 2, deal_id=deal, intent="hold")
    steps: tuple[tuple[str, dict[str, str], str], ...] = (
        ("booking.confirm", {}, "confirmed"),
        ("booking.move", {"start": automation.at(30)}, "confirmed"),
        ("booking.cancel", {"reason": "Клиент передумал"}, "cancelled"),
    )
    for code, given, stage in steps:
        row = automation.place(code, given, stage="PREPARATION")
        people.move_card(automation.rig.far, MANAGER, DEAL, deal, "PREPARATION")
        event.deliver_due(automation.rig.world, everything=True)
        told = automation.told(deal, row)
        assert (told["status"], told["stage"], told["booking_number"]) == ("ok", stage, str(made.number)), told
        people_automation.unplace(automation.rig.far, ADMIN, row["id"])
        people.move_card(automation.rig.far, MANAGER, DEAL, deal, STAGE)
    (booking,) = automation.bookings()
    assert (booking.stage, booking.reason) == ("cancelled", "Клиент передумал")
    with transaction(automation.rig.engine) as tx:
        actors = list(tx.scalars(select(History.actor).where(History.number > 1)))
    assert actors == ["robot"] * 3


def test_in_our_own_funnel_the_card_is_the_booking(automation: Automation) -> None:
    row = automation.place("booking.confirm", {}, automation.funnel(), "NEW")
    automation.company.book(automation.company.room, 2, intent="hold")
    automation.rig.drain()  # the item is made, and so enters the stage of the robot
    event.deliver_due(automation.rig.world, everything=True)
    (item,) = automation.rig.items("bookings")
    automation.rig.drain(4)
    assert automation.bookings()[0].stage == "confirmed"
    (call,) = automation.calls()
    assert (call.result or {})["status"] == "ok"
    runs = people_automation.runs(automation.rig.far, automation.funnel(), item["id"])
    assert [run["values"][row["name"]]["status"] for run in runs] == ["ok"], "answered before the card moves on"


def test_a_card_that_we_have_not_heard_of_is_looked_at_first(automation: Automation) -> None:
    """The robot's call may overtake the event about the card that somebody has just made."""
    row = automation.place("booking.cancel", {}, automation.funnel(), "NEW")
    with transaction(automation.rig.engine) as tx:
        laid = LaidCrm.from_json(automation.rig.ledger(tx).crm).need("bookings")
    made = people.add_item(automation.rig.far, MANAGER, laid.entity_type_id, {"title": "Пустая"})
    event.deliver_due(automation.rig.world, everything=True)
    told = automation.told(made["id"], row, laid.entity_type_id)
    assert (told["status"], automation.bookings()) == ("not_found", [])


def test_a_service_is_booked_with_the_one_that_was_named(automation: Automation) -> None:
    other = automation.resource(kind="specialist", name="Олег Громов")
    automation.service(([automation.company.person, other], 1), name="Стрижка", min_minutes=60, max_minutes=60)
    told = automation.asked("booking.create", service="стрижка ", resource="Олег Громов", start=automation.at(3))
    assert (told["status"], told["resource"]) == ("ok", "Олег Громов")
    told = automation.asked("booking.create", service="Стрижка", start=automation.at(3), hold_minutes="30")
    assert (told["status"], told["resource"], told["stage"]) == ("ok", "Анна Седова", "prebooked")
    held = automation.bookings()[1]
    assert held.held_until == automation.rig.clock() + timedelta(minutes=30)


def test_a_resource_may_be_named_by_a_field_bound_to_its_card(automation: Automation) -> None:
    with transaction(automation.rig.engine) as tx:
        number = LaidCrm.from_json(automation.rig.ledger(tx).crm).need("resources").entity_type_id
        item = tx.scalars(
            select(ExternalRef.remote_id).where(ExternalRef.resource_id == automation.company.room.id)
        ).one()
    told = automation.asked("booking.check", resource=f"T{number:x}_{item}", start=automation.at(3))
    assert (told["status"], told["resource"]) == ("ok", ROOM)


# What they refuse ----


def test_what_is_taken_is_said_with_what_is_free_nearby(automation: Automation) -> None:
    automation.company.book(automation.company.room, 2)
    told = automation.asked("booking.create", resource=ROOM, start=automation.at(2), minutes="60")
    assert told["status"] == "taken"
    assert told["conflicts"] == f"{ROOM} – taken 11:00–12:00"
    assert "Free nearby" in told["message"]
    assert len(automation.bookings()) == 1


def test_a_specialist_who_is_busy_in_his_calendar_is_taken(automation: Automation) -> None:
    start = automation.rig.clock() + timedelta(hours=2)
    people_calendar.add_event(automation.rig.far, MANAGER, "Врач", start, start + timedelta(hours=1))
    for code in ("booking.check", "booking.create"):
        told = automation.asked(code, resource="Анна Седова", start=automation.at(2), minutes="60")
        assert told["status"] == "taken", told
        assert "calendar" in told["conflicts"]
    assert automation.bookings() == []


def test_a_robot_keeps_to_rules_that_bind_people(automation: Automation) -> None:
    automation.service(
        (automation.company.room, 1), name="Съёмка", rules={"notice_minutes": 24 * 60, "cancel_until_minutes": 24 * 60}
    )
    told = automation.asked("booking.create", service="Съёмка", start=automation.at(2))
    assert told["status"] == "refused"
    assert "before the start" in told["message"]
    told = automation.asked("booking.check", service="Съёмка", start=automation.at(2))
    assert told["status"] == "refused"
    assert automation.bookings() == []


@pytest.mark.parametrize(
    ("code", "given", "status", "said"),
    [
        ("booking.create", {"resource": ROOM, "start": "завтра в два"}, "error", "Start: “завтра в два” is no date"),
        ("booking.create", {"resource": ROOM, "start": "{=Document:UF_NONE}"}, "error", "Start: Fill this in"),
        ("booking.create", {"resource": ROOM}, "error", "Start: Fill this in"),
        ("booking.create", {"start": "10.03.2026 12:00"}, "error", "Name a service or a resource"),
        ("booking.create", {"resource": "Ока", "start": "10.03.2026 12:00"}, "not_found", "no resource “Ока”"),
        ("booking.create", {"service": "Ока", "start": "10.03.2026 12:00"}, "not_found", "no service “Ока”"),
        ("booking.check", {"resource": ROOM, "start": "10.03.2026 12:00", "minutes": "час"}, "error", "no whole"),
        ("booking.check", {"resource": ROOM, "start": "10.03.2026 12:00", "end": "09.03.2026"}, "error", "later"),
        ("booking.create", {"resource": ROOM, "start": "10.03.2026 08:00"}, "refused", "passed"),
        ("booking.check", {"resource": ROOM, "start": "10.03.2046 08:00"}, "refused", "Bookings are open"),
        ("booking.nearest", {"resource": ROOM, "latest": "09.03.2026"}, "error", "later"),
        ("booking.move", {"booking": "17", "start": "10.03.2026 12:00"}, "not_found", "no such booking"),
        ("booking.cancel", {"booking": "семнадцатую"}, "error", "no number of a booking"),
        ("booking.confirm", {}, "not_found", "No booking stands"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_answered_in_words(
    automation: Automation, code: str, given: dict[str, str], status: str, said: str
) -> None:
    told = automation.asked(code, **given)
    assert told["status"] == status, told
    assert said in told["message"].replace("\N{NO-BREAK SPACE}", " ")
    assert automation.bookings() == []


def test_names_that_fit_two_are_not_guessed_at(automation: Automation) -> None:
    first, second = (automation.resource(name="Ёлка", city=city) for city in ("Москва", "Казань"))
    told = automation.asked("booking.create", resource="елка", start=automation.at(2))
    assert told["status"] == "error"
    assert f"№ {first.id} (Москва), № {second.id} (Казань)" in told["message"]
    told = automation.asked("booking.create", resource=f"№ {second.id}", start=automation.at(2))
    assert (told["status"], told["resource"]) == ("ok", "Ёлка")


def test_a_deal_with_two_bookings_asks_which(automation: Automation) -> None:
    row = automation.place("booking.cancel", {})
    deal = automation.deal()
    made = [automation.company.book(automation.company.room, hours, deal_id=deal) for hours in (2, 4)]
    told = automation.told(deal, row)
    assert told["status"] == "error"
    assert all(f"№ {one.number}" in told["message"] for one in made)


def test_answers_are_in_the_portals_language(automation: Automation) -> None:
    with transaction(automation.rig.engine) as tx:
        automation.rig.ledger(tx).language = "ru"
    told = automation.asked("booking.create", resource=ROOM, start="завтра")
    assert told["message"].startswith("Начало: ")


# Once, and always answered ----


def test_a_call_that_arrives_twice_books_once(automation: Automation) -> None:
    automation.rig.world.knobs.event_copies = 2
    told = automation.asked("booking.create", resource=ROOM, start=automation.at(2))
    assert (automation.posted, told["status"], len(automation.bookings()), len(automation.calls())) == (2, "ok", 1, 1)


def test_killed_between_deed_and_answer_it_answers_afterwards(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = automation.place("booking.create", {"resource": [ROOM], "start": automation.at(2)})
    deal = automation.deal()

    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(robots, "_answer", killed)
        with pytest.raises(Killed):
            automation.rig.drain()
    (booking,) = automation.bookings()
    told = automation.told(deal, row)
    assert (told["status"], told["booking_number"]) == ("ok", str(booking.number))
    assert len(automation.bookings()) == 1


@pytest.mark.parametrize("kind", ["reset_before", "reset_after"])
def test_an_answer_that_was_lost_is_given_once_more(automation: Automation, kind: str, clock: Any) -> None:
    row = automation.place("booking.check", {"resource": [ROOM], "start": automation.at(2)})
    faults.add(automation.rig.world, {"method": "bizproc.event.send", "kind": kind, "times": 1})
    deal = automation.deal()
    automation.rig.drain()
    clock.forward(60)
    told = automation.told(deal, row)
    assert told["status"] == "ok"
    (call,) = automation.calls()
    assert (call.sent_at is None) == (kind == "reset_after"), "the second answer finds nobody who waits"
    assert call.failed == ("ACCESS_DENIED" if kind == "reset_after" else None)


def test_nobody_hears_an_answer_after_the_deal_has_gone_on(automation: Automation) -> None:
    automation.place("booking.create", {"resource": [ROOM], "start": automation.at(2)})
    deal = automation.deal()
    people.move_card(automation.rig.far, MANAGER, DEAL, deal, "PREPARATION")
    automation.rig.drain(4)
    (call,) = automation.calls()
    assert (call.failed, len(automation.bookings())) == ("ACCESS_DENIED", 1)
    before = len(automation.rig.calls("bizproc.event.send"))
    automation.rig.drain(3)
    assert len(automation.rig.calls("bizproc.event.send")) == before


def test_a_portal_that_does_not_answer_is_asked_again(automation: Automation, clock: Any) -> None:
    """The deal cannot be read: nothing is decided, nothing is lost."""
    row = automation.place("booking.create", {"resource": [ROOM], "start": automation.at(2)})
    faults.add(automation.rig.world, {"method": "crm.item.get", "kind": "502", "times": 1})
    deal = automation.deal()
    automation.rig.drain()
    assert automation.bookings() == []
    clock.forward(60)
    assert automation.told(deal, row)["status"] == "ok"


def test_a_mistake_of_ours_is_answered_and_stops_nothing_else(
    automation: Automation, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setitem(robots.DEEDS, "booking.check", broken)
    automation.company.book(automation.company.room, 5)
    told = automation.asked("booking.check", resource=ROOM, start=automation.at(2))
    assert told["status"] == "error"
    assert len(automation.rig.items("bookings")) == 1


def test_a_robot_of_another_version_is_answered(automation: Automation) -> None:
    with transaction(automation.rig.engine) as tx:
        called = Called("booking.guess", "token", "DEAL_1", {}, None, waits=True)
        robot_calls.keep(tx, automation.rig.portal_id, called, automation.rig.clock())
    automation.rig.drain(2)
    (call,) = automation.calls()
    assert ((call.result or {})["status"], call.failed) == ("error", "ACCESS_DENIED")


def test_who_looks_on_meanwhile_loses_nothing(automation: Automation, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody moves the booking on the board between the robot's look and its lock: the robot looks again."""
    deal = automation.deal()
    made = automation.company.book(automation.company.room, 2, deal_id=deal)
    real, asked = queries.kept_booking, []

    def changed_meanwhile(tx: Any, portal_id: int, booking_id: Any) -> Any:
        kept = real(tx, portal_id, booking_id)
        asked.append(1)
        return kept._replace(revision=kept.revision - 1) if len(asked) == 1 else kept

    monkeypatch.setattr(queries, "kept_booking", changed_meanwhile)
    row = automation.place("booking.move", {"start": automation.at(30)}, stage="PREPARATION")
    people.move_card(automation.rig.far, MANAGER, DEAL, deal, "PREPARATION")
    event.deliver_due(automation.rig.world, everything=True)
    assert automation.told(deal, row)["status"] == "ok"
    assert automation.bookings()[0].id == made.id


# Values ----


@pytest.mark.parametrize(
    "text",
    [
        "25.11.2026 14:00", "25.11.2026 14:00:30", "2026-11-25 14:00", "2026-11-25T14:00:00+03:00", "2026-11-25T11:00Z",
        "11/25/2026 02:00:00 pm", "25.11.2026 15:00:00 [14400]", " 25.11.2026, 14:00 ",
    ],
)  # fmt: skip
def test_a_time_is_read_in_every_form_that_portals_write(text: str) -> None:
    found = Given({"start": [text]}, MOSCOW).instant("start")
    assert found is not None
    assert found.isoformat() == "2026-11-25T11:00:00+00:00"


@pytest.mark.parametrize(
    "text", ["25/11/2026 10:00", "31.02.2026", "25.11.2026 25:00", "10:00", "25.11.26", "9999999999", "25.11.2026 x"]
)
def test_a_time_is_never_guessed_at(text: str) -> None:
    with pytest.raises(Unclear):
        Given({"start": [text]}, MOSCOW).instant("start")


def test_every_robot_has_its_words_and_its_deed() -> None:
    declared = declaration()
    assert {one["code"] for one in declared["robots"]} == set(robots.DEEDS)
    for one in (*declared["robots"], *declared["triggers"], *declared["properties"].values()):
        assert set(one["title"]) == {"ru", "en"}

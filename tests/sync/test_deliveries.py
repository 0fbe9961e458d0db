"""Facts reach people, cards and automation once, whenever a worker dies or an answer is lost."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from b24app.booking import announce
from b24app.booking.change import Move, cancel_booking, move_booking
from b24app.errors import NotAllowed
from b24app.ledger import deliveries
from b24app.ledger.models import Booking, ExternalRef, PortalActivity, PortalUser
from b24app.ledger.portal_models import Delivery
from b24app.ledger.session import transaction
from b24app.sync.deliveries import send
from b24app.sync.laid import LaidCrm
from b24app.sync.reconcile import Halted, Visited
from b24app.sync.tokens import portal_client
from emulator import crm, faults, people_automation
from tests.factories import ADMIN, hour
from tests.sync.rig import MANAGER, SECOND_ADMIN, Company, Rig

FACTS = {
    "comment": "crm.timeline.comment.add",
    "notice": "im.notify.system.add",
    "trigger": "crm.automation.trigger.execute",
}


@pytest.fixture(autouse=True)
def _registered(company: Company) -> None:
    far, card = company.rig.far, company.rig.card
    far.triggers[:] = [{"client_id": card.client_id, "CODE": code, "NAME": code} for code in announce.TRIGGERS]


def deliver(rig: Rig, *, minutes: float = 0, times: int = 1) -> None:
    """What is behind is drawn and what is due is said, as the worker does it."""
    rig.clock.forward(minutes * 60)  # type: ignore[attr-defined]
    for _ in range(times):
        rig.drain()
        try:
            send(visited(rig), portal_client(rig.reach, rig.portal_id))
        except Halted:
            continue


def visited(rig: Rig) -> Visited:
    with transaction(rig.engine) as tx:
        return Visited.of(rig.reach, rig.ledger(tx))


def fault(rig: Rig, method: str, kind: str, **more: Any) -> None:
    faults.add(rig.world, {"method": method, "kind": kind, "times": 1, **more})


def comments(rig: Rig) -> list[str]:
    return [row["COMMENT"] for row in rig.far.comments.values()]


def notices(rig: Rig) -> list[tuple[int, str]]:
    return [(row["user_id"], row["message"]) for row in rig.far.notices]


def fired(rig: Rig) -> Counter[str]:
    """How often each trigger was executed over there."""
    return Counter(call for call in rig.calls("crm.automation.trigger.execute"))


def outcomes(rig: Rig, kind: str = "") -> list[str | None]:
    with transaction(rig.engine) as tx:
        due = (Delivery.useful_until.is_(None), Delivery.kind == kind if kind else Delivery.id > 0)
        return list(tx.scalars(select(Delivery.outcome).where(*due).order_by(Delivery.id)))


def change(rig: Rig, booking: Booking, what: Any, *args: Any) -> None:
    with transaction(rig.engine) as tx:
        revision = tx.get_one(Booking, booking.id).revision
        what(tx, rig.ledger(tx), booking.id, *args, revision=revision, viewer=ADMIN, now=rig.clock())


def test_card_people_and_automation_hear_of_a_booking(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room, responsible_id=SECOND_ADMIN)
    deliver(rig)
    (text,) = comments(rig)
    assert text.splitlines() == ["Booking made", "Who: Employee No. 3", f"booking:{booking.number}/1"]
    ((person, message),) = notices(rig)
    assert person == SECOND_ADMIN
    assert f"Booking No. {booking.number}: Переговорная «Нева»" in message
    assert outcomes(rig) == ["sent"] * 4
    deliver(rig)
    assert (len(comments(rig)), len(notices(rig))) == (1, 1)


def test_a_comment_says_from_what_to_what_and_who(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        tx.add(PortalUser(portal_id=rig.portal_id, user_id=1, name="[B]Иван", seen_at=rig.clock()))
    booking = company.book(company.room)
    change(rig, booking, move_booking, Move(hour(rig.clock(), 3), company.person.id))
    deliver(rig)
    assert comments(rig)[-1].splitlines() == [
        "Booking moved",
        "Tue, 10\xa0March, 12:00–13:00 → Tue, 10\xa0March, 14:00–15:00",
        "Переговорная «Нева» → Анна Седова",
        "Who: (B)Иван",
        f"booking:{booking.number}/2",
    ]


def test_a_trigger_moves_what_an_administrator_has_placed_it_on(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        crm_laid = LaidCrm.from_json(rig.ledger(tx).crm)
    type_id = crm_laid.need("bookings").entity_type_id
    people_automation.place_trigger(rig.far, 1, type_id, crm_laid.stages["expired"], "booking.created")
    company.book(company.room)
    deliver(rig)
    (item,) = rig.items("bookings")
    assert item["stageId"] == crm_laid.stages["expired"]


@pytest.mark.parametrize("kind", ["reset_after", "502_after", "timeout_after", "command_lost"])
@pytest.mark.parametrize("what", ["comment", "notice", "trigger"])
def test_a_lost_answer_doubles_nothing(company: Company, what: str, kind: str) -> None:
    rig = company.rig
    booking = company.book(company.room, responsible_id=SECOND_ADMIN)
    fault(rig, FACTS[what], kind)
    deliver(rig)
    change(rig, booking, move_booking, Move(hour(rig.clock(), 3)))
    deliver(rig, minutes=3, times=3)
    assert sorted(text.splitlines()[-1] for text in comments(rig)) == [
        f"booking:{booking.number}/1", f"booking:{booking.number}/2",
    ]  # fmt: skip
    assert Counter(person for person, _ in notices(rig)) == {SECOND_ADMIN: 2, MANAGER: 1}
    assert fired(rig)["crm.automation.trigger.execute"] == 3
    assert set(outcomes(rig)) <= {"sent", "unknown"}


@pytest.mark.parametrize("kind", ["reset_before", "500", "rate_limit", "command_refused"])
def test_what_was_certainly_not_done_is_done_later(company: Company, kind: str) -> None:
    rig = company.rig
    booking = company.book(company.room, responsible_id=SECOND_ADMIN)
    fault(rig, FACTS["comment"], kind)
    deliver(rig)
    deliver(rig, minutes=20, times=3)
    assert len(comments(rig)) == len(notices(rig)) == 1
    assert booking.number


def test_a_worker_killed_before_it_records_doubles_nothing(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    """The portal has acted, and nobody has written that down; meanwhile the booking is moved."""
    rig = company.rig
    booking = company.book(company.room, responsible_id=SECOND_ADMIN)
    rig.drain()
    with transaction(rig.engine) as tx:  # also where the drain sends them: as they stood before they were recorded
        tx.execute(
            update(Delivery)
            .where(Delivery.outcome == "sent")
            .values(outcome=None, done_at=None, tried_at=rig.clock() - timedelta(seconds=1))
        )

    with monkeypatch.context() as killed:
        killed.setattr(deliveries, "record", _dies)
        with pytest.raises(KeyboardInterrupt):
            send(visited(rig), portal_client(rig.reach, rig.portal_id))
    change(rig, booking, move_booking, Move(hour(rig.clock(), 3)))
    deliver(rig, minutes=3, times=3)
    assert len(comments(rig)) == 2
    assert Counter(person for person, _ in notices(rig)) == {SECOND_ADMIN: 2, MANAGER: 1}
    assert outcomes(rig, "trigger")[:2] == ["unknown", "unknown"]


def _dies(*args: Any, **named: Any) -> None:
    raise KeyboardInterrupt


def test_a_comment_that_may_still_appear_is_waited_for(company: Company) -> None:
    """The portal is still at work on a request that we have given up."""
    rig = company.rig
    company.book(company.room)
    fault(rig, FACTS["comment"], "withhold")
    deliver(rig)
    deliver(rig, minutes=0.5)
    assert rig.calls(FACTS["comment"]) == [FACTS["comment"]]
    faults.calm(rig.world)
    deliver(rig, minutes=3, times=2)
    assert len(comments(rig)) == 1


def test_it_is_said_in_a_card_when_there_is_one_and_never_without(company: Company) -> None:
    rig = company.rig
    first = company.book(company.room)
    fault(rig, "crm.item.add", "reset_before")
    deliver(rig)
    assert comments(rig) == []
    with transaction(rig.engine) as tx:
        tx.execute(update(ExternalRef).where(ExternalRef.booking_id == first.id).values(parked_reason="x"))
    deliver(rig, minutes=20, times=2)
    assert (comments(rig), set(outcomes(rig))) == ([], {"void"})


def test_what_the_portal_refuses_is_kept_with_its_reason_and_holds_nobody_up(company: Company) -> None:
    rig = company.rig
    rig.far.triggers.clear()
    company.book(company.room)
    deliver(rig)
    deliver(rig, minutes=60)
    assert outcomes(rig, "trigger") == ["refused", "refused"]
    assert len(comments(rig)) == 1
    with transaction(rig.engine) as tx:
        reasons = tx.scalars(select(Delivery.reason).where(Delivery.outcome == "refused")).all()
    assert any("booking.created is not registered" in str(one) for one in reasons)


# Reminders and the late policy


def test_people_are_reminded_in_time_and_the_start_fires(company: Company) -> None:
    rig = company.rig
    company.book(company.room, hours=3, responsible_id=SECOND_ADMIN, participants=frozenset({MANAGER}))
    deliver(rig)
    told = len(notices(rig))
    deliver(rig, minutes=119)
    assert len(notices(rig)) == told
    deliver(rig, minutes=1.1)
    reminded = [(person, text.splitlines()[0][:15]) for person, text in notices(rig)[told:]]
    assert sorted(reminded) == [(SECOND_ADMIN, "Begins in 1 h: "), (MANAGER, "Begins in 1 h: ")]
    fires = fired(rig)["crm.automation.trigger.execute"]
    deliver(rig, minutes=60)
    assert fired(rig)["crm.automation.trigger.execute"] == fires + 1


def test_a_late_reminder_is_sent_while_it_is_of_use_and_else_missed(company: Company) -> None:
    rig = company.rig
    company.book(company.room, hours=3)
    company.book(company.person, hours=5)
    deliver(rig)
    told = len(notices(rig))
    deliver(rig, minutes=4.5 * 60)  # the worker was down
    assert [text.splitlines()[0][:15] for _, text in notices(rig)[told:]] == ["Begins in 30 mi"]
    with transaction(rig.engine) as tx:
        late = tx.execute(
            select(Delivery.code, Delivery.outcome).where(
                Delivery.useful_until.is_not(None), Delivery.outcome != "sent"
            )
        ).all()
    assert Counter(map(tuple, late)) == {
        ("reminder", "missed"): 1, ("booking.reminder", "missed"): 1, ("booking.started", "missed"): 1,
    }  # fmt: skip


def test_nobody_is_reminded_of_what_was_cancelled(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room, hours=3)
    deliver(rig)
    change(rig, booking, cancel_booking)
    deliver(rig, minutes=130, times=2)
    assert not [text for _, text in notices(rig) if text.startswith("Begins")]


# People before bulk, and what others ask to be said


def test_peoples_facts_go_before_those_of_a_series(company: Company) -> None:
    rig = company.rig
    for n in range(12):
        company.book(company.room, hours=2 + n, source="series")
    deliver(rig, times=8)
    with transaction(rig.engine) as tx:  # as if none of it had been sent yet
        tx.execute(update(Delivery).where(Delivery.bulk).values(outcome=None, done_at=None, tried_at=None))
        tx.merge(PortalActivity(portal_id=rig.portal_id, frame_seen_at=rig.clock()))
    mine = company.book(company.person, responsible_id=SECOND_ADMIN)
    rig.drain()
    assert comments(rig)[0].endswith(f"booking:{mine.number}/1")
    with transaction(rig.engine) as tx:
        assert deliveries.due(tx, rig.portal_id, rig.clock(), bulk=True)
    deliver(rig, times=8)
    assert set(outcomes(rig)) == {"sent"}


def test_a_refused_change_is_explained_in_the_card_and_to_the_person(company: Company) -> None:
    rig = company.rig
    booking = company.book(company.room)
    deliver(rig)
    with transaction(rig.engine) as tx:
        deliveries.refusal(
            tx, rig.ledger(tx), key="refusal:1:ab", code="put_back", person=SECOND_ADMIN, now=rig.clock(),
            params={"reasons": announce.reasons(NotAllowed("cancel"))}, booking_id=booking.id,
        )  # fmt: skip
    deliver(rig)
    said = ["Put back as it was", "– This booking cannot be cancelled any more"]
    assert comments(rig)[-1].splitlines()[:2] == said
    person, message = notices(rig)[-1]
    assert (person, message.splitlines()[1:]) == (SECOND_ADMIN, said)


def test_a_drafts_card_is_commented_on_and_moved(company: Company) -> None:
    rig = company.rig
    with transaction(rig.engine) as tx:
        laid = LaidCrm.from_json(rig.ledger(tx).crm)
    type_id = laid.need("bookings").entity_type_id
    item = crm.add_item(rig.far, type_id, {"title": "Черновик"}, crm.Author(1, rig.world.now()))
    with transaction(rig.engine) as tx:
        portal = rig.ledger(tx)
        deliveries.comment(
            tx, portal, key="draft:1", code="draft_lacks", params={"fields": ["start", "resource"]},
            item_id=item["id"], now=rig.clock(),
        )  # fmt: skip
        deliveries.stage(tx, portal, item_id=item["id"], stage_key="cancelled", key="stage:1", now=rig.clock())
    deliver(rig)
    assert comments(rig)[-1].splitlines()[0] == "This is not a booking yet. Fill in: start, resource"
    assert rig.far.items[type_id][item["id"]]["stageId"] == laid.stages["cancelled"]

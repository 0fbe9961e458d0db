"""What an item that stands in the portal means, without a database."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from b24app import texts
from b24app.ledger.drafts import Known
from b24app.ledger.models import ExternalRef
from b24app.ledger.portal_models import Draft
from b24app.sync.item_look import Meaning, Seen, changer, decide, marked_booking, title_of
from b24app.sync.owned import print_of
from b24app.sync.reconcile import GONE, UNSEEN

OURS = uuid.UUID(int=7)
ITEM = 29
STANDS = {"stage": "confirmed", "start": 100, "end": 200}


def ref(remote_id: int | None = ITEM, **drawn: Any) -> ExternalRef:
    return ExternalRef(id=1, booking_id=OURS, kind="item", remote_id=remote_id, drawn={**STANDS, **drawn})


def seen(mark: str = "", *, rival: bool = False, **more: Any) -> Seen:
    return Seen({"id": ITEM, "xmlId": mark}, {**STANDS, **more}, rival)


def draft(state: str = "refused", **owned: Any) -> Known:
    return Known(drafts={ITEM: Draft(remote_id=ITEM, state=state, print=print_of({**STANDS, **owned}))})


OF_OURS = Known(attached={ITEM: ref()}, marked={OURS: ref()})
ELSEWHERE = Known(marked={OURS: ref(31)})


@pytest.mark.parametrize(
    ("found", "known", "meaning"),
    [
        (seen(str(OURS)), OF_OURS, Meaning.NOTHING),
        (seen(str(OURS), stage="paid"), OF_OURS, Meaning.WISH),
        (seen("written over", stage="paid"), OF_OURS, Meaning.WISH),
        (seen(str(OURS)), Known(marked={OURS: ref(None)}), Meaning.OURS),  # our add was told of before its answer came
        (seen(str(OURS)), Known(marked={OURS: None}), Meaning.OURS),  # deleted once, and back from the bin
        (seen(str(OURS)), ELSEWHERE, Meaning.OURS),  # what we knew has gone
        (seen(str(OURS), rival=True), ELSEWHERE, Meaning.COPY),
        (seen(), Known(), Meaning.BY_HAND),
        (seen(str(uuid.UUID(int=8))), Known(), Meaning.BY_HAND),  # a ledger restored from a backup
        (seen(), draft(), Meaning.NOTHING),
        (seen(start=150), draft(), Meaning.BY_HAND),
        (GONE, OF_OURS, Meaning.DELETED),
        (UNSEEN, OF_OURS, Meaning.NOTHING),
        (GONE, draft(), Meaning.NO_DRAFT),
        (GONE, Known(), Meaning.NOTHING),
    ],
)
def test_what_it_means(found: Any, known: Known, meaning: Meaning) -> None:
    assert decide(ITEM, found, known) is meaning


def test_a_copy_is_told_of_once() -> None:
    known = Known(marked={OURS: ref(31)}, drafts=draft("copy").drafts)

    assert decide(ITEM, seen(str(OURS), rival=True), known) is Meaning.NOTHING
    assert decide(ITEM, seen(str(OURS)), known) is Meaning.OURS  # the other one has gone


@pytest.mark.parametrize(
    ("item", "changes", "told", "who"),
    [
        ({"movedBy": 5, "updatedBy": 6}, {"stage"}, 7, 5),
        ({"movedBy": 5, "updatedBy": 6}, {"start"}, 7, 6),
        ({"updatedBy": 0, "assignedById": 9}, {"start"}, 7, 7),
        ({"assignedById": "9"}, {"start"}, None, 9),
        ({}, {"start"}, None, None),
    ],
)
def test_who_has_done_it(item: dict[str, Any], changes: set[str], told: int | None, who: int | None) -> None:
    assert changer(item, changes, told) == who


def test_only_a_title_that_somebody_gave_is_one() -> None:
    assert title_of({"id": 5, "title": "Bookings #5"}, 1000) == ""
    assert title_of({"id": 5, "title": texts.say("ru", "item.title", number=1000)}, 1000) == ""
    assert title_of({"id": 5, "title": "Съёмка #7"}, 1000) == "Съёмка #7"


def test_a_mark_is_a_uuid() -> None:
    assert marked_booking({"xmlId": str(OURS)}) == OURS
    assert marked_booking({"xmlId": "r:5"}) is None
    assert marked_booking({"xmlId": None}) is None

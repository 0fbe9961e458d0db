"""The list of who may do what is saved as a whole, and can lock out nobody who could mend it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import update
from sqlalchemy.orm import Session

from b24app.booking.access import known_scopes, revision_of, save_access
from b24app.booking.resources import archive_resource
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import queries, rules, tenancy
from b24app.ledger.access import EVERYTHING, RIGHTS, GrantRule, Viewer, codes_of
from b24app.ledger.models import Portal, PortalUser
from tests.booking.rows import everything
from tests.conftest import NOW
from tests.factories import ADMIN, EMPLOYEE, make_portal, make_resource

ALL_BOOK = GrantRule("everything", "AU", "book")
SOME_SEE = GrantRule("everything", "U8", "see")


def refused(tx: Session, portal: Portal, *grants: GrantRule) -> dict[str, str]:
    """The codes by field; nothing may have changed."""
    before = everything(tx)
    with pytest.raises(InvalidInput) as caught, tx.begin_nested():
        save_access(tx, portal, grants, viewer=ADMIN, now=NOW)
    assert everything(tx) == before
    return caught.value.fields


def test_the_list_is_replaced_as_a_whole_and_keeps_its_order(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now, city="Пермь")
    grants = [
        GrantRule(f"resource:{room.id}", "U7", "manage"),
        GrantRule("location:Пермь", "DR12", "approve"),
        GrantRule("kind:room", "D12", "request"),
        GrantRule("everything", "AU", "busy"),
    ]
    save_access(tx, portal, grants, viewer=ADMIN, now=now)
    assert rules.all_grants(tx, portal.id) == grants


@pytest.mark.parametrize(
    ("grant", "expected"),
    [
        (GrantRule("nothing", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("kind:ship", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("location:", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("location:Атлантида", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("resource:987654", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        (GrantRule("resource:x", "AU", "book"), {"grants-0-scope": "unknown_choice"}),
        *((GrantRule("everything", code, "book"), {"grants-0-code": "unknown_code"})
          for code in ("", "U", "U0", "U-1", "u5", "AU5", "X5", "SG", "SG3_B", "DR", "U5 ", "U٣", "U" + "9" * 30)),
        (GrantRule("everything", "AU", "own"), {"grants-0-right": "unknown_choice"}),
        (GrantRule("everything", "AU", ""), {"grants-0-right": "unknown_choice"}),
    ],
)  # fmt: skip
def test_unknown_scopes_codes_and_rights_are_refused(
    tx: Session, portal: Portal, grant: GrantRule, expected: dict[str, str]
) -> None:
    assert refused(tx, portal, grant) == expected


def test_a_second_right_on_the_same_is_refused(tx: Session, portal: Portal) -> None:
    stronger = GrantRule("everything", "AU", "approve")
    assert refused(tx, portal, ALL_BOOK, stronger) == {"grants-1-code": "duplicate"}
    assert refused(tx, portal, ALL_BOOK, ALL_BOOK) == {"grants-1-code": "duplicate"}


def test_a_list_without_an_end_is_refused(tx: Session, portal: Portal) -> None:
    many = [GrantRule("everything", f"U{n}", "book") for n in range(1, 302)]
    assert refused(tx, portal, *many) == {"grants": "too_many"}


def test_another_portals_resource_and_city_are_unknown(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, make_portal(tx), now=now, city="Пермь")
    scopes = (f"resource:{room.id}", "location:Пермь")
    found = refused(tx, portal, *(GrantRule(scope, "AU", "book") for scope in scopes))
    assert found == {"grants-0-scope": "unknown_choice", "grants-1-scope": "unknown_choice"}


def test_an_archived_resource_keeps_its_grants(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    archive_resource(tx, portal, room.id, viewer=ADMIN, now=now)
    assert f"resource:{room.id}" in known_scopes(tx, portal, ADMIN)


def test_a_list_that_leaves_nobody_is_refused(tx: Session, portal: Portal, now: datetime) -> None:
    tenancy.remember_user(tx, portal.id, 7, "Ушла", now, codes={"U7", "AU"})
    tx.execute(update(PortalUser).where(PortalUser.user_id == 7).values(dismissed=True))
    assert refused(tx, portal) == {"grants": "nobody_left"}
    assert refused(tx, portal, GrantRule("everything", "U7", "manage")) == {"grants": "nobody_left"}
    save_access(tx, portal, [GrantRule("everything", "U8", "busy")], viewer=ADMIN, now=now)


def test_administrators_may_do_everything_whatever_is_written(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    save_access(tx, portal, [GrantRule("everything", "U8", "busy")], viewer=ADMIN, now=now)
    employee = Viewer(3, grants=queries.grants(tx, portal.id, codes_of(3, [12])))
    assert not employee.may("busy", room)
    assert all(ADMIN.may(right, room) for right in RIGHTS)


def test_what_was_saved_counts_for_those_who_have_the_code(tx: Session, portal: Portal, now: datetime) -> None:
    room = make_resource(tx, portal, now=now)
    save_access(tx, portal, [GrantRule("kind:room", "DR12", "approve")], viewer=ADMIN, now=now)
    for departments, allowed in (([12], True), ([13], False)):
        viewer = Viewer(3, grants=queries.grants(tx, portal.id, codes_of(3, departments)))
        assert viewer.may("approve", room) is allowed


def test_whoever_looked_at_an_older_list_overwrites_nothing(tx: Session, portal: Portal) -> None:
    seen = revision_of(rules.all_grants(tx, portal.id))
    save_access(tx, portal, [SOME_SEE], viewer=ADMIN, now=NOW, revision=seen)
    with pytest.raises(Stale) as caught, tx.begin_nested():
        save_access(tx, portal, [ALL_BOOK], viewer=ADMIN, now=NOW, revision=seen)
    assert caught.value.revision == revision_of([SOME_SEE])
    assert rules.all_grants(tx, portal.id) == [SOME_SEE]


def test_boards_that_are_open_learn_of_it(tx: Session, portal: Portal) -> None:
    before = portal.changes
    save_access(tx, portal, [SOME_SEE], viewer=ADMIN, now=NOW)
    tx.refresh(portal)
    assert portal.changes > before


@pytest.mark.parametrize("viewer", [EMPLOYEE, Viewer(3, grants=(GrantRule(EVERYTHING, "U3", "manage"),))])
def test_only_administrators_give_access(tx: Session, portal: Portal, viewer: Any) -> None:
    with pytest.raises(NotAllowed):
        save_access(tx, portal, [GrantRule("everything", "U3", "manage")], viewer=viewer, now=NOW)

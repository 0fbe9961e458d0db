"""Departments within departments and members of groups, as the portal tells of them."""

from __future__ import annotations

from datetime import timedelta

from b24app.ledger import directory, people, queries
from b24app.ledger.models import Grant
from b24app.ledger.session import transaction
from b24app.sync.directory import refresh
from emulator import staff
from emulator.seed import EMPLOYEE, GROUP, MANAGER
from tests.sync.rig import Clock, Rig

MOSCOW, STUDIO = 2, 1


def grant(rig: Rig, *codes: str, right: str = "approve") -> None:
    with transaction(rig.engine) as tx:
        tx.query(Grant).delete()
        tx.add_all(Grant(portal_id=rig.portal_id, scope="everything", code=code, right=right) for code in codes)


def given(rig: Rig, *codes: str) -> list[str]:
    """By which codes somebody with these has a right."""
    with transaction(rig.engine) as tx:
        return sorted(one.code for one in queries.grants(tx, rig.portal_id, frozenset(codes)))


def test_a_right_of_a_department_is_that_of_those_within(rig: Rig) -> None:
    grant(rig, f"DR{STUDIO}", f"SG{GROUP}_K", f"SG{GROUP}_A")
    assert given(rig, "U3", f"D{MOSCOW}", f"DR{MOSCOW}") == []
    refresh(rig.reach, rig.portal_id)
    assert given(rig, "U3", f"D{MOSCOW}", f"DR{MOSCOW}") == [f"DR{STUDIO}", f"SG{GROUP}_K"]
    assert given(rig, f"U{EMPLOYEE}", "D9") == []
    assert given(rig, "U1") == [f"SG{GROUP}_A", f"SG{GROUP}_K"]


def test_who_leaves_a_group_or_whose_department_moves_loses_the_right(rig: Rig) -> None:
    grant(rig, f"DR{STUDIO}", f"SG{GROUP}")
    refresh(rig.reach, rig.portal_id)
    rig.far.users[MANAGER].groups.clear()
    rig.far.departments[MOSCOW].pop("PARENT")
    refresh(rig.reach, rig.portal_id)
    assert given(rig, f"U{MANAGER}", f"D{MOSCOW}") == []


def test_a_circle_of_departments_ends(rig: Rig) -> None:
    rig.far.departments[STUDIO]["PARENT"] = str(MOSCOW)
    grant(rig, f"DR{STUDIO}")
    refresh(rig.reach, rig.portal_id)
    assert given(rig, f"D{MOSCOW}") == [f"DR{STUDIO}"]


def test_approvers_are_known_though_they_have_never_been_here(rig: Rig, clock: Clock) -> None:
    grant(rig, f"DR{STUDIO}", "U4")
    refresh(rig.reach, rig.portal_id)
    inside = {one.id for one in rig.far.users.values() if one.active and one.departments}
    with transaction(rig.engine) as tx:
        assert people.known_since(tx, rig.portal_id, inside, clock()) == inside


def test_without_the_permission_what_is_known_stays_and_settings_say_so(rig: Rig) -> None:
    grant(rig, f"DR{STUDIO}")
    refresh(rig.reach, rig.portal_id)
    for token in rig.emulator.world.auth.tokens.values():
        token.scope = token.scope.replace("department,", "")
    refresh(rig.reach, rig.portal_id)
    assert given(rig, f"D{MOSCOW}") == [f"DR{STUDIO}"]
    with transaction(rig.engine) as tx:
        known = directory.known(tx, rig.portal_id)
    assert known.problem == "insufficient_scope"
    assert known.names[f"DR{STUDIO}"] == "Студия"


def test_it_is_asked_for_once_in_a_while_and_only_where_rights_need_it(rig: Rig, clock: Clock) -> None:
    def asked() -> bool:
        with transaction(rig.engine) as tx:
            return directory.ask(tx, rig.portal_id, clock(), since=clock() - timedelta(minutes=15))

    grant(rig, "AU", "U3")
    assert not asked()
    grant(rig, f"SG{GROUP}")
    assert [asked(), asked()] == [True, False]
    clock.forward(901)
    assert asked()


def test_who_has_left_is_no_approver(rig: Rig) -> None:
    staff.dismiss(rig.far, MANAGER)
    grant(rig, f"DR{STUDIO}")
    refresh(rig.reach, rig.portal_id)
    with transaction(rig.engine) as tx:
        assert people.rights(tx, rig.portal_id, MANAGER) is None

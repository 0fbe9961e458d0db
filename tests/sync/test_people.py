"""Who acts in the portal, and what he may do there, for what no frame proves."""

from __future__ import annotations

from datetime import timedelta

from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from b24app.sync import people
from b24app.sync.tokens import portal_client
from emulator import staff
from tests.sync.rig import ADMIN, MANAGER, Clock, Rig


def learn(rig: Rig, *user_ids: int) -> int:
    """How many requests it took."""
    before = len(rig.calls("user.get"))
    people.learn(portal_client(rig.reach, rig.portal_id), rig.engine, rig.portal_id, user_ids, rig.clock())
    return len(rig.calls("user.get")) - before


def test_a_colleague_is_read_once_a_day_with_his_departments(rig: Rig, clock: Clock) -> None:
    with transaction(rig.engine) as tx:
        assert people.viewer_of(tx, rig.ledger(tx), MANAGER, clock()) is None

    assert [learn(rig, MANAGER, 999), learn(rig, MANAGER, 999)] == [1, 0]

    departments = rig.far.users[MANAGER].departments
    with transaction(rig.engine) as tx:
        viewer = people.viewer_of(tx, rig.ledger(tx), MANAGER, clock())
        stranger = people.viewer_of(tx, rig.ledger(tx), 999, clock())
    assert viewer is not None
    assert stranger is not None
    assert viewer.codes == {f"U{MANAGER}", "AU", *(f"{k}{d}" for k in ("D", "DR") for d in departments)}
    assert [grant.right for grant in viewer.grants] == ["book"]
    assert (stranger.codes, stranger.grants) == (frozenset({"U999"}), ())
    clock.forward(timedelta(days=1, seconds=1).total_seconds())
    assert learn(rig, MANAGER) == 1


def test_an_administrator_is_who_has_a_pair_or_was_seen_as_one(rig: Rig, clock: Clock) -> None:
    with transaction(rig.engine) as tx:
        tenancy.remember_user(tx, rig.portal_id, 5, "Пётр", clock(), codes={"U5", "AU"}, is_admin=True)
        tenancy.remember_user(tx, rig.portal_id, 5, "Пётр Ким", clock())
        learned = people.viewer_of(tx, rig.ledger(tx), 5, clock())
    learn(rig, ADMIN)
    with transaction(rig.engine) as tx:
        paired = people.viewer_of(tx, rig.ledger(tx), ADMIN, clock())

    assert learned is not None
    assert paired is not None
    assert (learned.is_admin, paired.is_admin) == (True, True)


def test_who_was_dismissed_may_do_nothing(rig: Rig, clock: Clock) -> None:
    learn(rig, MANAGER)
    staff.dismiss(rig.far, MANAGER)
    clock.forward(timedelta(days=2).total_seconds())

    learn(rig, MANAGER)

    with transaction(rig.engine) as tx:
        viewer = people.viewer_of(tx, rig.ledger(tx), MANAGER, clock())
    assert viewer is not None
    assert (viewer.is_admin, viewer.codes, viewer.grants) == (False, frozenset(), ())

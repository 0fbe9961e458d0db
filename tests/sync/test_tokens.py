"""Whose token the background uses, and that one refresh token is never used twice."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from b24app.bitrix.faults import PaymentRequired, PlanRefused, PortalSilent
from b24app.errors import AppError, InstallationRevoked, PortalUnavailable
from b24app.ledger import tenancy
from b24app.ledger.models import AdminToken, Installation
from b24app.ledger.session import DatabaseError, transaction
from b24app.sync.tokens import NeedsAdmin, SpareInUse, WorkerTokens, portal_client
from emulator import faults, oauth, portals
from emulator.state import Token
from tests.sync.conftest import Wire
from tests.sync.rig import ADMIN, SECOND_ADMIN, Clock, Rig, keep


@pytest.fixture(autouse=True)
def _quiet(rig: Rig) -> None:
    rig.world.auth.calls.clear()


def tokens(rig: Rig) -> WorkerTokens:
    return WorkerTokens(rig.reach, rig.portal_id)


def pair_of(rig: Rig, user_id: int) -> AdminToken:
    with transaction(rig.engine) as tx:
        rows = {row.user_id: row for row in tx.query(AdminToken)}
    return rows[user_id]


def change(rig: Rig, user_id: int, **values: Any) -> None:
    with transaction(rig.engine) as tx:
        for row in tx.query(AdminToken).where(AdminToken.user_id == user_id):
            for name, value in values.items():
                setattr(row, name, value)


def needs_admin(rig: Rig) -> bool:
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        return tenant.installation.needs_admin


def refreshes(rig: Rig) -> list[Any]:
    """The user of every refresh that was asked for, None for a refused one."""
    return [call["user_id"] for call in rig.world.auth.calls if call["grant_type"] == "refresh_token"]


def only(rig: Rig, user_id: int) -> None:
    """Leaves one administrator's pair."""
    with transaction(rig.engine) as tx:
        for row in tx.query(AdminToken).where(AdminToken.user_id != user_id):
            tx.delete(row)


def expire(rig: Rig, user_id: int | None = None) -> None:
    oauth.expire_tokens(rig.far, user_id)


# The usual day ----


def test_the_pair_of_the_installation_comes_first(rig: Rig) -> None:
    held = tokens(rig)
    assert (held.access_token(), held.user_id) == (pair_of(rig, ADMIN).access_token, ADMIN)


def test_an_expired_token_is_refreshed_and_kept(rig: Rig) -> None:
    before = pair_of(rig, ADMIN)
    expire(rig)
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(ADMIN)
    after = pair_of(rig, ADMIN)
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert refreshes(rig) == [ADMIN]


def test_a_token_that_is_known_to_have_run_out_costs_no_call_to_the_portal(rig: Rig, clock: Clock) -> None:
    clock.forward(3700)
    calls = len(rig.far.calls)
    portal_client(rig.reach, rig.portal_id).call("profile")
    assert [call["error"] for call in rig.far.calls[calls:]] == [None]


def test_a_renamed_portal_is_followed_after_a_refresh(rig: Rig) -> None:
    expire(rig)
    rig.far.host = "renamed.bitrix24.test"
    tokens(rig).refresh(pair_of(rig, ADMIN).access_token)
    with transaction(rig.engine) as tx:
        assert rig.ledger(tx).client_endpoint == "https://renamed.bitrix24.test/rest/"


def test_a_renamed_portal_is_followed_when_the_authorization_server_confirms_it(rig: Rig) -> None:
    """Its old name answers 302; the call is repeated once, and every later one goes to the new name at once."""
    client = portal_client(rig.reach, rig.portal_id)
    rig.far.rename("renamed.bitrix24.test")
    assert client.call("profile")["ID"] == str(ADMIN)
    with transaction(rig.engine) as tx:
        portal = rig.ledger(tx)
        assert (portal.client_endpoint, portal.domain) == (
            "https://renamed.bitrix24.test/rest/", "renamed.bitrix24.test"
        )  # fmt: skip
    assert refreshes(rig) == []


def test_a_renamed_portal_is_followed_with_a_token_that_has_run_out_meanwhile(rig: Rig) -> None:
    client = portal_client(rig.reach, rig.portal_id)
    expire(rig)
    rig.far.rename("renamed.bitrix24.test")
    assert client.call("profile")["ID"] == str(ADMIN)
    assert refreshes(rig) == [ADMIN]


def test_tokens_are_ciphertext_in_the_database(rig: Rig) -> None:
    pair = pair_of(rig, ADMIN)
    with transaction(rig.engine) as tx:
        raw = tx.execute(text("SELECT access_token, refresh_token FROM admin_token")).all()
    for secret in (pair.access_token, pair.refresh_token):
        assert not any(secret.encode() in bytes(value) for row in raw for value in row)


def test_a_held_pair_does_not_show_its_tokens(rig: Rig) -> None:
    held = tokens(rig)
    token = held.access_token()
    assert token not in repr(held.__dict__)


# Races ----


def test_eight_workers_refresh_once(rig: Rig) -> None:
    expire(rig)
    stale = pair_of(rig, ADMIN).access_token
    barrier, got = threading.Barrier(8), list[str]()

    def work() -> None:
        held = tokens(rig)
        assert held.access_token() == stale
        barrier.wait()
        got.append(held.refresh(stale))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refreshes(rig) == [ADMIN]
    assert set(got) == {pair_of(rig, ADMIN).access_token}
    assert len(got) == 8


def test_another_workers_fresh_token_is_taken(rig: Rig) -> None:
    first, second = tokens(rig), tokens(rig)
    stale = first.access_token()
    second.access_token()
    expire(rig)
    fresh = first.refresh(stale)
    assert second.refresh(stale) == fresh
    assert refreshes(rig) == [ADMIN]


def test_frames_of_one_administrator_at_once_leave_one_pair(rig: Rig) -> None:
    """Nothing makes them wait for each other before the pair itself, so each may be the first."""
    barrier, failures = threading.Barrier(4), list[Exception]()
    with transaction(rig.engine) as tx:
        tenant = tenancy.lock_tenant(tx, rig.portal_id)

    def work() -> None:
        try:
            with transaction(rig.engine) as tx:
                tx.connection()
                barrier.wait()
                keep(tx, rig.emulator, rig.card, tenant, 3, "frame", rig.clock())
        except DatabaseError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert pair_of(rig, 3).verified_at == rig.clock()


@contextmanager
def transactions(rig: Rig) -> Iterator[list[list[str]]]:
    """The statements of every transaction from now on."""
    seen: list[list[str]] = []
    current: dict[int, list[str]] = {}

    def begin(connection: Connection) -> None:
        current[id(connection)] = []
        seen.append(current[id(connection)])

    def statement(connection: Connection, _cursor: Any, sql: str, *_: Any) -> None:
        current[id(connection)].append(sql)

    event.listen(rig.engine, "begin", begin)
    event.listen(rig.engine, "before_cursor_execute", statement)
    yield seen
    event.remove(rig.engine, "begin", begin)
    event.remove(rig.engine, "before_cursor_execute", statement)


@pytest.mark.parametrize("end", ["renamed", "unpaid", "gone"])
def test_a_refresh_takes_no_other_row_while_it_holds_the_pairs(rig: Rig, end: str) -> None:
    """Everybody else locks the portal first: the other way round two of them would wait for each other."""
    expire(rig)
    stale = pair_of(rig, ADMIN).access_token
    if end == "renamed":
        rig.far.host = "renamed.bitrix24.test"
    rig.card.payment_expired, rig.far.deleted = end == "unpaid", end == "gone"
    with transactions(rig) as seen, suppress(PaymentRequired, InstallationRevoked):
        tokens(rig).refresh(stale)
    locking = [one for one in seen if any("admin_token" in sql and "FOR UPDATE" in sql for sql in one)]
    assert len(locking) == 1
    written = [sql for sql in locking[0] if sql.startswith(("UPDATE", "INSERT", "DELETE"))]
    assert all(sql.startswith("UPDATE admin_token") for sql in written)


def test_what_a_refresh_says_of_an_earlier_life_does_not_touch_the_present_one(rig: Rig, wire: Wire) -> None:
    expire(rig)
    rig.card.payment_expired = True

    def added_again(_path: str) -> None:
        with transaction(rig.engine) as tx:
            ended = tenancy.tenant(tx, rig.portal_id)
            assert ended is not None
            ended.installation.state = "deleted"
            tx.flush()
            tx.add(Installation(portal_id=rig.portal_id, application_id=ended.installation.application_id))

    stale = pair_of(rig, ADMIN).access_token
    wire.before = added_again
    with pytest.raises(PaymentRequired):
        tokens(rig).refresh(stale)
    with transaction(rig.engine) as tx:
        assert not tenancy.lock_tenant(tx, rig.portal_id).installation.payment_expired


# Refused and lost ----


def test_a_refused_refresh_buries_the_pair_and_the_next_administrator_takes_over(rig: Rig) -> None:
    expire(rig, ADMIN)
    rig.world.auth.by_refresh.pop(pair_of(rig, ADMIN).refresh_token)
    held = tokens(rig)
    assert held.refresh(held.access_token()) == pair_of(rig, SECOND_ADMIN).access_token
    assert held.user_id == SECOND_ADMIN
    dead = pair_of(rig, ADMIN)
    assert (dead.dead_at, dead.dead_reason) == (rig.clock(), "invalid_grant")
    assert not needs_admin(rig)


def test_the_most_recently_verified_administrator_is_next(rig: Rig) -> None:
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        rig.far.users[3].is_admin = True
        keep(tx, rig.emulator, rig.card, tenant, 3, "frame", rig.clock() + timedelta(seconds=5))
    held = tokens(rig)
    held.access_token()
    held.died("authorization_error")
    assert held.user_id == 3


def test_a_dismissed_administrator_is_replaced_in_mid_work(rig: Rig) -> None:
    client = portal_client(rig.reach, rig.portal_id)
    assert client.call("profile")["ID"] == str(ADMIN)
    rig.far.users[ADMIN].active = False
    assert client.call("profile")["ID"] == str(SECOND_ADMIN)
    assert client.user_id == SECOND_ADMIN
    assert pair_of(rig, ADMIN).dead_reason == "authorization_error"


def test_an_answer_that_was_lost_is_asked_for_once_more(rig: Rig) -> None:
    expire(rig)
    faults.add(rig.world, {"method": "oauth/token", "kind": "reset_before", "times": 1})
    held = tokens(rig)
    assert held.refresh(held.access_token()) == pair_of(rig, ADMIN).access_token
    assert pair_of(rig, ADMIN).dead_at is None


def test_a_pair_whose_successor_was_lost_is_dead(rig: Rig) -> None:
    """The server has rotated, its answer never came: the old refresh token is refused at the second try."""
    expire(rig, ADMIN)
    faults.add(rig.world, {"method": "oauth/token", "kind": "reset_after", "times": 1})
    held = tokens(rig)
    held.refresh(held.access_token())
    assert held.user_id == SECOND_ADMIN
    assert pair_of(rig, ADMIN).dead_reason == "invalid_grant"


def test_after_two_lost_answers_the_next_administrator_is_taken_and_nobody_buried(rig: Rig) -> None:
    expire(rig, ADMIN)
    faults.add(rig.world, {"method": "oauth/token", "kind": "reset_before", "times": 2})
    held = tokens(rig)
    held.refresh(held.access_token())
    assert held.user_id == SECOND_ADMIN
    assert pair_of(rig, ADMIN).dead_at is None
    assert tokens(rig).user_id == ADMIN, "the next job tries him again"


def test_lost_answers_of_the_only_administrator_are_for_later(rig: Rig) -> None:
    only(rig, ADMIN)
    expire(rig)
    faults.add(rig.world, {"method": "oauth/token", "kind": "reset_before", "times": 2})
    held = tokens(rig)
    stale = held.access_token()
    with pytest.raises(PortalUnavailable):
        held.refresh(stale)
    assert not needs_admin(rig)
    assert held.refresh(stale) == pair_of(rig, ADMIN).access_token


def test_without_any_pair_the_installation_waits_for_an_administrator(rig: Rig) -> None:
    for user in (ADMIN, SECOND_ADMIN):
        rig.far.users[user].active = False
    with pytest.raises(NeedsAdmin):
        portal_client(rig.reach, rig.portal_id).call("profile")
    assert needs_admin(rig)
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        assert tenant.installation.state == "active", "invalid_grant alone never means uninstalled"
        rig.far.users[SECOND_ADMIN].active = True
        keep(tx, rig.emulator, rig.card, tenant, SECOND_ADMIN, "frame", rig.clock())
    assert not needs_admin(rig)
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(SECOND_ADMIN)


def test_an_unpaid_application_is_noted(rig: Rig) -> None:
    expire(rig)
    rig.card.payment_expired = True
    with pytest.raises(PaymentRequired):
        tokens(rig).refresh(pair_of(rig, ADMIN).access_token)
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        assert tenant.installation.payment_expired


@pytest.mark.parametrize(
    ("trouble", "error", "payment_expired", "state"),
    [
        ({"payment_expired": True}, PaymentRequired, True, "active"),
        ({"plan_rest": False}, PlanRefused, True, "active"),
        ({"active": False}, InstallationRevoked, False, "blocked"),
    ],
)
def test_what_a_call_says_of_the_whole_installation_is_noted(
    rig: Rig, trouble: dict[str, bool], error: type[AppError], payment_expired: bool, state: str
) -> None:
    for name, value in trouble.items():
        setattr(rig.card if hasattr(rig.card, name) else rig.world.knobs, name, value)
    with pytest.raises(error):
        portal_client(rig.reach, rig.portal_id).call("user.current")
    with transaction(rig.engine) as tx:
        installation = tenancy.lock_tenant(tx, rig.portal_id).installation
        assert (installation.payment_expired, installation.state) == (payment_expired, state)


def test_a_portal_that_never_answers_costs_one_timeout_and_is_left_alone(rig: Rig, clock: Clock) -> None:
    portals.fall_silent(rig.far)
    with pytest.raises(PortalSilent) as silent:
        portal_client(rig.reach, rig.portal_id).call("profile")
    assert 15 <= (silent.value.delay or 0) <= 30
    portals.speak(rig.far)
    asked = len(rig.far.calls)
    with pytest.raises(PortalUnavailable, match="silent"):
        portal_client(rig.reach, rig.portal_id).call("profile")
    assert len(rig.far.calls) == asked
    clock.forward(31)
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(ADMIN)


def test_a_portal_that_is_gone_blocks_the_installation(rig: Rig) -> None:
    expire(rig)
    rig.far.deleted = True
    with pytest.raises(InstallationRevoked):
        tokens(rig).refresh(pair_of(rig, ADMIN).access_token)
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        assert tenant.installation.state == "blocked"


def test_a_removed_installation_has_no_tokens(rig: Rig) -> None:
    with transaction(rig.engine) as tx:
        tenant = tenancy.tenant(tx, rig.portal_id)
        assert tenant is not None
        tenancy.end_installation(tx, tenant.installation, rig.clock())
    with pytest.raises(InstallationRevoked):
        tokens(rig).access_token()


# Spares ----


def open_frame(rig: Rig) -> None:
    with transaction(rig.engine) as tx:
        tenancy.frame_seen(tx, rig.portal_id, rig.clock())


def test_a_spare_is_left_to_its_page_while_one_is_open(rig: Rig, clock: Clock) -> None:
    only(rig, SECOND_ADMIN)
    expire(rig)
    open_frame(rig)
    with pytest.raises(SpareInUse):
        portal_client(rig.reach, rig.portal_id).call("profile")
    assert refreshes(rig) == []
    assert not needs_admin(rig)


def test_a_spare_is_refreshed_when_no_page_is_open(rig: Rig, clock: Clock) -> None:
    only(rig, SECOND_ADMIN)
    open_frame(rig)
    clock.forward(31)
    expire(rig)
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(SECOND_ADMIN)
    assert refreshes(rig) == [SECOND_ADMIN]


def test_a_spare_whose_page_never_renewed_it_does_not_wait_for_other_peoples_pages(rig: Rig, clock: Clock) -> None:
    only(rig, SECOND_ADMIN)
    clock.forward(3600 + 301)
    open_frame(rig)
    assert portal_client(rig.reach, rig.portal_id).call("profile")["ID"] == str(SECOND_ADMIN)


@pytest.mark.parametrize("family", ["one", "two"])
def test_frame_and_server_tokens_of_one_family_or_two(rig: Rig, family: str) -> None:
    """In one family the page's refresh kills the server's pair: then the spare that the page sent takes over."""
    rig.world.knobs.token_family = family
    old = rig.world.auth.tokens[pair_of(rig, ADMIN).access_token]
    page = frame_of(rig)
    assert oauth.refresh_frame(rig.far, page.refresh, rig.world.now())
    client = portal_client(rig.reach, rig.portal_id)
    expected = ADMIN if family == "two" else SECOND_ADMIN
    assert client.call("profile")["ID"] == str(expected)
    assert old.revoked == (family == "one")


def frame_of(rig: Rig) -> Token:
    return oauth.issue(rig.far, rig.far.users[ADMIN], rig.card, rig.world.now(), kind="frame")

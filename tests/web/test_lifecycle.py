"""Installed, removed, added again: what goes, what stays, and that the board is still there."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from b24app.jobs.app import Tools
from b24app.jobs.periodic import erase_tenants
from b24app.ledger import tenancy
from b24app.ledger.models import AdminToken, Base, Booking, Client, Installation, Portal, PortalUser, Resource
from b24app.ledger.session import DatabaseError, Tx
from b24app.sync.install import STEPS
from b24app.sync.throttles import SharedThrottles
from b24app.sync.tokens import Reach
from b24app.web.visit import utc_now
from emulator import apps, oauth, placement
from emulator.state import AppCard
from tests import factories
from tests.stand import ADMIN, APP_URL, EMPLOYEE, MANAGER, SECOND_ADMIN, Frame, Stand
from tests.web.installed import Installed, everything, run_installer
from tests.web.test_events import signed


def install(stand: Stand, card: AppCard) -> Installed:
    run_installer(stand.open(card))
    assert placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    stand.deliver()
    return Installed(stand, card)


@dataclass
class Booked:
    """An installed application with one booking of a client."""

    installed: Installed
    booking_id: object
    room: str


def booked(installed: Installed) -> Booked:
    now = installed.stand.now
    with installed.tx() as tx:
        portal = tx.scalars(select(Portal)).one()
        room = factories.make_resource(tx, portal, now=now, name="Переговорная «Нева»")
        booking = factories.make_booking(tx, portal, room, now=now, title="Встреча с Вектором")
        return Booked(installed, booking.id, room.name)


def count(installed: Installed, table: type[Base]) -> int:
    with installed.tx() as tx:
        return tx.scalar(select(func.count()).select_from(table)) or 0


def tools(installed: Installed) -> Tools:
    """What a worker beside the application has."""
    throttles = SharedThrottles(installed.engine, utc_now, time.sleep)
    http = installed.stand.app.extensions["b24"].http
    return Tools(Reach(installed.engine, http, throttles, lambda: installed.stand.now), dead_after=20)


def remove(installed: Installed, *, clean: bool) -> None:
    apps.delete_card(installed.stand.portal, installed.card, clean=clean)
    installed.stand.deliver()


# From nothing to the board ----


def test_from_the_card_to_the_board(stand: Stand) -> None:
    card = stand.add_card()
    frame = stand.open(card)
    assert 'id="installer"' in frame.page.text
    run_installer(frame)
    known = Installed(stand, card)
    assert known.installation().state == "new", "the portal has not been told yet"
    assert placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    page = stand.open(card).page.text
    assert 'id="installer"' not in page, "the portal calls it installed: its event may come later"
    assert known.installation().state == "active"
    stand.deliver()
    assert known.pairs()[ADMIN].origin == "install"
    assert stand.open(card, EMPLOYEE).bearer


def test_a_card_without_an_installer_ends_the_same_way(stand: Stand) -> None:
    card = stand.add_card()
    card.installer_url, card.installed = "", True
    frame = stand.open(card)
    assert 'id="installer"' in frame.page.text
    run_installer(frame)
    known = Installed(stand, card)
    assert known.installation().state == "active"
    assert stand.open(card, MANAGER).bearer


def test_the_installer_runs_again_from_the_application(installed: Installed) -> None:
    frame = installed.open(ADMIN)
    form = {"bearer": frame.bearer, "token": frame.token, "where": "installer"}
    page = installed.stand.client.post("/b24/again", data=form, base_url=APP_URL)
    assert page.status_code == 200
    assert page.text.count('data-state="done"') == len(STEPS)
    frame = Frame(installed.stand.client, page, frame.token)
    run_installer(frame)
    assert len(installed.stand.portal.types) == 2


# Removed ----


@pytest.mark.parametrize("kind", ["local", "market"])
def test_removing_keeps_bookings_for_a_while(stand: Stand, kind: str) -> None:
    """A local application always says CLEAN=1, so there it says nothing."""
    known = install(stand, stand.add_card(kind=kind))
    booked(known)
    known.open(MANAGER)
    remove(known, clean=kind == "local")
    assert (count(known, AdminToken), count(known, PortalUser)) == (0, 0), "tokens and names go at once"
    assert (count(known, Booking), count(known, Resource)) == (1, 1)
    row = known.portal()
    assert row.erase_after == stand.now + timedelta(days=30)
    with known.tx() as tx:
        ended = tx.scalars(select(Installation)).one()
        assert (ended.state, ended.application_token, ended.deleted_at) == ("deleted", None, stand.now)
        assert tenancy.due_for_erasure(tx, stand.now + timedelta(days=29)) == []
        assert tenancy.due_for_erasure(tx, stand.now + timedelta(days=30)) == [row.id]


def test_a_clean_removal_of_a_market_application_erases_the_tenant(stand: Stand) -> None:
    known = install(stand, stand.add_card(kind="market"))
    booked(known)
    remove(known, clean=True)
    assert count(known, AdminToken) == 0
    assert known.portal().erase_after == stand.now
    erase_tenants(tools(known))
    assert {table.__name__: count(known, table) for table in (Portal, Installation, Booking, Client, Resource)} == {
        "Portal": 0, "Installation": 0, "Booking": 0, "Client": 0, "Resource": 0,
    }  # fmt: skip


def test_a_clean_removal_does_not_wait_for_a_booking_that_is_being_made(stand: Stand) -> None:
    """Each would wait for what the other holds: the booking would be a 500, or the event lost, which comes once."""
    known = install(stand, stand.add_card(kind="market"))
    booked(known)
    with known.tx() as booking:
        booking.execute(select(Resource).with_for_update(key_share=True))
        remove(known, clean=True)
        assert known.portal().erase_after == stand.now


def test_erasing_waits_for_a_booking_that_is_being_made(installed: Installed) -> None:
    booked(installed)
    portal_id, errors = installed.portal().id, list[Exception]()

    def erase() -> None:
        try:
            with installed.tx() as tx:
                tenancy.erase(tx, portal_id)
        except DatabaseError as error:
            errors.append(error)

    with installed.tx() as tx:
        room = tx.scalars(select(Resource).with_for_update(key_share=True)).one()
        eraser = threading.Thread(target=erase)
        eraser.start()
        wait_until_locked_out(installed, eraser)
        portal = tx.scalars(select(Portal)).one()
        factories.make_booking(
            tx, portal, room, now=installed.stand.now, interval=factories.hour(installed.stand.now, 3)
        )
    eraser.join()
    assert errors == []
    assert count(installed, Portal) == 0


def wait_until_locked_out(installed: Installed, thread: threading.Thread) -> None:
    """Until this thread, the only other one in this database, waits for a lock."""
    waiting = text("SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
    with installed.engine.connect() as connection:
        while thread.is_alive() and connection.execute(waiting).first() is None:
            connection.rollback()


def test_a_tenant_that_comes_back_in_time_is_not_erased(installed: Installed) -> None:
    remove(installed, clean=True)
    with installed.tx() as tx:
        portal_id = tx.scalars(select(Portal.id)).one()
    again = install(installed.stand, installed.stand.add_card())
    with again.tx() as tx:
        assert not tenancy.erase_if_due(tx, portal_id, installed.stand.now + timedelta(days=40))
    assert again.portal().id == portal_id


def test_one_tenant_that_cannot_be_erased_now_holds_up_no_other(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    known = install(stand, stand.add_card(kind="market"))
    remove(known, clean=True)
    with known.tx() as tx:
        stuck = factories.make_portal(tx, erase_after=stand.now - timedelta(days=1)).id
    erase = tenancy.erase_if_due

    def unlucky(tx: Tx, portal_id: int, now: datetime) -> bool:
        if portal_id == stuck:
            tx.execute(text("SELECT 1 / 0"))
        return erase(tx, portal_id, now)

    monkeypatch.setattr(tenancy, "erase_if_due", unlucky)
    erase_tenants(tools(known))
    assert known.portal().id == stuck


def test_erasing_now_takes_everything(installed: Installed) -> None:
    booked(installed)
    with installed.tx() as tx:
        tenancy.erase(tx, installed.portal().id)
    left = {mapper.class_.__name__: count(installed, mapper.class_) for mapper in Base.registry.mappers}
    assert {name for name, rows in left.items() if rows} == {"Application"}


# Added again ----


@pytest.mark.parametrize("told", [True, False])
def test_a_local_application_added_again_finds_its_bookings(installed: Installed, told: bool) -> None:
    """Under a new client_id, with the same member_id; the event of the removal may have been lost."""
    mine = booked(installed)
    laid = installed.portal().crm
    apps.delete_card(installed.stand.portal, installed.card)
    if not told:
        installed.stand.world.outbox.clear()
    installed.stand.deliver()
    again = install(installed.stand, installed.stand.add_card())
    assert again.card.client_id != installed.card.client_id
    row = again.portal()
    assert (row.erase_after, {**row.crm, "intent": {}}) == (None, {**laid, "intent": {}})
    assert len(installed.stand.portal.types) == 2
    page = again.open(MANAGER)
    assert page.bearer
    assert mine.room in page.page.text
    assert "Встреча с Вектором" in page.page.text
    assert again.pairs()[ADMIN].origin == "install"


def two_cards(installed: Installed) -> Installed:
    """A second card was added and installed before the first was deleted; the living installation is the second's."""
    return install(installed.stand, installed.stand.add_card())


def test_an_employees_page_of_the_other_card_ends_nothing(installed: Installed) -> None:
    again = two_cards(installed)
    before = everything(installed.engine)
    frame = installed.open(EMPLOYEE)
    assert (frame.page.status_code, frame.bearer) == (401, "")
    assert 'data-reason="open_again"' in frame.page.text
    assert everything(installed.engine) == before
    assert again.open(EMPLOYEE).bearer


@pytest.mark.parametrize("user_id", [ADMIN, MANAGER])
@pytest.mark.parametrize("path", ["/app/renew", "/b24/again"])
def test_a_page_is_not_renewed_with_the_token_of_another_card(installed: Installed, path: str, user_id: int) -> None:
    """Not even an administrator's: only the portal's own form, or its event, begins an installation."""
    again = two_cards(installed)
    frame = again.open(user_id)
    stand = installed.stand
    frame.token = oauth.issue(stand.portal, stand.portal.users[user_id], installed.card, stand.world.now()).access
    before = everything(installed.engine)
    answer = frame.post(path, bearer=frame.bearer, token=frame.token)
    assert answer.status_code == 401
    assert 'data-reason="open_again"' in answer.text
    assert everything(installed.engine) == before


@pytest.mark.parametrize("path", ["/app/board", "/app/renew", "/b24/again"])
def test_a_page_of_an_earlier_life_ends(installed: Installed, path: str) -> None:
    frame = installed.open(MANAGER)
    apps.delete_card(installed.stand.portal, installed.card)
    installed.stand.deliver()
    again = installed.stand.add_card()
    installed.stand.open(again)
    before = everything(installed.engine)
    frame.token = oauth.issue(
        installed.stand.portal, installed.stand.portal.users[MANAGER], again, installed.stand.world.now()
    ).access
    ask = frame.get if path == "/app/board" else frame.post
    answer = ask(path, bearer=frame.bearer, token=frame.token)
    assert answer.status_code == 401
    assert 'data-reason="open_again"' in answer.text
    assert everything(installed.engine) == before


@pytest.mark.parametrize("user_id", [ADMIN, MANAGER])
def test_a_page_does_not_bring_a_removed_application_back(installed: Installed, user_id: int) -> None:
    """Its token may still be good for a while; what was to be erased is erased."""
    frame = installed.open(user_id)
    post = signed(installed, "ONAPPUNINSTALL", {"CLEAN": "1"})
    assert installed.stand.client.post("/b24/events", data=post, base_url=APP_URL).status_code == 200
    before = everything(installed.engine)
    for path in ("/app/renew", "/b24/again"):
        answer = frame.post(path, bearer=frame.bearer, token=frame.token)
        assert answer.status_code == 410
        assert 'data-reason="removed"' in answer.text
    assert everything(installed.engine) == before
    assert installed.portal().erase_after == installed.stand.now + timedelta(days=30)


def test_a_late_removal_of_the_earlier_life_ends_nothing(installed: Installed) -> None:
    stand = installed.stand
    stand.world.knobs.event_delay_s = 3600
    apps.delete_card(stand.portal, installed.card)
    late = list(stand.world.outbox)
    stand.world.outbox.clear()
    again = install(stand, stand.add_card())
    stand.world.outbox.extend(late)
    stand.deliver()
    assert again.installation().state == "active"
    assert again.open(MANAGER).bearer


def test_the_tokens_of_the_earlier_life_are_gone(installed: Installed) -> None:
    installed.open(SECOND_ADMIN)
    apps.delete_card(installed.stand.portal, installed.card)
    installed.stand.world.outbox.clear()
    again = installed.stand.add_card()
    installed.stand.open(again)
    with installed.tx() as tx:
        living = tx.scalars(select(Installation).where(Installation.state != "deleted")).one()
        assert {row.installation_id for row in tx.scalars(select(AdminToken))} == {living.id}


def test_a_market_application_removed_and_installed_again_begins_anew(stand: Stand) -> None:
    known = install(stand, stand.add_card(kind="market"))
    booked(known)
    remove(known, clean=True)
    again = install(stand, stand.add_card(kind="market"))
    assert count(again, Booking) == 0
    assert len(stand.portal.types) == 2, "what stands in the portal is found again"
    assert again.open(MANAGER).bearer

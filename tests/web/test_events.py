"""What the portal tells us: believed with its secret, and never answered with more than a status."""

from __future__ import annotations

import logging
import threading
from typing import Any

import pytest
from sqlalchemy import event, select, text, update

from b24app.bitrix import oauth as oauth_client
from b24app.bitrix.faults import CallerRejected
from b24app.booking.clients import ClientData
from b24app.ledger.models import Base, ExternalRef, Portal
from b24app.ledger.portal_models import Sighting
from b24app.sync.laid import LaidCrm
from b24app.sync.manifest import manifest
from emulator import apps, oauth, people, placement
from emulator.state import AppCard
from tests.factories import make_booking, make_portal, make_resource
from tests.stand import ADMIN, APP_URL, MANAGER, SECOND_ADMIN, Stand
from tests.web.installed import Installed, everything, run_installer


def post(stand: Stand, form: dict[str, str]) -> Any:
    return stand.client.post(manifest().events_handler, data=form, base_url=APP_URL)


def signed(installed: Installed, event: str, data: dict[str, str] | None = None, **auth: str) -> dict[str, str]:
    """An event's form with the right secret; `auth` overrides what proves it."""
    portal, token = installed.stand.portal, installed.card.application_token
    proof = {"member_id": portal.member_id, "application_token": token, "domain": portal.host}
    return {
        "event": event,
        "event_handler_id": "1",
        "ts": str(int(installed.stand.world.now())),
        **{f"data[{name}]": value for name, value in (data or {}).items()},
        **{f"auth[{name}]": value for name, value in {**proof, **auth}.items()},
    }


# Who is believed ----


@pytest.mark.parametrize(
    "auth",
    [{"application_token": "0" * 32}, {"application_token": ""}, {"member_id": "f" * 32}, {"application_token": "я"}],
)
@pytest.mark.parametrize("event", ["ONAPPUNINSTALL", "ONAPPPAYMENT", "ONCRMDEALADD"])
def test_an_event_without_the_secret_changes_nothing(installed: Installed, event: str, auth: dict[str, str]) -> None:
    before = everything(installed.engine)
    answer = post(installed.stand, signed(installed, event, {"PAYMENT_EXPIRED": "Y", "CLEAN": "1"}, **auth))
    assert answer.status_code in (400, 403)
    assert everything(installed.engine) == before


def test_before_the_first_secret_no_event_counts(stand: Stand, card: AppCard) -> None:
    stand.world.knobs.old_portal = True  # no APPLICATION_TOKEN in the frame
    run_installer(stand.open(card))
    known = Installed(stand, card)
    before = everything(known.engine)
    assert post(stand, signed(known, "ONAPPUNINSTALL", application_token="")).status_code == 403
    assert post(stand, signed(known, "ONAPPUNINSTALL")).status_code == 403
    assert everything(known.engine) == before


@pytest.mark.parametrize("event", ["ONCRMDEALADD", "ONSOMETHINGNEW", "ONAPPTEST"])
def test_unknown_events_are_dropped(installed: Installed, event: str) -> None:
    before = everything(installed.engine)
    assert post(installed.stand, signed(installed, event, {"ID": "1"})).status_code == 200
    assert everything(installed.engine) == before


@pytest.mark.parametrize(
    "form",
    [
        {}, {"event": "ONAPPINSTALL"}, {"event": "x" * 200, "auth[member_id]": "a"}, {"auth[member_id]": "a"},
        {"event": "ONAPPINSTALL", "auth[member_id]": "a/b"}, {"event": "A", "auth": "text"},
        {"event": "A", "auth[member_id]": "a", **{f"data[{n}]": "1" for n in range(1500)}},
        {"event": "A", "auth[member_id]": "a", "data" + "[x]" * 40: "1"},
    ],
)  # fmt: skip
def test_a_malformed_event_is_400(installed: Installed, form: dict[str, str]) -> None:
    before = everything(installed.engine)
    assert post(installed.stand, form).status_code in (400, 413)
    assert everything(installed.engine) == before


def test_an_event_of_a_megabyte_is_not_read(installed: Installed) -> None:
    assert post(installed.stand, signed(installed, "ONAPPPAYMENT", {"X": "y" * 1_000_000})).status_code == 413


# What people do in the portal ----


def item(installed: Installed, event: str, key: str, item_id: int, **auth: str) -> dict[str, str]:
    """An event about an item of our smart process `key`."""
    number = LaidCrm.from_json(installed.portal().crm).need(key).entity_type_id
    return signed(
        installed,
        f"ONCRMDYNAMICITEM{event}",
        {"FIELDS][ID": str(item_id), "FIELDS][ENTITY_TYPE_ID": str(number)},
        **auth,
    )


def seen(installed: Installed) -> list[tuple[Any, ...]]:
    """What is to be looked at: kind, id, by whom, whether it has gone, how often told."""
    with installed.tx() as tx:
        rows = tx.scalars(select(Sighting).order_by(Sighting.kind, Sighting.remote_id))
        return [(row.kind, row.remote_id, row.user_id, row.gone, row.times) for row in rows]


def test_items_of_ours_are_looked_at_once_however_often_they_are_told_of(installed: Installed) -> None:
    with installed.tx() as tx:
        tx.execute(text("DELETE FROM procrastinate_jobs"))
    for _ in range(3):
        assert post(installed.stand, item(installed, "UPDATE", "bookings", 7, user_id=str(MANAGER))).status_code == 200
    post(installed.stand, item(installed, "ADD", "resources", 7))
    assert seen(installed) == [("item", 7, MANAGER, False, 3), ("resource", 7, None, False, 1)]
    assert _waiting_drains(installed) == 1


def test_the_last_word_says_whether_it_has_gone(installed: Installed) -> None:
    """Events overtake each other; what stands there is read anyway, so an old word costs one look."""
    post(installed.stand, item(installed, "DELETE", "bookings", 7, user_id=str(MANAGER)))
    assert seen(installed) == [("item", 7, MANAGER, True, 1)]
    post(installed.stand, item(installed, "UPDATE", "bookings", 7))
    assert seen(installed) == [("item", 7, MANAGER, False, 2)]


def test_a_smart_process_of_ours_is_known_by_its_number_afterwards(installed: Installed) -> None:
    laid = LaidCrm.from_json(installed.portal().crm).need("bookings")
    post(installed.stand, signed(installed, "ONCRMTYPEDELETE", {"FIELDS][ID": str(laid.id)}))
    post(installed.stand, signed(installed, "ONCRMTYPEUPDATE", {"FIELDS][ID": "999"}))
    assert seen(installed) == [("type", laid.entity_type_id, None, True, 1)]


FOREIGN = (
    ("ONCALENDARENTRYUPDATE", {"id": "41"}),
    ("ONCALENDARENTRYDELETE", {"id": "42"}),
    ("ONCRMDEALUPDATE", {"FIELDS][ID": "43"}),
    ("ONCRMCONTACTDELETE", {"FIELDS][ID": "44"}),
    ("ONCRMCOMPANYUPDATE", {"FIELDS][ID": "45"}),
    ("ONCRMDYNAMICITEMADD", {"FIELDS][ID": "46", "FIELDS][ENTITY_TYPE_ID": "777"}),
    ("ONCRMTYPEUPDATE", {"FIELDS][ID": "777"}),
)


def test_what_is_none_of_ours_costs_a_look_and_no_lock_and_leaves_nothing(installed: Installed) -> None:
    before, statements, drains = everything(installed.engine), list[str](), _waiting_drains(installed)
    here = threading.get_ident()  # the log of calls is written beside

    def note(*args: Any) -> None:
        if threading.get_ident() == here:
            statements.append(args[2])

    event.listen(installed.engine, "before_cursor_execute", note)
    rounds = 20
    for _ in range(rounds):
        for name, data in FOREIGN:
            assert post(installed.stand, signed(installed, name, data)).status_code == 200
    assert len(statements) <= 3 * rounds * len(FOREIGN)
    assert [one for one in statements if not one.lstrip().startswith("SELECT") or " FOR " in one] == []
    assert everything(installed.engine) == before
    assert _waiting_drains(installed) == drains


def test_cards_and_appointments_that_concern_a_booking_are_looked_at(installed: Installed) -> None:
    with installed.tx() as tx:
        portal = tx.get_one(Portal, installed.portal().id)
        room = make_resource(tx, portal, now=installed.stand.now)
        client = ClientData("contact", "Ирина Белова", crm_id=44)
        booking = make_booking(tx, portal, room, now=installed.stand.now, client=client, deal_id=43)
        other = make_portal(tx)
        foreign = make_booking(
            tx, other, make_resource(tx, other, now=installed.stand.now), now=installed.stand.now, deal_id=55,
            client=ClientData("company", "ООО «Ромашка»", crm_id=45),
        )  # fmt: skip
        for one, remote_id in ((booking, 41), (foreign, 42)):
            tx.execute(update(ExternalRef).where(ExternalRef.booking_id == one.id).values(remote_id=remote_id))
    for name, data in FOREIGN:
        post(installed.stand, signed(installed, name, data))
    post(installed.stand, signed(installed, "ONCRMDEALDELETE", {"FIELDS][ID": "55"}))
    assert [row[:2] for row in seen(installed)] == [("contact", 44), ("deal", 43), ("event", 41)]


@pytest.mark.parametrize("data", [{}, {"ID": "7"}, {"FIELDS": "7"}, {"FIELDS][ID": "seven"}, {"FIELDS][ID": "0"}])
def test_an_event_about_nothing_is_400(installed: Installed, data: dict[str, str]) -> None:
    before = everything(installed.engine)
    assert post(installed.stand, signed(installed, "ONCRMDEALUPDATE", data)).status_code == 400
    assert everything(installed.engine) == before


def test_what_people_do_in_the_portal_arrives(installed: Installed) -> None:
    """Through the portal's own sender, with the bindings of the installer."""
    stand = installed.stand
    number = LaidCrm.from_json(installed.portal().crm).need("bookings").entity_type_id
    made = people.add_item(stand.portal, MANAGER, number, {"title": "Сама"})
    stand.deliver()
    assert [row[:3] for row in seen(installed)] == [("item", made["id"], MANAGER)]


# ONAPPINSTALL ----


def test_the_installation_ends_with_a_pair_of_the_servers_own(installed: Installed) -> None:
    pair = installed.pairs()[ADMIN]
    assert pair.origin == "install"
    row = installed.installation()
    assert (row.state, row.application_token) == ("active", installed.card.application_token)


def test_the_first_contact_may_be_the_event_itself(stand: Stand, card: AppCard) -> None:
    card.event_url = APP_URL + manifest().events_handler
    placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    stand.deliver()
    known = Installed(stand, card)
    assert known.installation().state == "active"
    assert known.pairs()[ADMIN].origin == "install"


def test_an_employee_cannot_install_by_an_event_of_his_own(installed: Installed) -> None:
    """He has a token that is genuine and could sign events with a secret that he chose."""
    stand = installed.stand
    token = oauth.issue(stand.portal, stand.portal.users[MANAGER], installed.card, stand.world.now())
    before = everything(installed.engine)
    form = signed(
        installed, "ONAPPINSTALL", application_token="e" * 32, access_token=token.access,
        refresh_token=token.refresh, expires_in="3600", server_endpoint=stand.world.server_endpoint,
    )  # fmt: skip
    assert post(stand, form).status_code == 403
    assert everything(installed.engine) == before


@pytest.mark.parametrize("token", ["", "bogus"])
def test_an_installation_without_a_genuine_token_is_refused(installed: Installed, token: str) -> None:
    before = everything(installed.engine)
    assert post(installed.stand, signed(installed, "ONAPPINSTALL", access_token=token)).status_code == 401
    assert everything(installed.engine) == before


def test_a_bogus_installation_is_asked_about_once(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def app_info(_http: Any, _server: str, token: str, *_: Any) -> Any:
        asked.append(token)
        raise CallerRejected("invalid_token")

    monkeypatch.setattr(oauth_client, "app_info", app_info)
    for _ in range(20):
        assert post(installed.stand, signed(installed, "ONAPPINSTALL", access_token="bogus")).status_code == 401
    assert asked == ["bogus"]


# ONAPPUPDATE ----


def test_a_new_version_of_another_card_ends_nothing(installed: Installed) -> None:
    stand = installed.stand
    other = stand.add_card()
    token = oauth.issue(stand.portal, stand.portal.users[ADMIN], other, stand.world.now())
    before = everything(installed.engine)
    form = signed(
        installed, "ONAPPUPDATE", application_token=other.application_token, access_token=token.access,
        refresh_token=token.refresh, expires_in="3600", server_endpoint=stand.world.server_endpoint,
    )  # fmt: skip
    assert post(stand, form).status_code == 401
    assert everything(installed.engine) == before


def test_a_new_version_brings_a_new_secret_and_runs_the_installer_again(installed: Installed) -> None:
    stand = installed.stand
    apps.update_version(stand.portal, installed.card, ADMIN, new_token=True)
    stand.deliver()
    row = installed.installation()
    assert (row.application_token, row.steps) == (installed.card.application_token, {})
    run_installer(installed.open(ADMIN))
    assert len(stand.portal.placements) == len(manifest().placements)
    placement.finish_install(stand.portal, stand.portal.users[ADMIN], installed.card)
    stand.deliver()
    assert installed.installation().state == "active"
    assert installed.open(MANAGER).bearer


def test_a_new_version_whose_event_was_lost_is_installed_all_the_same(installed: Installed) -> None:
    stand = installed.stand
    apps.update_version(stand.portal, installed.card, ADMIN, new_token=True)
    stand.world.outbox.clear()
    frame = installed.open(ADMIN)
    assert 'data-state="wait"' in frame.page.text
    run_installer(frame)
    assert installed.installation().application_token == installed.card.application_token
    placement.finish_install(stand.portal, stand.portal.users[ADMIN], installed.card)
    stand.deliver()
    assert installed.open(MANAGER).bearer


# ONAPPPAYMENT ----


def test_an_unpaid_application_is_read_only_until_it_is_paid(installed: Installed) -> None:
    stand = installed.stand
    apps.set_payment(stand.portal, installed.card, status="P", expired=True, days=-3)
    stand.deliver()
    assert installed.installation().payment_expired
    apps.set_payment(stand.portal, installed.card, status="P", expired=False, days=30)
    stand.deliver()
    row = installed.installation()
    assert (row.payment_expired, row.status) == (False, "P")
    assert _waiting_drains(installed) == 1


def _waiting_drains(installed: Installed) -> int:
    with installed.tx() as tx:
        query = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'sync.drain' AND status = 'todo'")
        return int(tx.execute(query).scalar_one())


def test_a_frame_corrects_a_payment_whose_event_was_lost(installed: Installed) -> None:
    installed.change(payment_expired=True)
    installed.open(MANAGER)
    assert not installed.installation().payment_expired


# Secrets ----


def test_no_secret_is_logged(installed: Installed, caplog: pytest.LogCaptureFixture) -> None:
    stand = installed.stand
    with caplog.at_level(logging.DEBUG):
        frame = installed.open(SECOND_ADMIN)
        installed.open(SECOND_ADMIN, AUTH_ID="secret-that-is-bogus")
        post(stand, signed(installed, "ONAPPUNINSTALL", application_token="0" * 32))
        apps.set_payment(stand.portal, installed.card, status="P", expired=True)
        stand.deliver()
    said = "\n".join(record.getMessage() for record in caplog.records if record.name.startswith(("b24app", "werkzeug")))
    for secret in (frame.token, frame.bearer, installed.card.application_token, "secret-that-is-bogus", "0" * 32):
        assert secret not in said


def test_every_table_of_the_ledger_is_compared() -> None:
    """`everything` must not overlook one."""
    assert {"portal", "installation", "booking", "admin_token"} <= {table.name for table in Base.metadata.sorted_tables}

"""Tabs in cards of the CRM: whose bookings they list, what is offered to do, and what they never show."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import select

from b24app.booking.clients import ClientData
from b24app.ledger.models import Booking, Client, ExternalRef, Resource
from b24app.sync.laid import LaidCrm
from emulator.seed import CONTACT
from tests.stand import ADMIN, APP_URL, EMPLOYEE, MANAGER, Frame
from tests.web.desk import RULES, Desk, buttons, words
from tests.web.installed import Installed

DEAL, LEAD = "CRM_DEAL_DETAIL_TAB", "CRM_LEAD_DETAIL_TAB"
MARIA = ClientData("contact", "Maria", crm_id=1)
OF_CONTACT, NEW_ONE = "1", "2"  # the leads of the world


@pytest.fixture
def desk(installed: Installed) -> Desk:
    made = Desk(installed, cast(Any, None))
    made.room = made.resource(name="Oka")
    return made


def tab(desk: Desk, place: str = DEAL, card: object = "1", user: int = MANAGER, **asked: Any) -> str:
    return desk.open(user, place=place, options={"ID": str(card)}).get("/app/tab", **asked).text


def drawn(desk: Desk, what: Booking | Resource, item_id: int) -> str:
    """Makes this booking or resource the item of that number; returns the placement of its card."""
    with desk.installed.tx() as tx:
        owner = ExternalRef.booking_id if isinstance(what, Booking) else ExternalRef.resource_id
        tx.scalars(select(ExternalRef).where(owner == what.id, ExternalRef.kind == "item")).one().remote_id = item_id
        laid = LaidCrm.from_json(desk.installed.portal().crm).need(
            "bookings" if isinstance(what, Booking) else "resources"
        )
    items = desk.installed.stand.portal.items.setdefault(laid.entity_type_id, {})
    items[item_id] = {"id": item_id, "title": "Item", "entityTypeId": laid.entity_type_id, "assignedById": MANAGER}
    return f"CRM_DYNAMIC_{laid.entity_type_id}_DETAIL_TAB"


# A deal ----


def test_a_deal_has_a_side_of_its_own_and_one_of_its_client(desk: Desk) -> None:
    desk.book(desk.room, 24, title="Of the deal", deal_id=1, client=MARIA)
    desk.book(desk.room, 30, title="Of another deal", deal_id=2, client=MARIA)
    own, of_client = tab(desk), tab(desk, of="client")
    assert "Of another deal" not in own
    assert "Of another deal" in of_client
    assert re.findall(r'id="of-(\w+)" aria-pressed="(\w+)"', own) == [("card", "true"), ("client", "false")]
    assert words(own)[:200].count("Maria") <= 1
    assert [int(one) for one in re.findall(r'class="cnt mute">(\d+)<', own)] == [1, 2]
    assert 'hx-get="/app/tab?of=client" hx-trigger="b24:refresh"' in of_client, "it stays on this side"


def test_the_next_booking_offers_its_next_step_and_a_menu(desk: Desk) -> None:
    desk.grant("manage", f"U{EMPLOYEE}")
    booking = desk.book(desk.service(), 24, deal_id=1)
    desk.pay(desk.open(EMPLOYEE), booking, 1000)
    page = tab(desk, user=EMPLOYEE)
    said = words(page)
    assert "Take RUB 1,400" in said
    assert "Paid RUB 1,000 of RUB 2,400" in said
    assert "in 24 h" in said
    assert 'data-part="payment"' in page
    assert 'data-part="cancel"' in page
    assert "Take RUB" not in words(tab(desk)), "who may not take money is not asked to"


def test_what_is_over_may_be_had_again(desk: Desk) -> None:
    booking = desk.book(desk.room, 1, deal_id=1)
    desk.change(booking, stage="completed")
    page = tab(desk)
    assert f'hx-get="/app/bookings/new?like={booking.id}"' in page
    assert "Book again" in words(page)


def test_an_empty_deal_says_what_to_do_and_where_its_client_has_bookings(desk: Desk) -> None:
    desk.book(desk.room, 30, title="Of another deal", deal_id=2, client=MARIA)
    page = words(tab(desk))
    assert "This deal has no bookings yet" in page
    assert "has 1 more booking." in page


def test_free_times_lead_to_the_form(desk: Desk) -> None:
    desk.book(desk.service(name="Portrait"), 24, deal_id=1)
    frame = desk.open(place=DEAL, options={"ID": "1"})
    text = frame.get("/app/tab/times").text
    assert "Portrait, 1 h" in words(text)
    urls = [html.unescape(one) for one in re.findall(r'class="slot" type="button" hx-get="([^"]+)"', text)]
    assert len(urls) == 4
    form = frame.client.get(urls[0], headers=frame.headers, base_url=APP_URL)
    assert form.status_code == 200
    assert 'value="2026-03-10"' in form.text


def test_free_times_of_a_portal_with_nothing_to_book(desk: Desk) -> None:
    desk.grant("see", alone=True)
    answer = desk.open(EMPLOYEE, place=DEAL, options={"ID": "1"}).get("/app/tab/times")
    assert answer.status_code == 200
    assert 'class="slot"' not in answer.text


def test_a_deal_that_the_crm_hides_is_not_shown(desk: Desk) -> None:
    page = desk.open(EMPLOYEE, place=DEAL, options={"ID": "3"}).page
    assert 'data-reason="card"' in page.text


# Leads ----


def test_a_lead_of_a_contact_lists_what_that_contact_has(desk: Desk) -> None:
    desk.book(desk.room, 24, title="Hers", client=MARIA)
    desk.book(desk.room, 30, title="Somebody's")
    page = tab(desk, LEAD, OF_CONTACT)
    assert "Hers" in page
    assert "Somebody" not in page


def test_what_is_booked_in_a_lead_is_for_its_contact(desk: Desk) -> None:
    frame = desk.open(place=LEAD, options={"ID": OF_CONTACT})
    form = frame.get("/app/bookings/new", resource=desk.room.id).text
    assert 'id="f-contact_id" value="1"' in form
    assert book_by(frame, form, desk.room).status_code == 200
    with desk.installed.tx() as tx:
        assert tx.scalars(select(Client.crm_id)).all() == [1]


def test_a_lead_that_is_nobody_yet_brings_its_name_and_phone(desk: Desk) -> None:
    frame = desk.open(place=LEAD, options={"ID": NEW_ONE})
    assert "This lead has no bookings yet" in words(frame.page.text)
    form = frame.get("/app/bookings/new", resource=desk.room.id).text
    assert 'value="Вера Полякова"' in form
    assert 'value="8 (999) 000-77-01"' in form
    assert book_by(frame, form, desk.room).status_code == 200
    with desk.installed.tx() as tx:
        (client,) = tx.scalars(select(Client))
    assert (client.kind, client.name, client.phone) == ("person", "Вера Полякова", "+79990007701")


def book_by(frame: Frame, form: str, room: Resource) -> Any:
    """Sends the form as it was proposed."""
    sent = {
        name: html.unescape(value)
        for name, value in re.findall(r'<input [^>]*?name="([\w-]+)"[^>]*?value="([^"]*)"', form)
    }
    return frame.post("/app/bookings", **{**sent, "resource": room.id})


# Items of smart processes ----


def test_the_item_of_a_booking_shows_it_with_its_neighbours(desk: Desk) -> None:
    booking = desk.book(desk.room, 4, title="This")
    desk.book(desk.room, 6, title="Beside")
    desk.book(desk.room, 40, title="Another day")
    desk.book(desk.resource(name="Neva"), 6, title="Elsewhere")
    page = tab(desk, drawn(desk, booking, 31), 31)
    assert "This" in page
    assert "Beside" in page
    assert "Another day" not in page
    assert "Elsewhere" not in page


def test_the_item_of_a_resource_shows_its_bookings_and_its_week(desk: Desk) -> None:
    desk.book(desk.room, 4, title="Here")
    desk.book(desk.resource(name="Neva"), 6, title="Elsewhere")
    place = drawn(desk, desk.room, 32)
    page = desk.open(place=place, options={"ID": "32"}).page.text
    assert 'data-view="week"' in page
    listed = page[page.index('id="tab"') : page.index('id="board"')]
    assert "Here" in listed
    assert "Elsewhere" not in listed


def test_an_item_does_not_show_what_somebody_may_not_see(desk: Desk) -> None:
    booking = desk.book(desk.room, 4, title="Secret")
    place = drawn(desk, booking, 31)
    desk.grant("busy", alone=True)
    assert "Secret" not in tab(desk, place, 31, EMPLOYEE)


def test_any_other_smart_process_lists_what_its_client_has(desk: Desk) -> None:
    portal = desk.installed.stand.portal
    laid = LaidCrm.from_json(desk.installed.portal().crm).need("bookings")
    kind = next(one for one in portal.types.values() if one["entityTypeId"] == laid.entity_type_id)
    portal.types[999] = {**kind, "id": 999, "entityTypeId": 1990, "title": "Projects"}
    item = {"id": 5, "title": "Project", "entityTypeId": 1990, "assignedById": MANAGER, "contactId": 1}
    portal.items[1990] = {5: item}
    assert 1 in portal.items[CONTACT]
    desk.book(desk.room, 24, title="Hers", client=MARIA)
    assert "Hers" in tab(desk, "CRM_DYNAMIC_1990_DETAIL_TAB", 5)


def test_past_requests_are_not_offered_for_decision(desk: Desk) -> None:
    desk.book(desk.service(rules=RULES["manager"]), 1, deal_id=1)
    desk.installed.stand.now += timedelta(hours=0.9)
    assert buttons(tab(desk, user=ADMIN)) == {"confirm"}
    desk.installed.stand.now += timedelta(minutes=7)
    assert buttons(tab(desk, user=ADMIN)) == set()

"""The portal's pages without a browser: who may see what, and the arithmetic of the week on the screen."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask.testing import FlaskClient

from emulator import apps, crm, oauth
from emulator.app import create_emulator
from emulator.pages.week import Span, all_day_on, monday_of, pieces_of
from emulator.pages.when import span_words, week_words, zone_words
from emulator.seed import Hosts, small_world
from emulator.state import AppCard, World

MOSCOW = ZoneInfo("Europe/Moscow")
ADMIN, EMPLOYEE = 1, 5


@pytest.fixture
def world() -> World:
    return small_world(hosts=Hosts("localhost", "127.0.0.1"))


def browser(world: World, user: int | None = ADMIN) -> FlaskClient:
    """A browser at the portal's address, as one of its employees or as nobody yet."""
    client = create_emulator(world).test_client()
    if user is not None:
        client.set_cookie("portal_user", str(user))
    return client


def added_card(world: World) -> AppCard:
    card = apps.add_card(world.portal, apps.CardForm("Бронирование", "http://127.0.0.1:8000/b24/app", scopes=["crm"]))
    card.installed = True
    return card


# Who is looking -------------------------------------------------------------------------------------------------


def test_a_stranger_is_asked_who_he_is_and_comes_back(world: World) -> None:
    client = browser(world, None)
    asked = client.get("/crm/deal/list/?start=0")
    assert asked.location == "/_users?back=/crm/deal/list/?start%3D0"
    chosen = client.post("/_users", data={"user": "1", "back": "/crm/deal/list/?start=0"})
    assert chosen.location == "/crm/deal/list/?start=0"
    assert "SameSite=Lax" in chosen.headers["Set-Cookie"]


@pytest.mark.parametrize("back", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_the_way_back_stays_in_the_portal(world: World, back: str) -> None:
    assert browser(world, None).post("/_users", data={"user": "1", "back": back}).location == "/"


def test_scripts_of_nobody_are_refused(world: World) -> None:
    assert browser(world, None).post("/_layout/open", json={"app_id": 1}).status_code == 403


def test_another_name_of_the_machine_leads_to_the_portal(world: World) -> None:
    client = browser(world)
    answer = client.get("/crm/deal/list/", headers={"Host": "192.0.2.7:8024"})
    assert answer.location == f"{world.portal.origin}/crm/deal/list/"


@pytest.mark.parametrize("path", ["/devops/list/", "/devops/edit/application/0/"])
def test_cards_of_applications_are_for_administrators(world: World, path: str) -> None:
    assert browser(world).get(path).status_code == 200
    assert browser(world, EMPLOYEE).get(path).status_code == 403


def test_a_hidden_deal_is_neither_listed_nor_shown_nor_offered(world: World) -> None:
    hidden = max(world.portal.items[crm.DEAL])
    world.portal.crm_denied[EMPLOYEE] = {hidden}
    title = world.portal.items[crm.DEAL][hidden]["title"] = "Тайная сделка"
    client = browser(world, EMPLOYEE)
    assert client.get(f"/crm/deal/details/{hidden}/").status_code == 403
    for path in ("/crm/deal/list/", "/crm/contact/details/1/", "/_layout/crm?type=deal"):
        assert title not in client.get(path).get_data(as_text=True)
    assert title in browser(world).get("/crm/deal/list/").get_data(as_text=True)


# Frames ---------------------------------------------------------------------------------------------------------


def test_a_frame_is_refreshed_only_by_its_own_visitor_and_application(world: World) -> None:
    card = added_card(world)
    world.clock = lambda: 1_795_500_000.0
    admin = world.portal.users[ADMIN]
    token = oauth.issue(world.portal, admin, card, world.now(), kind="frame")
    asked = {"client_id": card.client_id, "refresh_id": token.refresh}
    assert browser(world, EMPLOYEE).post("/_layout/refresh", json=asked).status_code == 400
    assert browser(world).post("/_layout/refresh", json={**asked, "client_id": "local.other"}).status_code == 400
    assert browser(world).post("/_layout/refresh", json=asked).status_code == 200
    assert browser(world).post("/_layout/refresh", json=asked).status_code == 400


def test_options_of_the_application_are_an_administrators(world: World) -> None:
    card = added_card(world)
    asked = {"client_id": card.client_id, "name": "laid", "value": "yes"}
    assert browser(world, EMPLOYEE).post("/_layout/app-option", json=asked).status_code == 403
    assert browser(world).post("/_layout/app-option", json=asked).get_json() == {"laid": "yes"}
    assert world.portal.app_options[card.client_id] == {"laid": "yes"}


def test_the_uri_of_a_placement_comes_only_from_a_page_of_the_portal(world: World) -> None:
    card = added_card(world)
    client = browser(world)
    asked = {"app_id": card.id, "options": {"n": 1, "list": []}}
    own = client.post(
        "/_layout/open", json=asked, headers={"Referer": f"{world.portal.origin}/crm/deal/details/5/?a=1"}
    )
    assert own.get_json()["init"]["PLACEMENT_OPTIONS"] == {"n": "1", "URI": "/crm/deal/details/5/?a=1"}
    foreign = client.post("/_layout/open", json=asked, headers={"Referer": "https://evil.example/crm/"})
    assert foreign.get_json()["init"]["PLACEMENT_OPTIONS"] == {"n": "1"}


def test_a_removed_application_shows_a_page_of_the_portal(world: World) -> None:
    assert "Приложение удалено" in browser(world).post("/_layout/open", json={"app_id": 999}).get_json()["html"]


# Knobs ----------------------------------------------------------------------------------------------------------


def test_knobs_are_turned_by_the_whole_form(world: World) -> None:
    client = browser(world)
    page = client.get("/_panel/knobs/").get_data(as_text=True)
    assert "token_family" in page
    client.post(
        "/_panel/knobs/", data={"profile": "plain", "token_family": "one", "event_delay_s": "2.5", "unsaved_id": ""}
    )
    knobs = world.knobs
    assert (knobs.token_family, knobs.event_delay_s, knobs.unsaved_id, knobs.event_tokens) == ("one", 2.5, "", False)
    client.post("/_panel/knobs/", data={"profile": "cloud"})
    assert (world.knobs.rate_limit, world.knobs.write_ms) == (True, 150)


# The week -------------------------------------------------------------------------------------------------------

MONDAY = date(2026, 3, 9)


def span(key: int, start: str, end: str) -> Span:
    """A timed event by Moscow's clock in that week."""
    return Span(key, *(datetime.fromisoformat(f"2026-03-{moment}").replace(tzinfo=MOSCOW) for moment in (start, end)))


def test_an_event_over_midnight_stands_on_both_days() -> None:
    night = span(1, "09 23:00", "10 01:30")
    assert [(p.start, p.end) for p in pieces_of(MONDAY, [night], MOSCOW)] == [(1380, 1440)]
    assert [(p.start, p.end) for p in pieces_of(date(2026, 3, 10), [night], MOSCOW)] == [(0, 90)]
    assert pieces_of(date(2026, 3, 11), [night], MOSCOW) == []


def test_an_event_that_ends_at_midnight_is_not_on_the_next_day() -> None:
    assert pieces_of(date(2026, 3, 10), [span(1, "09 22:00", "10 00:00")], MOSCOW) == []


def test_overlapping_events_share_the_width_and_touching_ones_do_not() -> None:
    spans = [span(1, "09 10:00", "09 12:00"), span(2, "09 11:00", "09 12:00"), span(3, "09 12:00", "09 13:00")]
    placed = {p.key: (p.lane, p.lanes) for p in pieces_of(MONDAY, spans, MOSCOW)}
    assert placed == {1: (0, 2), 2: (1, 2), 3: (0, 1)}


def test_a_lane_is_taken_again_when_it_is_free() -> None:
    spans = [span(1, "09 10:00", "09 14:00"), span(2, "09 10:00", "09 11:00"), span(3, "09 11:00", "09 12:00")]
    placed = {p.key: (p.lane, p.lanes) for p in pieces_of(MONDAY, spans, MOSCOW)}
    assert placed == {1: (0, 2), 2: (1, 2), 3: (1, 2)}


def test_a_day_with_a_change_of_the_clocks_keeps_its_wall_clock() -> None:
    berlin, day = ZoneInfo("Europe/Berlin"), date(2026, 3, 29)
    start = datetime(2026, 3, 29, 8, 0, tzinfo=UTC)
    assert [p.start for p in pieces_of(day, [Span(1, start, start + timedelta(hours=1))], berlin)] == [10 * 60]


def test_all_day_events_stand_on_their_dates_whatever_the_zone() -> None:
    start = datetime(2026, 3, 10, tzinfo=UTC)
    leave = Span(1, start, start + timedelta(days=1), date(2026, 3, 10), date(2026, 3, 11))
    shown = [len(all_day_on(MONDAY + timedelta(days=n), [leave])) for n in range(7)]
    assert shown == [0, 1, 1, 0, 0, 0, 0]


def test_weeks_and_spans_are_told_in_words() -> None:
    assert monday_of(date(2026, 3, 15)) == MONDAY
    assert week_words(MONDAY, "ru") == "9–15 марта 2026"
    assert week_words(date(2026, 12, 28), "ru") == "28 декабря 2026 – 3 января 2027"
    start = datetime(2026, 3, 9, 7, 0, tzinfo=UTC)
    assert span_words(start, start + timedelta(hours=2), MOSCOW, "ru") == "9 марта 2026, 10:00–12:00"
    assert zone_words(ZoneInfo("Asia/Kolkata"), start) == "Asia/Kolkata, UTC+5:30"
    assert zone_words(ZoneInfo("America/New_York"), start) == "America/New_York, UTC−4"

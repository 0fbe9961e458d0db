"""The portal's pages in a real Chromium, with a little application on another site that loads the official JS SDK.

The SDK is the file that the application ships, unmodified: what it cannot do here, it could not do in a portal.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request, send_from_directory
from playwright.sync_api import Browser, Frame, Page, expect, sync_playwright
from werkzeug.serving import BaseWSGIServer, make_server

from emulator import apps, calendar_sections, crm, crm_funnel
from emulator.app import create_emulator
from emulator.state import AppCard, Portal, User, World

pytestmark = pytest.mark.browser

VENDOR = Path(__file__).resolve().parents[2] / "static" / "vendor"
SDK = next(VENDOR.glob("b24jssdk-*.min.js")).name
FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
ADMIN, MANAGER, ASSISTANT = 1, 2, 3
NASTY = "<script>window.hacked = 1</script> $result[x][id] 🎉"


@dataclass
class Stage:
    """A running portal and application, and what the application was sent."""

    world: World
    portal: Portal
    card: AppCard
    portal_url: str
    app_url: str
    posts: list[dict[str, str]] = field(default_factory=list)

    def bind(self, code: str, path: str, title: str = "Бронирование") -> None:
        row = {"id": self.portal.next_id("placement"), "client_id": self.card.client_id, "placement": code, "userId": 0}
        texts = {"title": title, "description": "", "groupName": "", "langAll": {}}
        self.portal.placements.append({**row, **texts, "handler": self.app_url + path, "options": {}})


def small_application(posts: list[dict[str, str]]) -> Flask:
    """Every address answers a page with the SDK, and remembers the form it was sent."""
    app = Flask("small_application")

    @app.get("/sdk.js")
    def sdk() -> Any:
        return send_from_directory(VENDOR, SDK)

    @app.route("/<path:place>", methods=["GET", "POST"])
    def page(place: str) -> str:
        posts.append({"place": place, **request.args.to_dict(), **request.form.to_dict()})
        return f'<!doctype html><title>{place}</title><script src="/sdk.js"></script><h1 id="place">{place}</h1>'

    return app


def people() -> dict[int, User]:
    return {
        ADMIN: User(ADMIN, "Ирина", "Белова", "irina@example.org", is_admin=True),
        MANAGER: User(MANAGER, "Мария", "Соколова", "maria@example.org", time_zone="Asia/Yekaterinburg"),
        ASSISTANT: User(ASSISTANT, "Lewis", "Winter", "lewis@example.org", lang="en"),
    }


def furnished(portal: Portal) -> None:
    """Two deals (the second hidden from the assistant), a contact, and a company calendar."""
    author = crm.Author(ADMIN, time.time())
    crm_funnel.add_category(portal, crm.DEAL, {"name": "Общая"})
    crm.add_item(portal, crm.CONTACT, {"name": "Анна", "lastName": NASTY}, author)
    crm.add_item(portal, crm.DEAL, {"title": NASTY, "contactIds": [1], "opportunity": 4800}, author)
    crm.add_item(portal, crm.DEAL, {"title": "Тайная сделка"}, author)
    portal.crm_denied[ASSISTANT] = {2}
    calendar_sections.add_section(portal, "company_calendar", 0, "Компания", ADMIN, time.time())


def serve(app: Any) -> tuple[BaseWSGIServer, int]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, server.server_port


@pytest.fixture
def stage() -> Iterator[Stage]:
    """A portal at http://localhost and an application at http://127.0.0.1: two sites."""
    posts: list[dict[str, str]] = []
    world = World()
    portal = world.add_portal(Portal(member_id="a" * 32, host="", title="Студия «Север»", users=people()))
    app_server, app_port = serve(small_application(posts))
    emulator = create_emulator(world)
    portal_server, port = serve(emulator)
    portal.host = f"localhost:{port}"
    world.auth_host = f"127.0.0.1:{port}"
    furnished(portal)
    app_url = f"http://127.0.0.1:{app_port}"
    form = apps.CardForm(
        "Бронирование", f"{app_url}/main", f"{app_url}/install", scopes=["crm", "placement", "calendar"]
    )
    card = apps.add_card(portal, form)
    card.installed = True
    yield Stage(world, portal, card, f"http://localhost:{port}", app_url, posts)
    for server in (app_server, portal_server):
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


OpenAs = Callable[..., Page]


@pytest.fixture
def open_as(chromium: Browser, stage: Stage) -> Iterator[OpenAs]:
    """Open a path of the portal as somebody; a script error on any page fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800})
    context.set_default_timeout(10_000)
    errors: list[str] = []

    def opened(path: str, user: int = MANAGER) -> Page:
        context.add_cookies([{"name": "portal_user", "value": str(user), "url": stage.portal_url}])
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(stage.portal_url + path)
        return page

    yield opened
    context.close()
    assert errors == []


def app_frame(page: Page, stage: Stage, place: str) -> Frame:
    """The frame that shows this address of the application, once its page is there."""

    def shows(frame: Frame) -> bool:
        return frame.url.startswith(f"{stage.app_url}/{place}?")

    frame = next(filter(shows, page.frames), None) or page.wait_for_event("framenavigated", shows)
    frame.wait_for_selector("#place")
    return frame


def deal_tab(page: Page, stage: Stage) -> Frame:
    page.get_by_role("tab", name="Бронирование").click()
    return app_frame(page, stage, "deal")


READY = "window.b24 = await B24Js.initializeB24Frame(); const b24 = window.b24;"


def in_frame(frame: Frame, script: str, argument: Any = None) -> Any:
    """Run a script with the SDK's frame as ``b24``."""
    return frame.evaluate(f"async (given) => {{ {READY} {script} }}", argument)


# The frame ------------------------------------------------------------------------------------------------------


def test_the_sdk_initialises_in_a_deal_tab_and_knows_where_it_is(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    frame = deal_tab(open_as("/crm/deal/details/1/"), stage)
    told = in_frame(
        frame,
        """return {placement: b24.placement.placement, options: b24.placement.options, admin: b24.auth.isAdmin,
        auth: b24.auth.getAuthData(), slider: b24.placement.isSliderMode, lang: b24.getLang()};""",
    )
    posted = stage.posts[-1]
    assert told["placement"] == posted["PLACEMENT"] == "CRM_DEAL_DETAIL_TAB"
    assert told["options"] == {"ID": "1", "URI": "/crm/deal/details/1/"}
    assert posted["PLACEMENT_OPTIONS"] == '{"ID":"1","URI":"/crm/deal/details/1/"}'
    assert told["auth"]["access_token"] == posted["AUTH_ID"]
    assert told["auth"]["domain"] == stage.portal_url
    assert (told["admin"], told["slider"], told["lang"]) == (False, False, "ru")
    assert posted["DOMAIN"] == stage.portal.host


def test_refresh_rotates_the_pair_of_the_frame(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    frame = deal_tab(open_as("/crm/deal/details/1/"), stage)
    before = stage.posts[-1]
    fresh = in_frame(frame, "return await b24.auth.refreshAuth();")
    again = in_frame(frame, "return await b24.auth.refreshAuth();")
    assert len({before["AUTH_ID"], fresh["access_token"], again["access_token"]}) == 3
    assert before["REFRESH_ID"] not in stage.world.auth.by_refresh
    assert again["refresh_token"] in stage.world.auth.by_refresh


def test_a_tab_may_change_its_height_and_ask_for_fresh_data(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as("/crm/deal/details/1/")
    frame = deal_tab(page, stage)
    in_frame(frame, "await b24.parent.resizeWindow(600, 1234);")
    assert page.locator(".app-layout iframe").evaluate("node => node.offsetHeight") == 1234
    crm.update_item(stage.portal, crm.DEAL, 1, {"opportunity": 9900}, crm.Author(ADMIN, time.time()))
    assert in_frame(frame, "return await b24.placement.call('reloadData');") == []
    page.get_by_role("tab", name="Общие").click()
    expect(page.locator("#general")).to_contain_text("9 900 ₽")


def test_an_unsaved_card_says_so_in_the_id(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    deal_tab(open_as("/crm/deal/details/0/"), stage)
    assert stage.posts[-1]["PLACEMENT_OPTIONS"].startswith('{"ID":"0"')


# Messages -------------------------------------------------------------------------------------------------------

# A question that is always answered follows the message: when its answer comes first, the message was dropped.
SILENCE = "silence"
ASK = """(message) => new Promise((resolve) => {
  addEventListener('message', (event) => {
    if (String(event.data).startsWith('cb1:')) resolve(event.data);
    if (String(event.data).startsWith('cb2:')) resolve('silence');
  });
  const [domain, , sid] = window.name.split('|');
  const put = (value) => typeof value === 'string' ? value.replace('SID', sid) : {...value, appSid: sid};
  parent.postMessage(put(message), 'http://' + domain);
  parent.postMessage(put('getInterface::cb2:SID'), 'http://' + domain);
})"""

TALK: tuple[tuple[Any, str], ...] = (
    ("getInterface::cb1:SID", '{"command":["reloadData"],"event":[]}'),  # BX24.js: always four segments
    ("getInterface:cb1:SID", '{"command":["reloadData"],"event":[]}'),  # b24jssdk: empty segments left out
    ('setScroll:{"scroll":0,"note":"a:b:c"}:cb1:SID', '{"scroll":0,"note":"a:b:c"}'),
    ({"method": "getInterface", "params": "", "callback": "cb1"}, '{"command":["reloadData"],"event":[]}'),
    ('openPath:{"path":"/calendar/"}:cb1:SID', '{"result":"error","errorCode":"PATH_NOT_AVAILABLE"}'),
    ("getInterface::cb1:0123456789abcdef", SILENCE),  # another frame's sid
    ('setTitle:{"title":"x"}:cb1:SID', SILENCE),  # denied in a placement
    ("toString::cb1:SID", SILENCE),  # unknown
    ("getEvents::cb1:SID", SILENCE),  # a command of another placement
)


def test_messages_are_parsed_checked_and_answered(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    frame = deal_tab(open_as("/crm/deal/details/1/"), stage)
    for message, answer in TALK:
        assert frame.evaluate(ASK, message) == (answer if answer == SILENCE else f"cb1:{answer}"), message


def test_a_page_of_another_origin_is_not_heard(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as("/crm/deal/details/1/")
    frame = deal_tab(page, stage)
    with page.expect_event("framenavigated"):
        frame.evaluate("url => { location.href = url; }", stage.app_url.replace("127.0.0.1", "localhost") + "/deal")
    # The portal's page has had every message when this answer, which is not the protocol's, is given.
    page.evaluate("addEventListener('message', (event) => event.source.postMessage('cb2:heard', '*'))")
    assert frame.evaluate(ASK, 'resizeWindow:{"width":"100%","height":777}:cb1:SID') == SILENCE
    assert page.locator(".app-layout iframe").evaluate("node => node.offsetHeight") != 777


# Sliders and dialogs --------------------------------------------------------------------------------------------


def test_open_application_passes_strings_and_answers_when_the_slider_closes(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as("/crm/deal/details/1/")
    frame = deal_tab(page, stage)
    in_frame(
        frame,
        """window.sliderClosed = b24.slider.openSliderAppPage({booking: 42, nested: {yes: true}, empty: [],
        bx24_width: 700, bx24_title: 'Бронь № 42'}).then(() => 'closed');""",
    )
    inner = app_frame(page, stage, "main")
    assert stage.posts[-1]["PLACEMENT"] == "DEFAULT"
    assert in_frame(inner, "return b24.placement.options;") == {
        "booking": "42",
        "nested": {"yes": "true"},
        "URI": "/crm/deal/details/1/",
    }
    slider = page.frame_locator(".slider iframe")
    expect(slider.get_by_role("heading", name="Бронь № 42")).to_be_visible()
    inner.evaluate("() => { window.b24.parent.closeApplication(); }")
    expect(page.locator(".slider")).to_have_count(0)
    assert frame.evaluate("() => window.sliderClosed") == "closed"


def test_open_path_shows_a_portal_page_and_tells_when_it_is_closed(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as("/crm/deal/details/1/")
    frame = deal_tab(page, stage)
    in_frame(frame, "window.path = b24.slider.openPath(b24.slider.getUrl('/calendar/'));")
    slider = page.frame_locator(".slider iframe")
    expect(slider.get_by_role("heading", name="Календарь компании")).to_be_visible()
    page.get_by_role("button", name="Закрыть").click()
    assert frame.evaluate("() => window.path") == {"isOpenAtNewWindow": False, "isClose": True}


def test_people_and_crm_items_are_chosen_in_the_portal(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as("/crm/deal/details/1/", ASSISTANT)
    frame = deal_tab(page, stage)
    in_frame(frame, "window.chosen = b24.dialog.selectUser();")
    page.get_by_label("Мария Соколова").check()
    page.get_by_role("button", name="Select", exact=True).click()
    assert frame.evaluate("() => window.chosen")["id"] == str(MANAGER)
    in_frame(frame, "window.crm = b24.dialog.selectCRM({entityType: ['deal', 'contact'], multiple: true, value: []});")
    expect(page.get_by_text("Тайная сделка")).to_have_count(0)
    page.get_by_label(NASTY).last.check()
    page.get_by_role("button", name="Select", exact=True).click()
    assert [one["id"] for one in frame.evaluate("() => window.crm")["contact"]] == ["C_1"]


# Installation ---------------------------------------------------------------------------------------------------


def test_the_installer_ends_with_the_main_page_and_the_menu(stage: Stage, open_as: OpenAs) -> None:
    stage.card.installed = False
    stage.bind("LEFT_MENU", "/menu", "Доска")
    page = open_as("/devops/list/", ADMIN)
    expect(page.get_by_role("link", name="Доска")).to_have_count(0)
    page.get_by_role("link", name="Установить").click()
    installer = app_frame(page, stage, "install")
    assert in_frame(installer, "return b24.isInstallMode;") is True
    installer.evaluate("() => { window.b24.installFinish(); }")
    main = app_frame(page, stage, "main")
    assert in_frame(main, "return b24.isInstallMode;") is False
    assert stage.card.installed
    page.get_by_role("button", name="Закрыть").click()
    page.get_by_role("link", name="Доска").click()
    app_frame(page, stage, "menu")
    assert stage.posts[-1]["PLACEMENT"] == "LEFT_MENU"


def test_before_the_installation_ends_nobody_else_reaches_the_application(stage: Stage, open_as: OpenAs) -> None:
    stage.card.installed = False
    stage.bind("CRM_DEAL_DETAIL_TAB", "/deal")
    page = open_as(f"/marketplace/app/{stage.card.id}/")
    expect(page.get_by_role("heading", name="Приложение установлено не полностью")).to_be_visible()
    page.goto(f"{stage.portal_url}/crm/deal/details/1/")
    expect(page.get_by_role("tab", name="Бронирование")).to_have_count(0)
    assert stage.posts == []


def test_a_card_is_added_shows_its_credentials_and_is_deleted(stage: Stage, open_as: OpenAs) -> None:
    page = open_as("/devops/edit/application/0/", ADMIN)
    page.get_by_label("Название приложения").fill("Второе")
    page.get_by_label("Путь вашего обработчика").fill("not an address")
    page.get_by_role("button", name="Сохранить").click()
    expect(page.get_by_text("Нужен полный адрес")).to_be_visible()
    page.get_by_label("Путь вашего обработчика").fill(f"{stage.app_url}/main")
    page.get_by_label("crm", exact=True).check()
    page.get_by_role("button", name="Сохранить").click()
    client_id = page.locator("[data-client-id]").inner_text()
    assert stage.portal.apps[client_id].scopes == ["crm"]
    assert page.locator("[data-client-secret]").inner_text() == stage.portal.apps[client_id].client_secret
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Удалить").click()
    page.wait_for_url("**/devops/list/")
    assert client_id not in stage.portal.apps


# Calendar -------------------------------------------------------------------------------------------------------


def test_the_view_of_the_application_follows_the_period_buttons(stage: Stage, open_as: OpenAs) -> None:
    stage.bind("CALENDAR_GRIDVIEW", "/view", "Ресурсы")
    page = open_as("/calendar/?date=2026-03-12")
    page.get_by_role("button", name="Ресурсы").click()
    frame = app_frame(page, stage, "view")
    options = in_frame(frame, "return b24.placement.options;")
    assert (options["viewRangeFrom"], options["viewRangeTo"]) == ("2026-03-09", "2026-03-15")
    in_frame(
        frame,
        """window.heard = [];
        for (const name of ['decreaseViewRangeDate', 'increaseViewRangeDate', 'adjustToDate'])
          await b24.placement.bindEvent('Calendar.customView:' + name, (data) => window.heard.push([name, data]));""",
    )
    for name in ("Следующая неделя", "Предыдущая неделя", "Сегодня"):
        page.get_by_role("button", name=name).click()
    frame.wait_for_function("window.heard.length === 3")
    heard = frame.evaluate("window.heard")
    assert [name for name, _ in heard] == ["increaseViewRangeDate", "decreaseViewRangeDate", "adjustToDate"]
    assert heard[0][1] == {}
    assert heard[2][1] == time.strftime("%Y-%m-%d")


def test_an_event_typed_by_a_person_stands_in_the_week_and_opens(stage: Stage, open_as: OpenAs) -> None:
    page = open_as("/company/personal/user/2/calendar/?date=2026-03-12")
    page.get_by_role("button", name="Новое событие").click()
    page.get_by_label("Название").fill(NASTY)
    page.get_by_label("Начало").fill("2026-03-12T23:00")
    page.get_by_label("Окончание").fill("2026-03-13T01:30")
    page.get_by_role("button", name="Сохранить").click()
    blocks = page.locator(".week-day .event")
    expect(blocks).to_have_count(2)
    assert [block.evaluate("node => node.parentNode.dataset.day") for block in blocks.all()] == [
        "2026-03-12",
        "2026-03-13",
    ]
    blocks.last.click()
    expect(page.get_by_role("dialog")).to_contain_text("12 марта 2026, 23:00 – 13 марта 2026, 01:30")
    expect(page.get_by_role("dialog").get_by_role("heading")).to_have_text(NASTY)


# Pages ----------------------------------------------------------------------------------------------------------


def test_a_hidden_deal_shows_the_portals_own_page(stage: Stage, open_as: OpenAs) -> None:
    page = open_as("/crm/deal/details/2/", ASSISTANT)
    expect(page.get_by_role("heading", name="No access")).to_be_visible()
    assert "Тайная" not in page.content()
    page.goto(f"{stage.portal_url}/crm/deal/list/")
    assert "Тайная" not in page.content()


def test_names_are_shown_verbatim_and_run_nothing(stage: Stage, open_as: OpenAs) -> None:
    page = open_as("/crm/deal/list/")
    page.get_by_role("link", name=NASTY).first.click()
    card = page.frame_locator(".slider iframe")
    expect(card.get_by_role("heading", name=NASTY)).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert all(frame.evaluate("window.hacked") is None for frame in page.frames)


def test_who_you_are_is_chosen_and_changed_without_a_password(stage: Stage, chromium: Browser) -> None:
    page = chromium.new_page()
    page.goto(f"{stage.portal_url}/crm/deal/details/1/")
    page.get_by_role("button", name="Мария Соколова").click()
    expect(page).to_have_url(f"{stage.portal_url}/crm/deal/details/1/")
    page.get_by_role("button", name="Сменить сотрудника: Мария Соколова").click()
    page.locator("#people").get_by_role("button", name="Lewis Winter").click()
    expect(page.get_by_role("link", name="Deals", exact=True)).to_be_visible()
    page.close()

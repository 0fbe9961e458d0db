"""Data a portal starts with: ``demo_world`` for people, ``small_world`` for tests.

Everything is fictional. Five people: two administrators, two managers, an employee who may not see some deals.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from emulator import (
    booking_resources,
    calendar_sections,
    calendar_store,
    calendar_zones,
    crm,
    crm_funnel,
    crm_types,
    methods,
)
from emulator.crm import Author
from emulator.crm_schema import COMPANY, CONTACT, DEAL, LEAD
from emulator.state import AuthServer, Json, Portal, User, World
from emulator.system import ALL_SCOPES

DAY_S = 86400
ADMIN, SECOND_ADMIN, MANAGER, SECOND_MANAGER, EMPLOYEE = 1, 2, 3, 4, 5
DENIED_DEALS = {3, 7, 12}
GROUP = 1
WEBHOOK = "k3v9q0t5x2r7w1zc"

PEOPLE = (
    (ADMIN, "Ирина", "Белова", True, "Europe/Moscow", [1], "F", "Директор студии"),
    (SECOND_ADMIN, "Павел", "Громов", True, "Asia/Yekaterinburg", [1], "M", "Технический директор"),
    (MANAGER, "Анна", "Седова", False, "Europe/Moscow", [2], "F", "Менеджер по бронированию"),
    (SECOND_MANAGER, "Тимур", "Ахметов", False, "Asia/Yekaterinburg", [3], "M", "Менеджер по бронированию"),
    (EMPLOYEE, "Олег", "Лапин", False, "Europe/Moscow", [2], "M", "Стажёр"),
)
COMPANIES = (
    ("ООО «Вектор-Медиа»", "+7 999 000-10-01", "office@vector.example.com"),
    ("АО «Линия света»", "+7 999 000-10-02", "hello@linia.example.com"),
    ("Театр «Пятый ряд»", "+7 999 000-10-03", "kassa@row5.example.com"),
    ("Школа танцев «Шаг»", "+7 999 000-10-04", "step@dance.example.com"),
    ("ИП Воронцова Е. А.", "+7 999 000-10-05", "vorontsova@example.com"),
    ("Студия звука «Камертон»", "+7 999 000-10-06", "info@kamerton.example.com"),
)
CONTACTS = (
    ("Мария", "Ветрова"), ("Сергей", "Дроздов"), ("Алина", "Кузьмина"), ("Егор", "Мельник"), ("Дарья", "Соболь"),
    ("Николай", "Рощин"), ("Юлия", "Тихая"), ("Артём", "Гусев"), ("Вера", "Панина"), ("Илья", "Зорин"),
    ("Ксения", "Лесная"), ("Роман", "Берег"), ("Полина", "Осенняя"), ("Денис", "Крылов"), ("Софья", "Речная"),
    ("Максим", "Горный"),
)  # fmt: skip
DEALS = (
    ("Съёмка каталога весна", 1, 1, 86000, "EXECUTING"), ("Запись подкаста, 10 выпусков", 2, 6, 54000, "PREPARATION"),
    ("Корпоратив: большой зал", 3, 2, 240000, "NEW"), ("Репетиции спектакля", 4, 3, 112000, "EXECUTING"),
    ("Мастер-класс по свету", 5, 2, 38000, "NEW"), ("Аренда танцкласса на сезон", 6, 4, 180000, "EXECUTING"),
    ("Презентация для партнёров", 7, 1, 95000, "PREPARATION"), ("Фотосессия портретная", 8, None, 12000, "NEW"),
    ("Курс йоги, группа выходного дня", 9, None, 46000, "EXECUTING"), ("Озвучка ролика", 10, 6, 27000, "FINAL_INVOICE"),
    ("Детский праздник", 11, None, 33000, "NEW"), ("Съёмка интервью", 12, 1, 41000, "WON"),
    ("Переговорная на квартал", 13, 5, 75000, "EXECUTING"), ("Выставка работ", 14, 3, 68000, "PREPARATION"),
    ("Тренинг для отдела продаж", 15, 2, 120000, "NEW"), ("Открытый урок", 16, 4, 9000, "LOSE"),
    ("Аренда проектора и экрана", 1, 1, 7500, "NEW"), ("Кастинг, два дня", 2, 3, 52000, "PREPARATION"),
    ("Кулинарный класс", 5, None, 29000, "NEW"), ("Запись хора", 10, 6, 61000, "EXECUTING"),
)  # fmt: skip


@dataclass(frozen=True)
class Hosts:
    """Where a world is reached: the portal and the authorization server are different hosts."""

    portal: str = "localhost:8024"
    auth: str = "127.0.0.1:8024"
    protocol: str = "http"


TEST_HOSTS = Hosts("sever.bitrix24.test", "oauth.bitrix.info", "https")


def demo_world(now: float, hosts: Hosts = Hosts()) -> World:
    """The studio with its clients, deals, calendars and one smart process of its own."""
    world, portal = _world(now, hosts, "Студия «Север»")
    _companies_and_contacts(portal, now, len(COMPANIES), len(CONTACTS))
    _deals(portal, now, DEALS)
    _leads(portal, now)
    _requests_process(portal, now)
    _company_events(portal, now)
    bookable(portal, now)
    return world


def small_world(now: float | None = None, hosts: Hosts = TEST_HOSTS) -> World:
    """A little of everything, the same each time: for tests. Events wait until ``event.deliver_due`` is called."""
    now = time.time() if now is None else now
    world, portal = _world(now, hosts, "Север")
    _companies_and_contacts(portal, now, 2, 3)
    _deals(portal, now, DEALS[:4])
    _leads(portal, now)
    return world


def second_portal(world: World, host: str = "yug.bitrix24.test") -> Portal:
    """Another tenant in the same world, with people and deals of its own."""
    now = world.now()
    portal = new_portal(world, now, host, world.auth_protocol, "Юг")
    _companies_and_contacts(portal, now, 2, 3)
    _deals(portal, now, DEALS[:3])
    return portal


def _world(now: float, hosts: Hosts, title: str) -> tuple[World, Portal]:
    assert methods.METHOD_MODULES, "REST methods are registered"
    world = World(auth_host=hosts.auth, auth_protocol=hosts.protocol, auth=AuthServer())
    world.clock = lambda: now
    portal = new_portal(world, now, hosts.portal, hosts.protocol, title)
    return world, portal


def new_portal(world: World, now: float, host: str, protocol: str, title: str) -> Portal:
    """A tenant of a world with its people, calendars and one funnel of deals, and nothing in it."""
    member_id = f"{len(world.portals) + 1:x}"[-2:].rjust(2, "a") + "f3c9e5b7d1a24680" + f"{len(world.portals) + 1:014x}"
    portal = world.add_portal(Portal(member_id=member_id, host=host, protocol=protocol, title=title))
    # Other numbers than 1 for the first type, so that nobody mistakes its id for its entityTypeId.
    portal.counters |= {"type": 11, "category": 17, "status": 100, "section": 3, "event": 1200}
    _people(portal)
    _calendars(portal, now)
    crm_funnel.add_category(portal, DEAL, {"name": "Общее", "sort": 300, "isDefault": "Y"})
    # Each portal has its own secret: a webhook of one must not open the other.
    portal.webhooks[WEBHOOK if len(world.portals) == 1 else f"{WEBHOOK}{len(world.portals)}"] = {
        "user_id": ADMIN,
        "scopes": list(ALL_SCOPES),
    }
    return portal


def _people(portal: Portal) -> None:
    for number, name, parent in ((1, "Студия", None), (2, "Москва", "1"), (3, "Екатеринбург", "1")):
        row: Json = {"ID": str(number), "NAME": name, "SORT": 500}
        portal.departments[number] = row | ({"PARENT": parent} if parent else {})
    portal.groups[GROUP] = {"ID": str(GROUP), "NAME": "Ресурсы"}
    for number, name, last_name, is_admin, zone, departments, gender, position in PEOPLE:
        portal.users[number] = User(
            number, name, last_name, f"user{number}@sever.example.com", is_admin, True, zone, departments,
            [GROUP] if number != EMPLOYEE else [], "ru", gender, position,
        )  # fmt: skip
    portal.crm_denied[EMPLOYEE] = set(DENIED_DEALS)


def _calendars(portal: Portal, now: float) -> None:
    add = calendar_sections.add_section
    add(portal, "company_calendar", 0, "Календарь компании", ADMIN, now, color="#86b100")
    add(portal, "group", GROUP, "Ресурсы", ADMIN, now, color="#e97090")
    for user in portal.users.values():
        add(portal, "user", user.id, user.full_name, user.id, now)


def _companies_and_contacts(portal: Portal, now: float, companies: int, contacts: int) -> None:
    for title, phone, email in COMPANIES[:companies]:
        fields = {"title": title, "fm": _reach(phone, email), "assignedById": MANAGER}
        crm.add_item(portal, COMPANY, fields, Author(ADMIN, now - 200 * DAY_S), quiet=True)
    for number, (name, last_name) in enumerate(CONTACTS[:contacts], start=1):
        reach = _reach(f"+7 999 000-00-{number:02d}", f"client{number}@example.com")
        fields = {"name": name, "lastName": last_name, "fm": reach, "assignedById": MANAGER}
        crm.add_item(portal, CONTACT, fields, Author(MANAGER, now - (150 - number) * DAY_S), quiet=True)


def _reach(phone: str, email: str) -> list[Json]:
    return [
        {"typeId": "PHONE", "valueType": "MOBILE", "value": phone},
        {"typeId": "EMAIL", "valueType": "WORK", "value": email},
    ]


def _deals(portal: Portal, now: float, rows: Any) -> None:
    for number, (title, contact, company, amount, stage) in enumerate(rows):
        fields: Json = {
            "title": title,
            "contactIds": [contact] if contact in portal.items[CONTACT] else [],
            "companyId": company if company in portal.items[COMPANY] else None,
            "opportunity": amount,
            "isManualOpportunity": "Y",
            "stageId": stage,
            "assignedById": MANAGER if number % 2 else SECOND_MANAGER,
        }
        crm.add_item(portal, DEAL, fields, Author(MANAGER, now - (40 - number) * DAY_S), quiet=True)


def _leads(portal: Portal, now: float) -> None:
    """Somebody who is a contact already, and somebody who has only left a name and a phone."""
    rows: tuple[Json, ...] = (
        {"title": "Повторная съёмка", "contactIds": [1]},
        {"title": "Заявка с сайта", "name": "Вера", "lastName": "Полякова", "fm": _reach("8 (999) 000-77-01", "")},
    )
    for row in rows:
        crm.add_item(portal, LEAD, row | {"assignedById": MANAGER}, Author(MANAGER, now - 2 * DAY_S), quiet=True)


def _requests_process(portal: Portal, now: float) -> None:
    """A smart process that people of the studio made themselves; it is not the application's business."""
    fields = {"title": "Заявки на ремонт", "isStagesEnabled": "Y", "isCategoriesEnabled": "Y"}
    kind = crm_types.add_type(portal, fields, Author(SECOND_ADMIN, now - 90 * DAY_S))
    for title in ("Заменить лампы в зале «Б»", "Скрипит дверь переговорной"):
        author = Author(SECOND_ADMIN, now - 3 * DAY_S)
        crm.add_item(portal, kind["entityTypeId"], {"title": title}, author, quiet=True)


def bookable(portal: Portal, now: float) -> None:
    """What the portal itself can book: rooms of the calendar, resources of deals, and of its online booking."""
    for name in ("Переговорная «Волга»", "Переговорная «Нева»", "Кабинет 12"):
        calendar_sections.add_section(portal, "location", 0, name, ADMIN, now)
    for name in ("Проектор", "Микроавтобус"):
        calendar_sections.add_section(portal, "resource", 0, name, ADMIN, now)
    equipment = booking_resources.add_type(portal, "Оборудование", "equipment")["id"]
    experts = booking_resources.add_type(portal, "Специалисты", "expert", templateTypeConfirmation="animate")["id"]
    week: Json = {"timezone": "Europe/Moscow", "weekDays": ["Mon", "Tue", "Wed", "Thu", "Fri"], "slotSize": 60}
    slots = [{**week, "from": 540, "to": 780}, {**week, "from": 840, "to": 1080}]
    booking_resources.add_resource(portal, equipment, "Дым-машина", slots)
    booking_resources.add_resource(portal, experts, "Гримёр", slots, templateTypeConfirmation="animate")


def _company_events(portal: Portal, now: float) -> None:
    """A few entries people made: a weekly meeting, a day off, somebody's private hour."""
    start = int(now // DAY_S * DAY_S)
    writer = calendar_store.Writer(portal.users[ADMIN], now)
    meeting = {"type": "company_calendar", "name": "Планёрка", "rrule": {"FREQ": "WEEKLY", "BYDAY": ["MO"]}}
    meeting |= {"from": _iso(start + 7 * 3600), "to": _iso(start + 8 * 3600), "accessibility": "busy"}
    calendar_store.save_event(portal, writer, meeting)
    private = {"type": "user", "ownerId": ADMIN, "name": "Врач", "private_event": "Y"}
    private |= {"from": _iso(start + DAY_S + 12 * 3600), "to": _iso(start + DAY_S + 13 * 3600)}
    calendar_store.save_event(portal, writer, private)
    absence = {"type": "user", "ownerId": SECOND_MANAGER, "name": "Отпуск", "skip_time": "Y", "accessibility": "absent"}
    absence |= {"from": _iso(start + 9 * DAY_S)[:10], "to": _iso(start + 11 * DAY_S)[:10]}
    calendar_store.save_event(portal, calendar_store.Writer(portal.users[SECOND_MANAGER], now), absence)


def _iso(seconds: float) -> str:
    return calendar_zones.local(int(seconds), "UTC", True).isoformat()

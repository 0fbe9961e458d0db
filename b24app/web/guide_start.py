"""What the guide proposes where nobody has answered anything yet: what stands there already, else what is usual."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from babel.core import get_global

from b24app import texts
from b24app.bitrix.loose import as_map, text
from b24app.booking import configuration_read, holidays
from b24app.booking.configuration import Item
from b24app.booking.guide import GROUPS, Answers, Group, named
from b24app.errors import AppError
from b24app.ledger.models import Portal
from b24app.ledger.session import transaction
from b24app.web.crm import crm
from b24app.web.forms import minutes_of_day
from b24app.web.visit import Visit, current_tenant, services

WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
GROUP_OF = {"room": "rooms", "hall": "rentals", "specialist": "appointments"}
USUAL = {"rooms": 2, "rentals": 1}  # so many are proposed


def proposed(portal: Portal, staff: Mapping[int, str], visit: Visit, now: datetime) -> Answers:
    """(calls) Answers to begin with; hours and days off are those of the portal's calendar."""
    hours = _working_time()
    with transaction(services().engine) as tx:
        present = configuration_read.read(tx, current_tenant(tx).portal, now)
    answers = replace(
        Answers(), time_zone=portal.time_zone, holidays=_country(portal.time_zone), **hours
    )  # fmt: skip
    standing = [one for one in present.resources if not one.archived]
    if standing:
        return _of_standing(answers, standing, portal)
    return filled(answers, replace(answers, what=()), portal.language, staff, visit)


def filled(answers: Answers, before: Answers, language: str, staff: Mapping[int, str], visit: Visit) -> Answers:
    """The same; a group that was chosen just now has something in it to begin with, and people have their names."""
    changed: dict[str, Any] = {}
    for name in answers.what:
        group = answers.group(name)
        if name not in before.what:
            group = _begun(name, group, language, visit)
        changed[name] = _with_names(group, staff) if name == "appointments" else group
    return replace(answers, **changed)


def _with_names(group: Group, staff: Mapping[int, str]) -> Group:
    """Those that the portal does not tell just now are as they were told before."""
    known = {user: name for name, user in named(group).items()} | dict(staff)
    return replace(group, names=tuple(known.get(user, f"№ {user}") for user in group.people))


def _begun(name: str, group: Group, language: str, visit: Visit) -> Group:
    service = group.service or texts.say(language, f"guide.service_of_{name}")
    if name == "appointments":
        return replace(group, people=group.people or (visit.viewer.user_id,), service=service)
    numbers = range(1, USUAL[name] + 1)
    names = tuple(texts.say(language, f"guide.name_of_{name}", number=n) for n in numbers)
    return replace(group, names=group.names or names, service=service)


def _of_standing(answers: Answers, standing: list[Item], portal: Portal) -> Answers:
    """What is there already: the guide proposes nothing beside it."""
    names: dict[str, list[Item]] = {name: [] for name in GROUPS}
    for item in standing:
        name = GROUP_OF.get(str(item.fields["kind"]), "rentals")
        if name != "appointments" or item.fields.get("portal_user_id"):
            names[name].append(item)
    groups: dict[str, Any] = {
        name: replace(
            answers.group(name),
            names=tuple(one.key for one in items),
            people=tuple(one.fields["portal_user_id"] for one in items if name == "appointments"),
            unit="free",
            minutes=30,
            kind=str(items[0].fields["kind"]) if items else answers.group(name).kind,
        )
        for name, items in names.items()
    }
    what = tuple(name for name in GROUPS if groups[name].names)
    return replace(answers, what=what or ("rooms",), crm=portal.level == "B", **groups)


def _country(time_zone: str) -> str:
    """The country of the zone when its holidays are known, else none."""
    code = get_global("zone_territories").get(time_zone, "")
    return code if code in holidays.countries() else ""


def _working_time() -> dict[str, Any]:
    """(calls) What the portal's calendar says of working time; nothing where it does not answer just now.

    https://apidocs.bitrix24.com/api-reference/calendar/calendar-settings-get.html
    """
    try:
        return working_time(as_map(crm().call("calendar.settings.get")))
    except AppError:
        return {}


def working_time(said: Mapping[str, Any]) -> dict[str, Any]:
    """Opening, closing and weekdays out of the calendar's settings; whatever makes no sense is left out."""
    found: dict[str, Any] = {}
    opens, closes = _minute(said.get("work_time_start")), _minute(said.get("work_time_end"))
    if opens is not None and closes is not None and opens < closes:
        found |= {"opens": opens, "closes": closes}
    off = {str(one).upper() for one in as_map(said.get("week_holidays")).values()}
    days = tuple(n for n, name in enumerate(WEEKDAYS) if name not in off)
    return found | ({"weekdays": days} if off and days else {})


def _minute(value: Any) -> int | None:
    """ "9" and "9.30": hours and minutes."""
    hour, _, minute = text(value).partition(".")
    if not (hour.isascii() and hour.isdigit()) or not (minute or "0").isdigit():
        return None
    try:
        return minutes_of_day(hour, minute.ljust(2, "0") if minute else None)
    except ValueError:
        return None

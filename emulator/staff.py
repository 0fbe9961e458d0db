"""People of a portal come, change and go: what an administrator does in the company's structure."""

from __future__ import annotations

from collections.abc import Iterable

from emulator import calendar_sections, event
from emulator.state import Portal, User
from emulator.user import REGISTERED


def add_user(
    portal: Portal,
    name: str,
    last_name: str,
    *,
    is_admin: bool = False,
    departments: Iterable[int] = (1,),
    time_zone: str = "Europe/Moscow",
    position: str = "",
    author: int = 0,
) -> User:
    """Hire somebody: he gets a calendar, and ONUSERADD is told (to applications with the scope ``user``)."""
    with portal.world.lock:
        number = max(portal.users, default=0) + 1
        email = f"user{number}@{portal.host.partition(':')[0]}"
        user = User(number, name, last_name, email, is_admin, time_zone=time_zone, position=position)
        user.departments = list(departments)
        portal.users[number] = user
        calendar_sections.add_section(portal, "user", number, user.full_name, number, portal.world.now())
        data = {
            "ID": number, "ACTIVE": "Y", "EMAIL": email, "NAME": name, "LAST_NAME": last_name, "PERSONAL_GENDER": "",
            "UF_DEPARTMENT": user.departments, "DATE_REGISTER": REGISTERED, "WORK_POSITION": position,
        }  # fmt: skip
        event.emit(portal, "ONUSERADD", data, author)
    portal.world.touch()
    return user


def dismiss(portal: Portal, user_id: int) -> None:
    """His tokens are refused from now on and cannot be refreshed; what he made stays his. No event tells it."""
    _change(portal, user_id, active=False)


def rehire(portal: Portal, user_id: int) -> None:
    """Take him back: tokens that have not expired meanwhile work again."""
    _change(portal, user_id, active=True)


def rename(portal: Portal, user_id: int, name: str, last_name: str) -> None:
    _change(portal, user_id, name=name, last_name=last_name)


def move(portal: Portal, user_id: int, departments: Iterable[int]) -> None:
    _change(portal, user_id, departments=list(departments))


def set_admin(portal: Portal, user_id: int, is_admin: bool) -> None:
    _change(portal, user_id, is_admin=is_admin)


def _change(portal: Portal, user_id: int, **values: object) -> None:
    with portal.world.lock:
        user = portal.users[user_id]
        for name, value in values.items():
            setattr(user, name, value)
    portal.world.touch()

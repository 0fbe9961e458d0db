"""People: ``user.*``, ``profile``, ``access.name`` and notices (``im.notify.*``).

Facts: "api-reference/user", "common/users" and "chats/notifications" of the documentation.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from emulator.call import Call, integer, mapping, method, truth, values
from emulator.errors import RestError, argument_error
from emulator.state import Json, User

USER_SCOPES = "user|user_brief|user_basic"
CONTACTS = ("EMAIL", "PERSONAL_MOBILE", "WORK_PHONE")
BASIC_ONLY = ("LAST_LOGIN", "LAST_ACTIVITY_DATE", "UF_EMPLOYMENT_DATE", "PERSONAL_BIRTHDAY", "DATE_REGISTER")
REGISTERED = "2024-01-15T00:00:00+00:00"


def shown(user: User, scopes: Any) -> Json:
    """A user object; narrower scopes see fewer fields."""
    row: Json = {
        "ID": str(user.id),
        "XML_ID": str(user.id),
        "ACTIVE": user.active,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "SECOND_NAME": "",
        "EMAIL": user.email,
        "LAST_LOGIN": REGISTERED,
        "DATE_REGISTER": REGISTERED,
        "TIME_ZONE": user.time_zone,
        "IS_ONLINE": "N",
        "TIMESTAMP_X": [],
        "LAST_ACTIVITY_DATE": [],
        "PERSONAL_GENDER": user.gender,
        "PERSONAL_WWW": "",
        "PERSONAL_BIRTHDAY": "",
        "PERSONAL_PHOTO": user.photo,
        "PERSONAL_MOBILE": "",
        "PERSONAL_CITY": "",
        "WORK_PHONE": "",
        "WORK_POSITION": user.position,
        "UF_EMPLOYMENT_DATE": "",
        "UF_DEPARTMENT": list(user.departments),
        "USER_TYPE": "extranet" if user.extranet else "employee",
    }
    if "user" in scopes:
        return row
    hidden = BASIC_ONLY + (() if "user_basic" in scopes else CONTACTS)
    return {name: value for name, value in row.items() if name not in hidden}


@method("user.current", scope=USER_SCOPES)
def current(call: Call) -> Any:
    return shown(call.user, call.scopes)


@method("user.get", scope=USER_SCOPES)
def get(call: Call) -> Any:
    given = mapping(call.arg("FILTER")) or {k: v for k, v in call.params.items() if k.upper() in FILTERS}
    wanted = {key.upper().lstrip("=@"): values(value) for key, value in given.items()}
    if "ID" not in wanted and call.arg("ID") not in (None, ""):
        wanted["ID"] = values(call.arg("ID"))
    rows = [user for user in call.portal.users.values() if _passes(user, wanted)]
    rows.sort(key=lambda user: user.id, reverse=str(call.arg("ORDER") or "ASC").upper() == "DESC")
    return call.page([shown(user, call.scopes) for user in rows])


FILTERS = ("ID", "ACTIVE", "NAME", "LAST_NAME", "EMAIL", "UF_DEPARTMENT", "USER_TYPE", "IS_ADMIN")


def _passes(user: User, wanted: dict[str, list[Any]]) -> bool:
    """Does the user pass a filter of lists? Unknown keys are passed over."""
    have: dict[str, list[str]] = {
        "ID": [str(user.id)],
        "NAME": [user.name.lower()],
        "LAST_NAME": [user.last_name.lower()],
        "EMAIL": [user.email.lower()],
        "UF_DEPARTMENT": [str(one) for one in user.departments],
        "USER_TYPE": ["extranet" if user.extranet else "employee"],
    }
    for key, given in wanted.items():
        if key == "ACTIVE" and given and truth(given[0]) != user.active:
            return False
        if key in have and not {str(one).lower() for one in given} & set(have[key]):
            return False
    return True


@method("user.search", scope=USER_SCOPES)
def search(call: Call) -> Any:
    given = mapping(call.arg("FILTER"))
    wanted = str(given.get("FIND") or given.get("NAME") or call.arg("FIND") or "").lower()
    rows = [user for user in call.portal.users.values() if wanted in f"{user.full_name} {user.email}".lower()]
    return call.page([shown(user, call.scopes) for user in rows])


@method("user.admin")
def admin(call: Call) -> Any:
    return call.user.is_admin


def access_codes(user: User) -> set[str]:
    """The codes by which rights are given to this user: himself, his departments, his groups, everybody."""
    departments = {f"{kind}{number}" for number in user.departments for kind in ("D", "DR")}
    return {"AU", f"U{user.id}", *departments, *(f"SG{number}" for number in user.groups)}


@method("user.access")
def access(call: Call) -> Any:
    wanted = {str(one) for one in values(call.need("ACCESS"))}
    return call.user.is_admin or bool(wanted & access_codes(call.user))


@method("access.name")
def access_name(call: Call) -> Any:
    wanted = values(call.arg("ACCESS"))
    if not wanted:
        return False
    found = {code: _access_name(call, str(code)) for code in wanted}
    return {code: row for code, row in found.items() if row}


ROLES = {"A": " (Владелец группы)", "E": " (Модераторы группы)", "K": " (Все участники группы)"}


def _access_name(call: Call, code: str) -> Json | None:
    code, _, role = code.partition("_")
    kind, number = code.rstrip("0123456789"), integer(code.lstrip("ADGRSU"), 0)
    user = call.portal.user(number) if kind == "U" else None
    if user:
        return {"provider": "Пользователь", "name": user.full_name, "provider_id": "user"}
    department = call.portal.departments.get(number) if kind in ("D", "DR") else None
    if department:
        return {"provider": "Отдел", "name": department["NAME"], "provider_id": "intranet"}
    group = call.portal.groups.get(number) if kind == "SG" else None
    if group:
        name = f"{group['NAME']}{ROLES.get(role, '')}"
        return {"provider": "Группа соцсети", "name": name, "provider_id": "socnetgroup"}
    return {"provider": "", "name": "Все авторизованные пользователи", "provider_id": "other"} if code == "AU" else None


@method("profile")
def profile(call: Call) -> Any:
    user = call.user
    delta = datetime.fromtimestamp(call.now, ZoneInfo(user.time_zone)).utcoffset()
    return {
        "ID": str(user.id),
        "ADMIN": user.is_admin,
        "NAME": user.name,
        "LAST_NAME": user.last_name,
        "PERSONAL_GENDER": user.gender,
        **({"PERSONAL_PHOTO": user.photo} if user.photo else {}),
        "TIME_ZONE": user.time_zone,
        "TIME_ZONE_OFFSET": int(delta.total_seconds()) if delta else 0,
    }


# Notices --------------------------------------------------------------------------------------------------------


def notify(call: Call, kind: str) -> int:
    """Put a notice to a user; one with the same TAG replaces the earlier."""
    user = call.portal.user(integer(call.arg("USER_ID") or call.arg("TO"), 0))
    if user is None:
        raise RestError("USER_ID_EMPTY", "User ID can't be empty")
    if not call.arg("MESSAGE"):
        raise RestError("MESSAGE_EMPTY", "Message can't be empty")
    tag = str(call.arg("TAG") or "")
    if tag:
        call.portal.notices = [row for row in call.portal.notices if (row["user_id"], row["tag"]) != (user.id, tag)]
    number = call.portal.next_id("notice")
    row: Json = {
        "id": number,
        "user_id": user.id,
        "author_id": call.user.id if kind == "personal" else 0,
        "message": str(call.arg("MESSAGE")),
        "tag": tag,
        "sub_tag": str(call.arg("SUB_TAG") or ""),
        "at": call.now,
        "read": False,
    }
    call.portal.notices.append(row)
    return number


@method("im.notify.personal.add", scope="im", write=True)
def notify_personal(call: Call) -> Any:
    return notify(call, "personal")


@method("im.notify.system.add", scope="im", write=True)
def notify_system(call: Call) -> Any:
    return notify(call, "system")


@method("im.notify", scope="im", write=True)
def notify_any(call: Call) -> Any:
    return notify(call, "personal" if str(call.arg("TYPE") or "USER").upper() == "USER" else "system")


@method("im.notify.delete", scope="im", write=True)
def notify_delete(call: Call) -> Any:
    number, tag = integer(call.arg("ID"), 0), str(call.arg("TAG") or "")
    if not number and not tag:
        raise argument_error("ID")
    kept = [row for row in call.portal.notices if row["id"] != number and (not tag or row["tag"] != tag)]
    removed = len(kept) < len(call.portal.notices)
    call.portal.notices = kept
    return removed

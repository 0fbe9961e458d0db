"""Project groups and their members: ``sonet_group.*``.

Facts: "api-reference/sonet-group" of the documentation. Who owns a group is nowhere said in the stand, so it is the
administrator; everybody else is a plain member.
"""

from __future__ import annotations

from typing import Any

from emulator.call import Call, integer, mapping, method
from emulator.errors import RestError
from emulator.state import Json, User


@method("sonet_group.get", scope="sonet_group")
def get(call: Call) -> Any:
    wanted = {str(key).upper(): value for key, value in mapping(call.arg("FILTER")).items()}
    rows = [row for row in call.portal.groups.values() if _passes(row, wanted)]
    return call.page(sorted(rows, key=lambda row: str(row["NAME"])))


def _passes(row: Json, wanted: dict[str, Any]) -> bool:
    part, number = str(wanted.get("%NAME", "")).lower(), wanted.get("ID")
    return part in str(row["NAME"]).lower() and (number is None or str(number) == str(row["ID"]))


@method("sonet_group.user.get", scope="sonet_group")
def members(call: Call) -> Any:
    number = integer(call.arg("ID"), 0)
    if number not in call.portal.groups:
        raise RestError("", "Socialnetwork group not found")
    users = [user for user in call.portal.users.values() if user.active and number in user.groups]
    return [{"USER_ID": str(user.id), "ROLE": _role(user)} for user in users]


@method("sonet_group.user.groups", scope="sonet_group")
def own(call: Call) -> Any:
    groups = [call.portal.groups[number] for number in call.user.groups if number in call.portal.groups]
    return [{"GROUP_ID": row["ID"], "GROUP_NAME": row["NAME"], "ROLE": _role(call.user)} for row in groups]


def _role(user: User) -> str:
    return "A" if user.is_admin else "K"

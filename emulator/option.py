"""Small storage of applications: ``app.option.*`` and ``user.option.*``. Values are strings.

Facts: "api-reference/common/settings" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator.call import Call, mapping, method, or_list
from emulator.errors import RestError, argument_error
from emulator.phpform import text
from emulator.state import Json, Portal


def set_options(portal: Portal, store: dict[str, Json], key: str, given: Json) -> Json:
    """Keep options and return all of them; used by the frame's setAppOption and setUserOption too."""
    row = store.setdefault(key, {})
    row |= {name: "" if value is None else text(value) for name, value in given.items()}
    portal.world.touch()
    return row


def _read(call: Call, row: Json) -> Any:
    name = call.arg("option")
    return row.get(str(name)) if name not in (None, "") else or_list(row)


def _written(call: Call) -> Json:
    given = mapping(call.arg("options"))
    if not given:
        raise argument_error("options", "options is empty")
    return given


@method("app.option.get", app_only=True)
def app_get(call: Call) -> Any:
    return _read(call, call.portal.app_options.get(call.client_id, {}))


@method("app.option.set", app_only=True)
def app_set(call: Call) -> Any:
    if not call.user.is_admin:
        raise RestError("ACCESS_DENIED", "Administrator authorization required", 403)
    set_options(call.portal, call.portal.app_options, call.client_id, _written(call))
    return True


def _own(call: Call) -> str:
    return f"{call.client_id}:{call.user.id}"


@method("user.option.get", app_only=True)
def user_get(call: Call) -> Any:
    return _read(call, call.portal.user_options.get(_own(call), {}))


@method("user.option.set", app_only=True)
def user_set(call: Call) -> Any:
    set_options(call.portal, call.portal.user_options, _own(call), _written(call))
    return True

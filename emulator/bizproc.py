"""Robots of applications: ``bizproc.robot.*``, ``bizproc.event.send`` and ``bizproc.activity.log``.

How placed robots run is in ``bizproc_runs.py``. Facts: "bizproc/bizproc-robot" and "bizproc/bizproc-activity" of the
documentation.
"""

from __future__ import annotations

from typing import Any

from emulator import bizproc_runs
from emulator.bizproc_check import checked, code_of, invalid
from emulator.call import Call, mapping, method
from emulator.errors import RestError, access_denied
from emulator.state import Json


def check_application(call: Call) -> None:
    """Robots and triggers belong to an application and are an administrator's; a webhook is refused in these words."""
    if call.card is None:
        raise access_denied("Access denied! Application context required")
    call.require_admin()


def _find(call: Call, code: str) -> Json | None:
    rows = call.portal.robots
    return next((row for row in rows if (row["client_id"], row["CODE"]) == (call.client_id, code)), None)


def _found(call: Call) -> Json:
    row = _find(call, code_of(call))
    if row is None:
        raise RestError("ERROR_ACTIVITY_NOT_FOUND", "Activity or Robot not found!")
    return row


@method("bizproc.robot.add", scope="bizproc", write=True)
def add(call: Call) -> Any:
    check_application(call)
    given = {key.upper(): value for key, value in call.params.items()}
    if not given:
        raise invalid("Empty data!")
    code = code_of(call)
    kept = checked(call, {"HANDLER": "", "NAME": "", **given})
    if _find(call, code):
        raise RestError("ERROR_ACTIVITY_ALREADY_INSTALLED", "Activity or Robot already installed!")
    empty = {"AUTH_USER_ID": 0, "USE_SUBSCRIPTION": "", "DESCRIPTION": "", "PROPERTIES": {}, "RETURN_PROPERTIES": {},
             "DOCUMENT_TYPE": [], "FILTER": {}, "USE_PLACEMENT": "N", "PLACEMENT_HANDLER": ""}  # fmt: skip
    call.portal.robots.append({"client_id": call.client_id, "CODE": code, **empty, **kept})
    return True


@method("bizproc.robot.update", scope="bizproc", write=True)
def update(call: Call) -> Any:
    check_application(call)
    row = _found(call)
    kept = checked(call, {key.upper(): value for key, value in mapping(call.arg("FIELDS")).items()})
    if not kept:
        raise invalid("No fields to update")
    row |= kept
    return True


@method("bizproc.robot.delete", scope="bizproc", write=True)
def delete(call: Call) -> Any:
    check_application(call)
    call.portal.robots.remove(_found(call))
    return True


@method("bizproc.robot.list", scope="bizproc")
def codes(call: Call) -> Any:
    check_application(call)
    return [row["CODE"] for row in call.portal.robots if row["client_id"] == call.client_id]


@method("bizproc.event.send", scope="bizproc", write=True)
def send(call: Call) -> Any:
    """The answer of a robot that is waited for; later robots of the stage go on before this returns."""
    run = _waiting(call)
    text = str(call.arg("LOG_MESSAGE") or "")
    bizproc_runs.answer(call.portal, run, mapping(call.arg("RETURN_VALUES")), text)
    return True


@method("bizproc.activity.log", scope="bizproc", write=True)
def log(call: Call) -> Any:
    run = _waiting(call)
    if not call.arg("LOG_MESSAGE"):
        raise RestError("ERROR_EMPTY_LOG_MESSAGE", "Empty log message!")
    bizproc_runs.note(call.portal, run, str(call.arg("LOG_MESSAGE")))
    return True


def _waiting(call: Call) -> Json:
    """The run that waits for the answer with this token; a used, stopped or timed-out one is refused."""
    run = bizproc_runs.waiting(call.portal, str(call.arg("EVENT_TOKEN") or ""))
    if run is None:
        raise access_denied()
    return run

"""Robots and triggers placed on stages by an administrator; REST cannot place them.

A stage is named by its whole code or its tail. Conditions and values may hold ``{=Document:TITLE}`` and
``{=<name of a placed robot>:<code of a result>}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from emulator import bizproc_runs
from emulator.bizproc_check import automated, suits
from emulator.crm_rights import denied
from emulator.errors import RestError
from emulator.people import Person, who
from emulator.people_admin import find_stage
from emulator.state import Json, Portal

When = Sequence[Any] | None


def place_robot(
    portal: Portal, user: Person, entity_type_id: int, stage: str, code: str, properties: Json | None = None, *,
    wait: bool | None = None, timeout: int = 0, run_as: int = 0, when: When = None,
) -> Json:  # fmt: skip
    """Put an application's robot on a stage; raises NOT_FOUND when its code is unknown or not for this kind."""
    robot = bizproc_runs.robot_of(portal, code)
    if robot is None or not suits(robot, entity_type_id):
        raise RestError("NOT_FOUND", f"Робота {code} здесь нет")
    given = {"code": code, "properties": dict(properties or {}), "wait": wait, "timeout": timeout, "run_as": run_as}
    return _place(portal, user, entity_type_id, stage, "robot", given, when)


def place_move(
    portal: Portal, user: Person, entity_type_id: int, stage: str, to_stage: str, *, when: When = None
) -> Json:
    """The built-in robot "change the stage"."""
    target = find_stage(portal, entity_type_id, to_stage)
    given = {"toStage": target["STATUS_ID"], "toCategory": int(target["CATEGORY_ID"] or 0)}
    return _place(portal, user, entity_type_id, stage, "move", given, when)


def place_set(
    portal: Portal, user: Person, entity_type_id: int, stage: str, fields: Json, *, when: When = None
) -> Json:
    """The built-in robot "change the element"."""
    return _place(portal, user, entity_type_id, stage, "set", {"fields": dict(fields)}, when)


def place_wait(portal: Portal, user: Person, entity_type_id: int, stage: str, seconds: float) -> Json:
    """The built-in robot "pause"."""
    return _place(portal, user, entity_type_id, stage, "wait", {"seconds": seconds}, None)


def place_trigger(portal: Portal, user: Person, entity_type_id: int, stage: str, code: str) -> Json:
    """Put a trigger on a stage: executing it moves an item there."""
    return _place(portal, user, entity_type_id, stage, "trigger", {"code": code}, None)


def _place(portal: Portal, user: Person, entity_type_id: int, stage: str, kind: str, given: Json, when: When) -> Json:
    if not who(portal, user).is_admin:
        raise denied()
    if not automated(portal, entity_type_id):
        raise RestError("ACCESS_DENIED", "Автоматизация выключена", 400)
    with portal.world.lock:
        number = portal.next_id("placed")
        row: Json = {
            "id": number,
            "name": f"A{number}_{number}_{number}",
            "entityTypeId": entity_type_id,
            "stageId": find_stage(portal, entity_type_id, stage)["STATUS_ID"],
            "kind": kind,
            "when": list(when) if when else None,
            **given,
        }
        portal.placed.append(row)
    portal.world.touch()
    return row


def unplace(portal: Portal, user: Person, placed_id: int) -> None:
    """Take a robot or trigger off its stage; runs under way pass over it."""
    if not who(portal, user).is_admin:
        raise denied()
    with portal.world.lock:
        portal.placed = [row for row in portal.placed if row["id"] != placed_id]
    portal.world.touch()


def runs(portal: Portal, entity_type_id: int | None = None, item_id: int | None = None) -> list[Json]:
    """What robots did, the latest run first."""
    return [
        run
        for run in reversed(list(portal.runs.values()))
        if entity_type_id in (None, run["entityTypeId"]) and item_id in (None, run["itemId"])
    ]

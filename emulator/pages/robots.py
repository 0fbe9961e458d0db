"""Robots and triggers of a funnel, placed by an administrator stage by stage; and the log of what robots did."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from flask import abort, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from emulator import bizproc_runs, people_automation
from emulator.bizproc_check import automated, suits
from emulator.crm_schema import DEAL
from emulator.errors import RestError
from emulator.pages import records
from emulator.pages.edit import kind_title
from emulator.pages.viewer import Viewer, admin
from emulator.pages.when import moment_words
from emulator.state import Json

SHOWN = 100


def show_automation(entity_type: int, error: str = "") -> str:
    """The stages of a funnel with what stands on them, and a form that places one thing more."""
    me = admin()
    title = kind_title(me, entity_type)
    funnels = me.portal.categories.get(entity_type, {})
    category = request.args.get("category", next(iter(funnels), 0), int)
    return render_template(
        "portal/robots.html",
        heading=f"{me.t('automation')}: {title}",
        entity_type=entity_type,
        category=category,
        funnels=[(number, row["name"]) for number, row in funnels.items()],
        working=automated(me.portal, entity_type),
        columns=[_column(me, entity_type, stage) for stage in records.stages(me, entity_type, category)],
        robots=_robots(me, entity_type),
        triggers=list(me.portal.triggers),
        fields=[(one.name, records.label(me, one)) for one in records.fields(me, entity_type).values() if one.writable],
        error=error,
    )


def _column(me: Viewer, entity_type: int, stage: records.Stage) -> Json:
    rows = bizproc_runs.placed_on(me.portal, entity_type, stage.id)
    return {"stage": stage, "rows": [{"id": row["id"], "name": row["name"], "text": _words(me, row)} for row in rows]}


def _words(me: Viewer, row: Json) -> str:
    """One robot or trigger in words."""
    if row["kind"] == "trigger":
        return f"{me.t('trigger')}: {row['code']}"
    if row["kind"] == "robot":
        known = bizproc_runs.robot_of(me.portal, row["code"])
        return _name(me, known) if known else f"{row['code']} – {me.t('blocked')}"
    more = {"move": "toStage", "set": "fields", "wait": "seconds"}[row["kind"]]
    value = _stage_name(me, row[more]) if row["kind"] == "move" else row[more]
    text = ", ".join(f"{name} = {one}" for name, one in value.items()) if isinstance(value, dict) else value
    return f"{me.t('robot_' + row['kind'])}: {text}"


def _stage_name(me: Viewer, stage_id: str) -> str:
    return next(
        (str(row["NAME"]) for row in list(me.portal.statuses.values()) if row["STATUS_ID"] == stage_id), stage_id
    )


def _name(me: Viewer, robot: Json) -> str:
    name = robot["NAME"]
    return str(name.get(me.lang) or next(iter(name.values()))) if isinstance(name, dict) else str(name)


def _robots(me: Viewer, entity_type: int) -> list[Json]:
    """What can be placed: the robots of applications that belong here, with the inputs of their properties."""
    return [
        {
            "code": row["CODE"],
            "name": _name(me, row),
            "waits": row["USE_SUBSCRIPTION"],
            "properties": [
                {"code": code, "name": _name(me, one), "default": one.get("DEFAULT") or ""}
                for code, one in row["PROPERTIES"].items()
            ],
        }
        for row in me.portal.robots
        if suits(row, entity_type)
    ]


def place(entity_type: int) -> Response | tuple[str, int]:
    """Place what the form says on its stage."""
    me, form = admin(), request.form
    maker = MAKERS.get(form.get("what", ""))
    if maker is None:
        abort(400)
    try:
        maker(me, entity_type, form)
    except RestError as error:
        return show_automation(entity_type, error.text or str(error.code)), 422
    return redirect(f"/crm/automation/{entity_type}/?category={form.get('category', '0')}")


def _when(form: MultiDict[str, str]) -> list[str] | None:
    return [form["when_left"], form.get("when_right", "")] if form.get("when_left") else None


def _place_robot(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    properties = {key.removeprefix("property_"): form[key] for key in form if key.startswith("property_") and form[key]}
    people_automation.place_robot(
        me.portal, me.user, kind, form["stage"], form["code"], properties,
        wait=bool(form.get("wait")), timeout=int(form.get("timeout") or 0), when=_when(form),
    )  # fmt: skip


def _place_move(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    people_automation.place_move(me.portal, me.user, kind, form["stage"], form["to_stage"], when=_when(form))


def _place_set(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    fields: dict[str, Any] = {form["field"]: form.get("value", "")}
    people_automation.place_set(me.portal, me.user, kind, form["stage"], fields, when=_when(form))


MAKERS = {
    "robot": _place_robot,
    "move": _place_move,
    "set": _place_set,
    "wait": lambda me, kind, form: people_automation.place_wait(
        me.portal, me.user, kind, form["stage"], float(form.get("seconds") or 0)
    ),
    "trigger": lambda me, kind, form: people_automation.place_trigger(
        me.portal, me.user, kind, form["stage"], form["code"]
    ),
}


def take_off(entity_type: int) -> Response:
    me = admin()
    people_automation.unplace(me.portal, me.user, request.form.get("placed", 0, int))
    return redirect(f"/crm/automation/{entity_type}/?category={request.form.get('category', '0')}")


# The log --------------------------------------------------------------------------------------------------------


def show_runs() -> str:
    """What robots did, the latest run first."""
    me = admin()
    with me.world.lock:
        rows = [_run(me, run) for run in people_automation.runs(me.portal)[:SHOWN]]
    return render_template("portal/runs.html", rows=rows)


def _run(me: Viewer, run: Json) -> Json:
    kind = run["entityTypeId"]
    known = kind == DEAL or any(row["entityTypeId"] == kind for row in me.portal.types.values())
    return {
        "id": run["id"],
        "when": moment_words(datetime.fromtimestamp(run["startedAt"], UTC), me.zone, me.lang),
        "item": records.item_part(me, kind, run["itemId"]) if known else records.Part(str(run["itemId"])),
        "stage": run["stageId"],
        "status": me.t(f"run_{run['status']}"),
        "log": [
            f"{datetime.fromtimestamp(line['at'], UTC).astimezone(me.zone):%H:%M:%S} {line['text']}"
            for line in run["log"]
        ],
    }

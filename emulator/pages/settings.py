"""Settings of the CRM for administrators: smart processes, their stages and funnels, and who may do what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import abort, redirect, render_template, request
from werkzeug.datastructures import MultiDict
from werkzeug.wrappers import Response

from emulator import people, people_admin
from emulator.crm_base import stages
from emulator.crm_rights import ACTIONS
from emulator.crm_schema import type_of
from emulator.crm_types import FLAGS
from emulator.errors import RestError
from emulator.pages import records
from emulator.pages.edit import kind_title
from emulator.pages.viewer import Viewer, admin
from emulator.state import Json


def show_settings(entity_type: int, error: str = "") -> str:
    """A kind of item (a smart process or deals): its title and switches, its funnels with their stages."""
    me = admin()
    funnels = me.portal.categories.get(entity_type, {}).values()
    return render_template(
        "portal/crm_settings.html",
        heading=kind_title(me, entity_type),
        entity_type=entity_type,
        kind=type_of(me.portal, entity_type),
        flags=FLAGS,
        funnels=[{**row, "stages": stages(me.portal, entity_type, row["id"])} for row in funnels],
        error=error,
    )


def change_settings(entity_type: int) -> Response | tuple[str, int]:
    """A button of the page; ``act`` says which."""
    me, form = admin(), request.form
    change = CHANGES.get(form.get("act", ""))
    if change is None:
        abort(400)
    try:
        change(me, entity_type, form)
    except RestError as error:
        return show_settings(entity_type, error.text or str(error.code)), 422
    gone = entity_type not in records.NAMES and type_of(me.portal, entity_type) is None
    return redirect("/" if gone else f"/crm/settings/{entity_type}/")


def _save_type(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    flags = {name: "Y" if form.get(name) else "N" for name in FLAGS}
    people_admin.change_type(me.portal, me.user, kind, title=form["title"], **flags)


def _save_stage(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    stage = form["stage"]
    people_admin.rename_stage(me.portal, me.user, kind, stage, form["name"])
    people_admin.recolour_stage(me.portal, me.user, kind, stage, form["color"])
    people_admin.reorder_stage(me.portal, me.user, kind, stage, int(form["sort"]))


def _add_stage(me: Viewer, kind: int, form: MultiDict[str, str]) -> None:
    people_admin.add_stage(
        me.portal, me.user, kind, form["code"], form["name"], sort=int(form["sort"] or 10), color=form["color"],
        semantics=form["semantics"], category_id=int(form["category"]),
    )  # fmt: skip


CHANGES: dict[str, Callable[[Viewer, int, MultiDict[str, str]], Any]] = {
    "type": _save_type,
    "delete_type": lambda me, kind, form: people_admin.delete_type(me.portal, me.user, kind, with_items=True),
    "stage": _save_stage,
    "add_stage": _add_stage,
    "delete_stage": lambda me, kind, form: people_admin.delete_stage(
        me.portal, me.user, kind, form["stage"], move_to=form.get("move_to", "")
    ),
    "funnel": lambda me, kind, form: people_admin.rename_funnel(
        me.portal, me.user, kind, form["name"], int(form["category"])
    ),
    "add_funnel": lambda me, kind, form: people_admin.add_funnel(me.portal, me.user, kind, form["name"]),
    "delete_funnel": lambda me, kind, form: people_admin.delete_funnel(me.portal, me.user, kind, int(form["category"])),
}


# Rights ---------------------------------------------------------------------------------------------------------


def show_rights() -> str:
    """Who may do what with which items; administrators stand in no table."""
    me = admin()
    kinds = {number: me.t(f"{name}s" if name != "company" else "companies") for name, number in records.KINDS.items()}
    kinds |= {row["entityTypeId"]: str(row["title"]) for row in me.portal.types.values()}
    users = [user for user in me.portal.users.values() if user.active and not user.is_admin]
    return render_template(
        "portal/crm_rights.html",
        actions=ACTIONS,
        rows=[
            {"user": user, "number": number, "kind": title, "allowed": _allowed(me, user.id, number)}
            for user in users
            for number, title in kinds.items()
        ],
    )


def _allowed(me: Viewer, user_id: int, kind: int) -> list[str]:
    given = me.portal.crm_rights.get(user_id, {}).get(kind)
    return list(ACTIONS) if given is None else given.split()


def change_rights() -> Response:
    """Save one line of the table."""
    me, form = admin(), request.form
    row: Json = {"user": form.get("user", 0, int), "kind": form.get("kind", 0, int)}
    actions = " ".join(name for name in ACTIONS if form.get(name))
    people.allow(me.portal, row["user"], row["kind"], actions)
    return redirect("/crm/rights/")

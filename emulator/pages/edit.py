"""Changing cards by hand: the form, dragging, copying, deleting, comments, merging; and the recycle bin."""

from __future__ import annotations

from typing import Any

from flask import abort, redirect, render_template, request
from werkzeug.wrappers import Response

from emulator import people
from emulator.crm_rights import may
from emulator.crm_schema import type_of
from emulator.errors import RestError
from emulator.pages import forms, records
from emulator.pages.cards import no_access
from emulator.pages.viewer import Viewer, admin, viewer
from emulator.pages.when import moment_words, parse_moment
from emulator.state import Json


def kind_title(me: Viewer, entity_type: int) -> str:
    """What items of a kind are called; 404 for a kind that is not there."""
    if entity_type in records.NAMES:
        return me.t(records.NAMES[entity_type])
    kind = type_of(me.portal, entity_type)
    if kind is None:
        abort(404)
    return str(kind["title"])


def framed(path: str) -> Response:
    """Go on to a page, in the slider if this one stands in it."""
    return redirect(path + ("?IFRAME=Y" if request.args.get("IFRAME") == "Y" else ""))


def show_form(entity_type: int, item_id: int) -> str | tuple[str, int]:
    """The form of a card; number 0 is an item that is not there yet."""
    me = viewer()
    kind_title(me, entity_type)
    if not may(me.portal, me.user, "update" if item_id else "add", entity_type, item_id):
        return no_access(me), 403
    item = records.read_item(me, entity_type, item_id) if item_id else {"categoryId": _funnel_asked(me, entity_type)}
    return (no_access(me), 403) if item is None else _form(me, entity_type, item_id, item, "")


def _funnel_asked(me: Viewer, entity_type: int) -> int:
    known = me.portal.categories.get(entity_type, {})
    asked = request.args.get("category", 0, int)
    return asked if asked in known else next(iter(known), 0)


def _form(me: Viewer, entity_type: int, item_id: int, item: Json, error: str) -> str:
    shown = forms.inputs(me, entity_type, item)
    if error:
        shown = [_as_typed(one) for one in shown]
    return render_template(
        "portal/edit.html",
        heading=records.title_of(item) if item_id else me.t("new_item"),
        kind=kind_title(me, entity_type),
        entity_type=entity_type,
        item_id=item_id,
        category=item.get("categoryId"),
        inputs=shown,
        reach=item.get("fm") or [],
        reachable="fm" in records.fields(me, entity_type),
        error=error,
    )


def _as_typed(one: forms.Input) -> forms.Input:
    return forms.Input(one.name, one.label, one.kind, request.form.getlist(one.name), one.choices, one.multiple)


def save(entity_type: int, item_id: int) -> Response | tuple[str, int]:
    """Save what was changed, with the viewer's rights, and show the card."""
    me = viewer()
    given = forms.changed(me, entity_type, request.form)
    try:
        if item_id:
            people.edit_item(me.portal, me.user, entity_type, item_id, given)
        else:
            category = request.form.get("category", 0, int)
            item_id = people.add_item(me.portal, me.user, entity_type, {"categoryId": category, **given})["id"]
    except RestError as error:
        item = records.read_item(me, entity_type, item_id) or {"categoryId": request.form.get("category", 0, int)}
        return _form(me, entity_type, item_id, item, error.text or me.t("refused")), 422
    return framed(records.item_url(entity_type, item_id))


def move(entity_type: int, item_id: int) -> Response | tuple[str, int]:
    """Drag a card (the script wants no page in return), or choose its stage in the card."""
    me = viewer()
    try:
        people.move_card(me.portal, me.user, entity_type, item_id, request.form["stage"])
    except RestError as error:
        return error.text or me.t("refused"), 403
    if request.form.get("dragged"):
        return "", 204
    return framed(records.item_url(entity_type, item_id))


ACTS: dict[str, Any] = {
    "delete": lambda me, kind, item_id, form: people.delete_item(me.portal, me.user, kind, item_id),
    "copy": lambda me, kind, item_id, form: people.copy_item(me.portal, me.user, kind, item_id)["id"],
    "comment": lambda me, kind, item_id, form: people.comment(me.portal, me.user, kind, item_id, form["text"]),
    "merge": lambda me, kind, item_id, form: people.merge_items(
        me.portal, me.user, kind, item_id, [int(form["other"])]
    ),
}


def act(entity_type: int, item_id: int) -> Response | tuple[str, int]:
    """A button of the card: ``act`` says which."""
    me, wanted = viewer(), request.form.get("act", "")
    if wanted not in ACTS or (wanted == "merge" and not request.form.get("other")):
        abort(400)
    try:
        number = ACTS[wanted](me, entity_type, item_id, request.form)
    except RestError as error:
        page = render_template(
            "portal/standin.html", heading=me.t("refused"), text=error.text or str(error.code), picture="lock"
        )
        return page, 403
    if wanted == "delete":
        return framed(_list_of(entity_type))
    return framed(records.item_url(entity_type, number if wanted == "copy" else item_id))


def _list_of(entity_type: int) -> str:
    if entity_type in records.NAMES:
        return f"/crm/{records.NAMES[entity_type]}/list/"
    return f"/crm/type/{entity_type}/kanban/category/0/"


# The bin --------------------------------------------------------------------------------------------------------


def show_bin() -> str:
    """What was deleted and can come back, of the kinds this viewer may read."""
    me = viewer()
    rows = [row for row in people.bin_rows(me.portal) if may(me.portal, me.user, "read", row["entityTypeId"])]
    return render_template("portal/bin.html", rows=[_bin_row(me, row) for row in rows])


def _bin_row(me: Viewer, row: Json) -> Json:
    moment = parse_moment(row["deletedTime"])
    return {
        **row,
        "kind": kind_title(me, row["entityTypeId"]) if _known(me, row["entityTypeId"]) else "",
        "who": records.user_part(me, row["deletedBy"]).text,
        "when": moment_words(moment, me.zone, me.lang) if moment else "",
    }


def _known(me: Viewer, entity_type: int) -> bool:
    return entity_type in records.NAMES or type_of(me.portal, entity_type) is not None


def restore() -> Response | tuple[str, int]:
    me, form = viewer(), request.form
    try:
        item = people.restore_item(me.portal, me.user, int(form["kind"]), int(form["item"]))
    except RestError:
        return no_access(me), 403
    return redirect(records.item_url(item["entityTypeId"], item["id"]))


def empty_bin() -> Response:
    me = admin()
    people.empty_bin(me.portal, me.user)
    return redirect("/crm/recyclebin/")

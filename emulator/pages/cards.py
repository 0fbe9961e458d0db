"""Leads, deals, contacts and companies: lists, cards with the tabs of applications, and a small form for a new one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from flask import redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from emulator import placement
from emulator.errors import RestError
from emulator.pages import card_side, records
from emulator.pages.frames import layout
from emulator.pages.records import COMPANY, CONTACT, DEAL, KINDS, Part
from emulator.pages.viewer import Viewer, viewer
from emulator.pages.when import moment_words, parse_moment
from emulator.state import Json

PLURAL = {"lead": "leads", "deal": "deals", "contact": "contacts", "company": "companies"}
PAGE = 50
LINKED = 30
# The fields of the left column, in the portal's order; what is not listed stands under "system fields".
ABOUT = {
    "lead": ("title", "name", "lastName", "companyTitle", "fm", "contactIds", "companyId", "assignedById", "comments"),
    "deal": (
        "title",
        "stageId",
        "opportunity",
        "contactIds",
        "companyId",
        "assignedById",
        "begindate",
        "closedate",
        "comments",
    ),
    "contact": ("name", "secondName", "lastName", "fm", "companyId", "assignedById", "comments"),
    "company": ("title", "fm", "assignedById", "comments"),
}
SYSTEM = (
    "id",
    "createdTime",
    "createdBy",
    "updatedTime",
    "updatedBy",
    "categoryId",
    "opened",
    "sourceId",
    "xmlId",
    "originId",
)


@dataclass(frozen=True)
class Tab:
    """A tab that an application has bound to the card; its frame is loaded when the tab is opened."""

    id: str
    title: str
    layout: Json


@dataclass(frozen=True)
class Paging:
    total: int
    previous: str
    next: str


def show_list(kind: str) -> str:
    """A page of 50, newest first, with what this viewer may see."""
    me, start = viewer(), max(0, request.args.get("start", 0, int))
    items = records.visible_items(me, KINDS[kind])
    rows = [_list_row(me, kind, item) for item in items[start : start + PAGE]]
    page = paging(start, len(items))
    return render_template("portal/list.html", kind=kind, rows=rows, heading=me.t(PLURAL[kind]), page=page)


def paging(start: int, total: int) -> Paging:
    """The addresses of the pages before and after this one."""
    before = f"?start={max(0, start - PAGE)}" if start else ""
    after = f"?start={start + PAGE}" if start + PAGE < total else ""
    return Paging(total, before, after)


def _list_row(me: Viewer, kind: str, item: Json) -> Json:
    common = {
        "id": item["id"],
        "title": records.title_of(item),
        "responsible": records.user_part(me, item["assignedById"]).text,
    }
    if kind == "deal":
        amount = records.money_words(item.get("opportunity"), item.get("currencyId"))
        return {
            **common,
            "stage": records.stage_of(me, DEAL, item),
            "clients": records.clients(me, item),
            "amount": amount,
        }
    return {
        **common,
        "contacts": _multifield(item, "PHONE"),
        "emails": _multifield(item, "EMAIL"),
        "company": records.clients(me, {"companyId": item.get("companyId")}),
    }


def _multifield(item: Json, kind: str) -> str:
    """Phones or addresses of a contact or company, as the list shows them."""
    return ", ".join(str(one.get("value", "")) for one in item.get("fm") or [] if one.get("typeId") == kind)


def show_card(kind: str, item_id: int) -> str | tuple[str, int]:
    """The card of an item; number 0 is a new one, not saved yet."""
    me = viewer()
    if item_id == 0:
        return _new_card(me, kind, {}, "")
    item = records.read_item(me, KINDS[kind], item_id)
    if item is None:
        return no_access(me), 403
    own = [name for name in records.fields(me, KINDS[kind]) if name.startswith(("ufCrm", "UF_CRM", "parentId"))]
    return render_template(
        "portal/card.html",
        kind=kind,
        item=item,
        heading=records.title_of(item),
        tabs=app_tabs(me, kind.upper(), str(item_id)),
        about=records.field_rows(me, KINDS[kind], item, [*ABOUT[kind], *own]),
        system=records.field_rows(me, KINDS[kind], item, SYSTEM),
        people=_people(me, item),
        linked=_linked(me, KINDS[kind], item_id),
        moments=moments(me, item),
        steps=records.steps(me, DEAL, item) if kind == "deal" else [],
        **card_side.side(me, KINDS[kind], item),
    )


def no_access(me: Viewer) -> str:
    """The portal's page for an item that is not there or not for this viewer; it does not say which."""
    return render_template(
        "portal/standin.html", heading=me.t("no_access"), text=me.t("no_access_item"), picture="lock"
    )


def _people(me: Viewer, item: Json) -> list[Json]:
    """The client block: each contact and company with its phones and addresses."""
    found = []
    for part in records.clients(me, item):
        other_type, other_id = (CONTACT if "/contact/" in part.url else COMPANY), _id_in(part.url)
        other = records.read_item(me, other_type, other_id) if other_id else None
        words = ", ".join(filter(None, (_multifield(other or {}, "PHONE"), _multifield(other or {}, "EMAIL"))))
        found.append({"part": part, "words": words})
    return found


def _id_in(url: str) -> int:
    return int(url.rstrip("/").rpartition("/")[2] or 0) if url else 0


def _linked(me: Viewer, entity_type: int, item_id: int) -> list[Json]:
    """Items of smart processes that name this one as parent or client, newest first, and a client's deals."""
    kinds = {int(kind["entityTypeId"]): str(kind["title"]) for kind in list(me.portal.types.values())}
    if entity_type != DEAL:
        kinds = {DEAL: me.t("deals"), **kinds}
    found = [{"kind": title, "items": _children(me, number, entity_type, item_id)} for number, title in kinds.items()]
    return [group for group in found if group["items"]]


def _children(me: Viewer, number: int, parent_type: int, parent_id: int) -> list[Json]:
    rows = [row for row in records.visible_items(me, number) if _names(row, parent_type, parent_id)]
    return [
        {"part": records.item_part(me, number, row["id"]), "stage": records.stage_of(me, number, row)}
        for row in rows[:LINKED]
    ]


def _names(row: Json, parent_type: int, parent_id: int) -> bool:
    own = {CONTACT: [row.get("contactId"), *(row.get("contactIds") or [])], COMPANY: [row.get("companyId")]}
    return parent_id in [row.get(f"parentId{parent_type}"), *own.get(parent_type, [])]


def moments(me: Viewer, item: Json) -> list[Json]:
    """The history tab: what the item itself tells about its past, newest first, then its timeline comments."""
    told = (
        ("createdTime", "createdBy", "history_created"),
        ("movedTime", "movedBy", "history_moved"),
        ("updatedTime", "updatedBy", "history_changed"),
    )
    found = [(parse_moment(item.get(when)), me.t(word), item.get(who)) for when, who, word in told]
    rows: list[Json] = [
        {"at": at, "what": what, "who": records.user_part(me, who).text if who else ""} for at, what, who in found if at
    ]
    rows = sorted([*rows, *card_side.comments(me, item)], key=lambda row: row["at"], reverse=True)
    return [{**row, "when": moment_words(row["at"], me.zone, me.lang)} for row in rows]


def app_tabs(me: Viewer, kind: str, item_id: str) -> list[Tab]:
    """The tabs that applications have bound to cards of a kind: DEAL, DYNAMIC_156…"""
    code = f"CRM_{kind}_DETAIL_TAB"
    return [
        Tab(
            f"rest_{one['row']['id']}",
            one["title"],
            layout(one["card"], code=code, row=one["row"], options={"ID": item_id}, mode="tab"),
        )
        for one in placement.widgets(me.portal, me.user, code)
    ]


def _new_card(me: Viewer, kind: str, values: Any, error: str) -> str:
    """The unsaved card. What an application is told of it differs between portals: a knob."""
    choices = {
        name: [Part(records.title_of(one), str(one["id"])) for one in records.visible_items(me, number)]
        for name, number in (("contacts", CONTACT), ("companies", COMPANY))
    }
    tabs = app_tabs(me, kind.upper(), me.world.knobs.unsaved_id)
    return render_template(
        "portal/new.html", kind=kind, heading=me.t(f"new_{kind}"), tabs=tabs, values=values, error=error, **choices
    )


def create(kind: str) -> Response | tuple[str, int]:
    """Save a new card with the viewer's rights and open it."""
    me, form = viewer(), request.form
    try:
        item = me.ask("crm.item.add", {"entityTypeId": KINDS[kind], "fields": _fields(kind, form)})["item"]
    except RestError as error:
        return _new_card(me, kind, form, error.text), 422
    me.world.touch()
    framed = "Y" if request.args.get("IFRAME") == "Y" else None
    return redirect(url_for("pages.show_crm_card", kind=kind, item_id=item["id"], IFRAME=framed))


def _fields(kind: str, form: Any) -> Json:
    """What a person typed, as fields of a new item; nothing is put in for what he left empty."""
    phone = [{"typeId": "PHONE", "valueType": "WORK", "value": form["phone"]}] if form.get("phone") else None
    given = {
        "title": form.get("title"),
        "name": form.get("name"),
        "lastName": form.get("last_name"),
        "fm": phone,
        "opportunity": form.get("opportunity"),
        "contactIds": [form["contact"]] if form.get("contact") else None,
        "companyId": form.get("company"),
    }
    allowed = {
        "lead": {"title", "name", "lastName", "fm", "companyId"},
        "deal": {"title", "opportunity", "contactIds", "companyId"},
        "contact": {"name", "lastName", "fm", "companyId"},
        "company": {"title", "fm"},
    }[kind]
    return {name: value for name, value in given.items() if name in allowed and value}

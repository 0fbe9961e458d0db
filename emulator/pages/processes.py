"""Smart processes: the funnel as a kanban, the list, the card with every field. ``edit.py`` changes them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from flask import abort, redirect, render_template, request
from werkzeug.wrappers import Response

from emulator.pages import card_side, records
from emulator.pages.cards import PAGE, app_tabs, moments, no_access, paging
from emulator.pages.records import Part, Stage
from emulator.pages.viewer import Viewer, viewer
from emulator.pages.when import parse_moment, span_words
from emulator.state import Json

COLUMN = 50
# Shown in the heading or the client block, or of no use to a reader.
NOT_SHOWN = ("title", "contacts", "entityTypeId", "isManualOpportunity", "contactId")
SYSTEM = (
    "id",
    "xmlId",
    "createdTime",
    "createdBy",
    "updatedTime",
    "updatedBy",
    "movedTime",
    "movedBy",
    "opened",
    "webformId",
    "lastActivityBy",
    "lastActivityTime",
    "previousStageId",
    "sourceId",
    "sourceDescription",
    "utmSource",
    "utmMedium",
    "utmCampaign",
    "utmContent",
    "utmTerm",
    "taxValue",
    "currencyId",
    "mycompanyId",
)


def show_kanban(entity_type: int, category_id: int) -> str | Response:
    """The funnel by stages, newest cards first. Category 0 is the main funnel; without stages there is only a list."""
    me, kind = viewer(), _kind(entity_type)
    funnels = _funnels(me, entity_type)
    category_id = _funnel(funnels, category_id)
    columns = records.stages(me, entity_type, category_id)
    if not columns:
        return redirect(f"/crm/type/{entity_type}/list/category/{category_id}/" + _frame_query())
    items = [one for one in records.visible_items(me, entity_type) if one.get("categoryId") == category_id]
    spans = _span_fields(me, entity_type)
    return render_template(
        "portal/kanban.html",
        heading=str(kind["title"]),
        entity_type=entity_type,
        category_id=category_id,
        funnels=funnels,
        columns=[
            _column(me, spans, stage, [one for one in items if one.get("stageId") == stage.id]) for stage in columns
        ],
    )


def _frame_query() -> str:
    return "?IFRAME=Y" if request.args.get("IFRAME") == "Y" else ""


def _kind(entity_type: int) -> Json:
    found = next((one for one in viewer().portal.types.values() if one["entityTypeId"] == entity_type), None)
    if found is None:
        abort(404)
    return found


def _funnels(me: Viewer, entity_type: int) -> dict[int, str]:
    """The funnels of a type by id, the main one first."""
    rows = me.portal.categories.get(entity_type, {}).values()
    return {
        int(one["id"]): str(one["name"])
        for one in sorted(rows, key=lambda one: one.get("isDefault") not in ("Y", True))
    }


def _funnel(funnels: dict[int, str], asked: int) -> int:
    """The funnel to show: the one asked for, or the main one."""
    return asked if asked in funnels else next(iter(funnels), asked)


def _column(me: Viewer, spans: list[str], stage: Stage, items: list[Json]) -> Json:
    total = sum(float(one.get("opportunity") or 0) for one in items)
    return {
        "stage": stage,
        "count": len(items),
        "more": max(0, len(items) - COLUMN),
        "sum": records.money_words(total, me.portal.currency) if total else "",
        "cards": [_tile(me, spans, one) for one in items[:COLUMN]],
    }


def _tile(me: Viewer, spans: list[str], item: Json) -> Json:
    """What a kanban card shows: title, amount, client, deal, and a time span if the type has a pair of datetimes."""
    deal = item.get("parentId2")
    amount = item.get("opportunity")
    return {
        "id": item["id"],
        "title": records.title_of(item),
        "when": _span(me, spans, item),
        "clients": ", ".join(part.text for part in records.clients(me, item)),
        "deal": records.item_part(me, records.DEAL, int(deal)).text if deal else "",
        "amount": records.money_words(amount, item.get("currencyId")) if amount else "",
    }


def _span_fields(me: Viewer, entity_type: int) -> list[str]:
    """The custom datetimes of a type, by REST name."""
    known = records.fields(me, entity_type)
    return [name for name, one in known.items() if one.type == "datetime" and _custom(name)]


def _span(me: Viewer, names: list[str], item: Json) -> str:
    """The first two filled custom datetimes as one span, in the viewer's zone."""
    found = [moment for name in names if (moment := parse_moment(item.get(name)))]
    if len(found) < 2:
        return ""
    return span_words(found[0], found[1], me.zone, me.lang, datetime.fromtimestamp(me.now, UTC).year)


def _custom(name: str) -> bool:
    return name.lower().startswith(("ufcrm", "uf_crm"))


def show_list(entity_type: int, category_id: int) -> str:
    """Items of a funnel, 50 a page, newest first; category 0 is the main funnel."""
    me, kind = viewer(), _kind(entity_type)
    funnels = _funnels(me, entity_type)
    category_id, start = _funnel(funnels, category_id), max(0, request.args.get("start", 0, int))
    items = [one for one in records.visible_items(me, entity_type) if one.get("categoryId") == category_id]
    spans = _span_fields(me, entity_type)
    rows = [
        {
            **_tile(me, spans, one),
            "stage": records.stage_of(me, entity_type, one),
            "clients": records.clients(me, one),
            "responsible": records.user_part(me, one.get("assignedById")).text,
        }
        for one in items[start : start + PAGE]
    ]
    return render_template(
        "portal/process_list.html",
        heading=str(kind["title"]),
        rows=rows,
        page=paging(start, len(items)),
        entity_type=entity_type,
        category_id=category_id,
        funnels=funnels,
        staged=bool(records.stages(me, entity_type, category_id)),
    )


def show_card(entity_type: int, item_id: int) -> str | tuple[str, int]:
    """Every field of an item with its label, those of applications first."""
    me, kind = viewer(), _kind(entity_type)
    item = records.read_item(me, entity_type, item_id) if item_id else None
    if item is None:
        return no_access(me), 403
    shown = [name for name in records.fields(me, entity_type) if name not in NOT_SHOWN and name not in SYSTEM]
    return render_template(
        "portal/process_card.html",
        item=item,
        heading=records.title_of(item),
        kind=str(kind["title"]),
        steps=records.steps(me, entity_type, item),
        client=records.clients(me, item),
        moments=moments(me, item),
        tabs=app_tabs(me, f"DYNAMIC_{entity_type}", str(item_id)),
        about=_rows(me, entity_type, item, sorted(shown, key=lambda name: not _custom(name))),
        system=_rows(me, entity_type, item, SYSTEM),
        **card_side.side(me, entity_type, item),
    )


def _rows(me: Viewer, entity_type: int, item: Json, names: Iterable[str]) -> list[records.Row]:
    """Rows of named fields; a machine's epoch seconds are told as a moment too."""
    return [_with_moment(me, row) for row in records.field_rows(me, entity_type, item, names)]


def _with_moment(me: Viewer, row: records.Row) -> records.Row:
    if not row.name.lower().endswith("ts") or len(row.value) != 1 or not row.value[0].text.isdecimal():
        return row
    moment = datetime.fromtimestamp(int(row.value[0].text), UTC)
    return records.Row(row.name, row.label, [Part(f"{row.value[0].text} ({moment:%Y-%m-%d %H:%M} UTC)")])

"""The form of a card: an input for every field a person can write, and what he changed in it.

Only fields that were changed are saved, as in a real card: each input carries what it showed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from werkzeug.datastructures import MultiDict

from emulator.crm_schema import COMPANY, CONTACT, DEAL, Field
from emulator.pages import records
from emulator.pages.viewer import Viewer
from emulator.pages.when import parse_moment
from emulator.products import short_code
from emulator.state import Json

OFFERED = 300  # items in one list of choices
LINKS = {"crm_contact": CONTACT, "crm_company": COMPANY}
PLAIN = {"companyId": COMPANY, "mycompanyId": COMPANY, "contactId": CONTACT}
HIDDEN = ("contactId", "companyIds", "fm", "webformId", "leadId", "quoteId", "categoryId", "opened", "export")
FIRST = ("title", "name", "lastName", "stageId")
LATE = ("utmSource", "utmMedium", "utmCampaign", "utmContent", "utmTerm", "xmlId", "sourceId", "sourceDescription")


@dataclass(frozen=True)
class Input:
    """One input: ``kind`` is text, number, date, datetime-local, select or textarea; ``values`` are what it shows."""

    name: str
    label: str
    kind: str
    values: list[str]
    choices: list[tuple[str, str]] = field(default_factory=list)
    multiple: bool = False

    @property
    def was(self) -> str:
        return "\n".join(self.values)


def inputs(me: Viewer, entity_type: int, item: Json) -> list[Input]:
    """The inputs of a card, the fields of applications before the rarely used ones."""
    known = [one for one in records.fields(me, entity_type).values() if one.writable and one.name not in HIDDEN]
    known.sort(key=_order)
    return [_input(me, entity_type, item, one) for one in known]


def _order(one: Field) -> int:
    """The name and the stage first, then the fields of applications, then the rest."""
    if one.name in FIRST:
        return FIRST.index(one.name)
    return 90 if one.name in LATE else 50 if one.upper.startswith("UF_") else 70


def _input(me: Viewer, entity_type: int, item: Json, one: Field) -> Input:
    value = item.get(one.name)
    shown = [_shown(me, one, part) for part in (value if isinstance(value, list) else [value]) if part is not None]
    choices = _choices(me, entity_type, item, one)
    kind = "select" if choices is not None else KINDS.get(one.type, "text")
    if one.multiple and kind != "select":
        kind = "textarea"
    return Input(one.name, records.label(me, one), kind, shown, choices or [], one.multiple)


KINDS = {"datetime": "datetime-local", "date": "date", "integer": "number"}


def _shown(me: Viewer, one: Field, value: Any) -> str:
    """A value as its input shows it: moments in the viewer's zone."""
    if one.type in ("datetime", "date"):
        moment = parse_moment(value)
        if moment is None:
            return ""
        return moment.date().isoformat() if one.type == "date" else f"{moment.astimezone(me.zone):%Y-%m-%dT%H:%M}"
    return str(value)


def _choices(me: Viewer, entity_type: int, item: Json, one: Field) -> list[tuple[str, str]] | None:
    """What a person chooses from; None where he types."""
    if one.type == "boolean":
        return [("Y", me.t("yes")), ("N", me.t("no"))]
    if one.type == "crm_status" and one.name == "stageId":
        known = records.stages(me, entity_type, int(item.get("categoryId") or 0))
        return [(stage.id, stage.name) for stage in known]
    if one.type in ("user", "employee"):
        users = list(me.portal.users.values())
        return [(str(user.id), user.full_name) for user in users if user.active or user.id == item.get(one.name)]
    if one.type == "enumeration":
        rows = [row for row in list(me.portal.userfields.values()) if row["fieldName"] == one.upper]
        return [(str(option["id"]), str(option["value"])) for row in rows for option in row["enum"]]
    if one.type == "crm":
        return _bindings(me, one)
    parent = one.name.removeprefix("parentId")
    kind = LINKS.get(one.type) or PLAIN.get(one.name) or (int(parent) if parent.isdecimal() else 0)
    return _items(me, kind, "") if kind else None


def _items(me: Viewer, kind: int, prefix: str) -> list[tuple[str, str]]:
    rows = records.visible_items(me, kind)[:OFFERED]
    return [(f"{prefix}{row['id']}", f"{records.title_of(row)} · {row['id']}") for row in rows]


def _bindings(me: Viewer, one: Field) -> list[tuple[str, str]]:
    """Items of the kinds that the settings of a binding allow."""
    kinds = {"DEAL": DEAL, "CONTACT": CONTACT, "COMPANY": COMPANY}
    kinds |= {f"DYNAMIC_{row['entityTypeId']}": row["entityTypeId"] for row in list(me.portal.types.values())}
    allowed = [number for name, number in kinds.items() if str(one.settings.get(name, "N")) in ("Y", "1", "True")]
    return [pair for number in allowed for pair in _items(me, number, short_code(number) + "_")]


# What came back -------------------------------------------------------------------------------------------------


def changed(me: Viewer, entity_type: int, form: MultiDict[str, str]) -> Json:
    """The fields a person changed in the form, as REST takes them."""
    found: Json = {}
    for name, one in records.fields(me, entity_type).items():
        if f"was_{name}" not in form:
            continue
        values = [value for part in form.getlist(name) for value in _lines(one, part)]
        if values != [line for line in form[f"was_{name}"].splitlines() if line]:
            found[name] = _given(me, one, values)
    return found | _reach(form)


def _lines(one: Field, text: str) -> Iterable[str]:
    return [line.strip() for line in text.splitlines() if line.strip()] if one.multiple else [text] if text else []


def _given(me: Viewer, one: Field, values: list[str]) -> Any:
    if one.multiple:
        return [_written(me, one, value) for value in values]
    return _written(me, one, "\n".join(values)) if values else ""


def _written(me: Viewer, one: Field, value: str) -> str:
    """A typed value: a moment stands in the viewer's zone, a day in none."""
    if one.type != "datetime":
        return value
    try:
        return datetime.fromisoformat(value).replace(tzinfo=me.zone).isoformat()
    except ValueError:
        return value


def _reach(form: MultiDict[str, str]) -> Json:
    """Phones and addresses: those that are there by their numbers, new ones beside them."""
    given: Json = {}
    for key in form:
        number = key.removeprefix("fm_")
        if number != key and form[key] != form.get(f"was_{key}", ""):
            given[number] = {"value": form[key]}
    for name, kind in (("new_phone", "PHONE"), ("new_email", "EMAIL")):
        if form.get(name):
            given[f"n_{name}"] = {"typeId": kind, "valueType": "WORK", "value": form[name]}
    return {"fm": given} if given else {}

"""CRM items as the portal's pages read them: with the viewer's rights, with the words of their fields."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from emulator import crm, crm_schema
from emulator.crm_schema import COMPANY, CONTACT, DEAL, LEAD, Field
from emulator.pages.viewer import Viewer
from emulator.pages.when import day_words, moment_words, parse_moment
from emulator.pages.words import field_label
from emulator.state import Json

KINDS = {"lead": LEAD, "deal": DEAL, "contact": CONTACT, "company": COMPANY}
NAMES = {number: name for name, number in KINDS.items()}
PREFIXES = {"D": DEAL, "C": CONTACT, "CO": COMPANY}
LINKS = {
    "contactId": CONTACT,
    "contactIds": CONTACT,
    "companyId": COMPANY,
    "companyIds": COMPANY,
    "mycompanyId": COMPANY,
}
PALE = "#dfe3e7"


@dataclass(frozen=True)
class Part:
    """A piece of a field's value; ``slider`` opens the link beside, ``outside`` leaves the portal."""

    text: str
    url: str = ""
    slider: bool = False
    outside: bool = False


@dataclass(frozen=True)
class Row:
    name: str
    label: str
    value: list[Part]


@dataclass(frozen=True)
class Stage:
    """A stage of a funnel; ``semantics`` is "P", "S" or "F"."""

    id: str
    name: str
    color: str
    semantics: str

    @property
    def on(self) -> str:
        """Black or white text, whichever reads better on the stage's colour (W3C luminance)."""
        red, green, blue = (int(self.color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return "#1d2b38" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.55 else "#ffffff"


def read_item(me: Viewer, entity_type: int, item_id: int) -> Json | None:
    """An item this viewer may see; None when there is none or he may not."""
    item = me.portal.items.get(entity_type, {}).get(item_id)
    return item if item and crm.may_see(me.portal, me.user, entity_type, item_id) else None


def visible_items(me: Viewer, entity_type: int) -> list[Json]:
    """All items of a kind that this viewer may see, newest first."""
    with me.world.lock:
        return crm.visible_items(me.portal, me.user, entity_type)[::-1]


def fields(me: Viewer, entity_type: int) -> dict[str, Field]:
    """The fields of a kind of item that are switched on, by REST name."""
    with me.world.lock:
        return {name: one for name, one in crm_schema.fields_of(me.portal, entity_type).items() if one.enabled}


def label(me: Viewer, field: Field) -> str:
    """The label of a field: its own title where somebody gave one, the portal's words for the rest."""
    return (
        field.title if field.dynamic and field.title else field_label(field.name, me.lang) or field.title or field.name
    )


def stages(me: Viewer, entity_type: int, category_id: int) -> list[Stage]:
    """The stages of a funnel in their order; none for a kind whose stages are switched off."""
    if "stageId" not in fields(me, entity_type):
        return []
    with me.world.lock:
        rows = crm.stages(me.portal, entity_type, category_id)
    return [_stage(row) for row in rows]


def _stage(row: Json) -> Stage:
    color = str(row.get("COLOR") or "")
    known = len(color) == 7 and color.startswith("#") and set(color[1:]) <= set("0123456789abcdefABCDEF")
    return Stage(str(row["STATUS_ID"]), str(row["NAME"]), color if known else PALE, str(row.get("SEMANTICS") or "P"))


def stage_of(me: Viewer, entity_type: int, item: Json) -> Stage | None:
    """The stage an item stands in; None for kinds without stages."""
    known = stages(me, entity_type, int(item.get("categoryId") or 0))
    return next((stage for stage in known if stage.id == item.get("stageId")), None)


def steps(me: Viewer, entity_type: int, item: Json) -> list[Json]:
    """The strip of stages: filled up to the present one in its colour; failures stand only when reached."""
    present = item.get("stageId")
    known = stages(me, entity_type, int(item.get("categoryId") or 0))
    shown = [stage for stage in known if stage.semantics != "F" or stage.id == present]
    at = next((number for number, stage in enumerate(shown) if stage.id == present), -1)
    now = shown[at] if shown else None
    return [{"stage": one, "done": number <= at, "present": now} for number, one in enumerate(shown)]


def item_url(entity_type: int, item_id: int) -> str:
    """The path of an item's card."""
    if entity_type in NAMES:
        return f"/crm/{NAMES[entity_type]}/details/{item_id}/"
    return f"/crm/type/{entity_type}/details/{item_id}/"


def title_of(item: Json) -> str:
    """What an item is called: contacts have names, the rest titles."""
    name = " ".join(filter(None, (item.get("name"), item.get("lastName"))))
    return str(item.get("title") or name or f"№ {item['id']}")


def item_part(me: Viewer, entity_type: int, item_id: int) -> Part:
    """A link to another item by its title, or its number where the viewer may not see it."""
    other = read_item(me, entity_type, item_id)
    if other is None:
        return Part(f"№ {item_id}")
    return Part(title_of(other), item_url(entity_type, item_id), slider=True)


def user_part(me: Viewer, user_id: Any) -> Part:
    user = me.portal.user(_number(user_id))
    return Part(user.full_name if user else str(user_id))


def clients(me: Viewer, item: Json) -> list[Part]:
    """The contacts and the company of an item."""
    contacts = item.get("contactIds") or ([item["contactId"]] if item.get("contactId") else [])
    company = item.get("companyId")
    found = [item_part(me, CONTACT, int(one)) for one in contacts]
    return found + ([item_part(me, COMPANY, int(company))] if company else [])


def money_words(amount: Any, currency: Any) -> str:
    """«12 500 ₽» with no-break spaces; other currencies by their code."""
    number = f"{float(amount or 0):,.2f}".removesuffix(".00").replace(",", "\u00a0")
    return f"{number}\u00a0{'₽' if currency in ('RUB', None, '') else currency}"


def field_rows(me: Viewer, entity_type: int, item: Json, names: Iterable[str]) -> list[Row]:
    """The named fields of an item with readable values; names the kind does not have are left out."""
    known = fields(me, entity_type)
    return [Row(name, label(me, known[name]), value_parts(me, known[name], item)) for name in names if name in known]


def value_parts(me: Viewer, field: Field, item: Json) -> list[Part]:
    """The value of one field, one part per value of a multiple one."""
    value = item.get(field.name)
    values = value if isinstance(value, list) else [value]
    return [_part(me, item, field, one) for one in values if one not in (None, "", [])]


def _part(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    maker = BY_TYPE.get(field.type) or (_amount if field.name in AMOUNTS else _named)
    return maker(me, item, field, value)


def _amount(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    """A sum in the item's currency, or a money field with its own: "100.50|RUB"."""
    amount, _, currency = str(value).partition("|")
    return Part(money_words(amount, currency or item.get("currencyId")))


def _moment(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    """A datetime in the viewer's zone; a date is a day and moves into no zone."""
    moment = parse_moment(value)
    if moment is None:
        return Part(str(value))
    return Part(day_words(moment.date(), me.lang) if field.type == "date" else moment_words(moment, me.zone, me.lang))


def _yes_no(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    return Part(me.t("yes" if value in (True, "Y", "1", 1) else "no"))


def _address(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    """A link that leaves the portal; other schemes than http stay text."""
    safe = str(value).startswith(("http://", "https://"))
    return Part(str(value), str(value) if safe else "", outside=True)


def _named(me: Viewer, item: Json, field: Field, value: Any) -> Part:
    """Values that are ids of something with a name."""
    if field.type == "enumeration":
        return Part(_option(me, field, value))
    if field.type == "crm_category":
        funnel = me.portal.categories.get(item["entityTypeId"], {}).get(_number(value))
        return Part(str(funnel["name"]) if funnel else str(value))
    if field.type == "crm_status":
        rows = list(me.portal.statuses.values())
        return Part(next((str(row["NAME"]) for row in rows if row["STATUS_ID"] == value), str(value)))
    parent = field.name.removeprefix("parentId")
    kind = LINKS.get(field.name) or (int(parent) if parent.isdecimal() else 0)
    if kind or field.type == "crm":
        return bound_item(me, value, kind)
    return Part(str(value))


def _option(me: Viewer, field: Field, value: Any) -> str:
    """The word of a list's option."""
    rows = [row for row in list(me.portal.userfields.values()) if row["fieldName"] == field.upper]
    words = {str(one["id"]): str(one["value"]) for row in rows for one in row["enum"]}
    return words.get(str(value), str(value))


def bound_item(me: Viewer, value: Any, kind: int = 0) -> Part:
    """A bound item: a plain id of a known kind, or a prefixed id such as D_15 or T410_3 (hexadecimal type)."""
    prefix, _, tail = str(value).partition("_")
    if tail.isdecimal():
        number = PREFIXES.get(prefix) or _hexadecimal(prefix.removeprefix("T"))
        return item_part(me, number, int(tail)) if number else Part(str(value))
    return item_part(me, kind, int(prefix)) if kind and prefix.isdecimal() else Part(str(value))


def _hexadecimal(text: str) -> int:
    try:
        return int(text, 16)
    except ValueError:
        return 0


def _number(value: Any) -> int:
    return int(value) if str(value).isdecimal() else 0


AMOUNTS = ("opportunity", "taxValue", "revenue")
BY_TYPE: dict[str, Callable[[Viewer, Json, Field, Any], Part]] = {
    "datetime": _moment,
    "date": _moment,
    "boolean": _yes_no,
    "money": _amount,
    "url": _address,
    "user": lambda me, item, field, value: user_part(me, value),
    "employee": lambda me, item, field, value: user_part(me, value),
    "crm_multifield": lambda me, item, field, value: Part(str(value["value"])),
}

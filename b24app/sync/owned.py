"""What the ledger owns in its pictures, in one form for what we write and for what stands there. Pure.

Whatever differs from what we wrote is somebody's wish. Title, comments, responsible and the company's own fields of an
item, name and reminders of an event are the portal's and do not appear here.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from b24app.bitrix.loose import as_map, flag, whole
from b24app.ledger.models import ExternalRef
from b24app.sync.laid import LaidCrm

Owned = dict[str, Any]
DEAL = 2
MOST_TRIED = 4  # tries in a row without an answer, of which each has drawn something else
_BINDING = re.compile(r"(?:T[0-9a-f]+_|DYNAMIC_\d+_)?(\d+)", re.IGNORECASE)


def print_of(owned: Mapping[str, Any]) -> str:
    """A short name of this state: the same for equal ones."""
    return hashlib.sha256(json.dumps(owned, sort_keys=True, ensure_ascii=False).encode()).hexdigest()[:32]


def of_item(crm: LaidCrm, item: Mapping[str, Any]) -> Owned:
    """Of a booking's item: stage (our word, or the portal's STATUS_ID where it is none of ours), start and end in epoch
    seconds, the ids of the resources' items, deal, client, price, observers, number, funnel. What is empty is None."""
    names = crm.need("bookings").fields
    stages = {status: ours for ours, status in crm.stages.items()}
    stage = str(item.get("stageId") or "")
    return {
        "stage": stages.get(stage, stage),
        "start": epoch(item.get(names.get("start_at", ""))),
        "end": epoch(item.get(names.get("end_at", ""))),
        "resources": bound(item.get(names.get("resource", ""))),
        "deal": whole(item.get(f"parentId{DEAL}")) or None,
        "contacts": _ids(item.get("contactIds")),
        "company": whole(item.get("companyId")) or None,
        "price": amount(item.get("opportunity")),
        "number": whole(item.get(names.get("number", ""))),
        "category": whole(item.get("categoryId")),
        **({"observers": _ids(item["observers"])} if "observers" in item else {}),
    }


def _ids(value: Any) -> list[int]:
    return sorted(number for one in as_map(value).values() if (number := whole(one)))


def epoch(value: Any) -> int | None:
    """An instant as the CRM writes it, with its offset."""
    try:
        read = datetime.fromisoformat(str(value or ""))
    except ValueError:
        return None
    return int(read.timestamp()) if read.tzinfo else None


def bound(value: Any) -> list[int]:
    """The ids that a field of bindings names: `T9c_29`, `DYNAMIC_156_29`, 29."""
    values: Iterable[Any] = as_map(value).values() if isinstance(value, dict | list) else [value]
    found = (_BINDING.fullmatch(str(one or "")) for one in values)
    return sorted({int(match[1]) for match in found if match and int(match[1])})


def amount(value: Any) -> str:
    """A sum without trailing zeros; nothing is "0". A field of type money says its currency after a bar."""
    try:
        return f"{Decimal(str(value or 0).partition('|')[0]).normalize():f}"
    except InvalidOperation:
        return "0"


def of_resource(crm: LaidCrm, item: Mapping[str, Any]) -> Owned:
    """Of a resource's item: what may be edited there, and nothing that it only shows."""
    names = crm.need("resources").fields

    def of(key: str) -> Any:
        return item.get(names.get(key, ""))

    return {
        "name": str(item.get("title") or "").strip(),
        "capacity": whole(of("capacity")),
        "city": str(of("city") or "").strip(),
        "address": str(of("address") or "").strip(),
        "active": flag(of("active")),
        "price": amount(of("price")),
    }


def of_event_fields(fields: Mapping[str, Any]) -> Owned:
    """Of an event as we write it: start and end in epoch seconds, calendar, busy. A section that the portal chooses is
    None."""
    return {
        "start": epoch(fields.get("from")),
        "end": epoch(fields.get("to")),
        "type": str(fields.get("type") or ""),
        "owner": whole(fields.get("ownerId")) or 0,
        "section": whole(fields.get("section")),
        "busy": fields.get("accessibility") == "busy",
    }


def of_event(row: Mapping[str, Any]) -> Owned:
    """The same of an event as it is read; its localized dates are not for reading. Whole days are no time."""
    whole_days = flag(row.get("DT_SKIP_TIME"))
    return {
        "start": None if whole_days else whole(row.get("DATE_FROM_TS_UTC")),
        "end": None if whole_days else whole(row.get("DATE_TO_TS_UTC")),
        "type": str(row.get("CAL_TYPE") or ""),
        "owner": whole(row.get("OWNER_ID")) or 0,
        "section": whole(row.get("SECTION_ID")) or whole(row.get("SECT_ID")),
        "busy": str(row.get("ACCESSIBILITY") or "busy") == "busy",
    }


def wished(ref: ExternalRef, seen: Mapping[str, Any]) -> Owned:
    """What somebody has changed in this picture: what is neither as we wrote it, nor as a try of ours may have left it
    whose answer we did not hear."""
    tried = (ref.intent or {}).get("tried", ())
    found = changes(ref.drawn or {}, seen)
    return {key: value for key, value in found.items() if not any(one.get(key) == value for one in tried)}


def trying(ref: ExternalRef, drawn: Mapping[str, Any], at: str) -> dict[str, Any]:
    """The intent of a change, to be committed before it is sent; earlier ones that were not heard of still count."""
    tried = (ref.intent or {}).get("tried", [])
    return {"at": at, "tried": [*tried[-MOST_TRIED + 1 :], dict(drawn)]}


def changes(drawn: Mapping[str, Any], seen: Mapping[str, Any]) -> Owned:
    """What stands there and is not what we wrote. What we left to the portal (None) is no change, and neither is what
    this version does not know yet of an older picture."""
    known = {key: value for key, value in drawn.items() if key in seen and not (key == "section" and value is None)}
    return {key: seen[key] for key, value in known.items() if seen[key] != value}

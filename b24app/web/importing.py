"""Importing resources from a table: choose a file, look at what would be done, say yes, watch it being done.

Nothing is kept between looking and saying yes: the page sends the file again, and what it says is compared.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field, replace
from pathlib import PurePath

from flask import Response, render_template, request, stream_with_context
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking import importing
from b24app.booking.importing import Table, WrongCell
from b24app.booking.importing_cells import Unreadable
from b24app.booking.importing_plan import SKIP, UPDATE, Item, Plan, plan
from b24app.booking.importing_save import NotTaken, prepared, save_items
from b24app.booking.importing_table import LARGEST, read_table
from b24app.errors import Refused, Stale
from b24app.ledger.session import Session, transaction
from b24app.messages import MESSAGES
from b24app.web import errors, kinds, panel
from b24app.web.importing_words import words_of
from b24app.web.resources_page import week_text
from b24app.web.settings import section
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = section("importing", __name__)

MOST_SHOWN = 500  # wrong cells
SAMPLES = 10
LONGEST_SHOWN = 60  # of what stands in a cell


@blueprint.before_request
def _allow_files() -> None:
    request.max_content_length = LARGEST + 64 * 1024


@dataclass(frozen=True, slots=True)
class Line:
    """A wrong cell in words."""

    sheet: str
    cell: str
    shown: str
    wrong: str
    expected: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A resource as it would be."""

    name: str
    kind: str
    where: str
    hours: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Preview:
    """What templates/importing/_preview.html shows. `refused`: why the file as a whole cannot be read."""

    file: str = ""
    refused: str = ""
    told: str = ""
    rows: int = 0
    added: int = 0
    changed: int = 0
    same: int = 0
    skipped: int = 0
    wrong: list[Line] = field(default_factory=list)
    wrong_count: int = 0
    bad_rows: int = 0
    samples: list[Sample] = field(default_factory=list)
    sheets_left: list[str] = field(default_factory=list)
    columns_left: list[str] = field(default_factory=list)
    existing: str = SKIP
    agreed: str = ""

    @property
    def total(self) -> int:
        """How many resources would be written."""
        return self.added + self.changed


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it came. `existing`: what becomes of resources that are there already."""

    data: bytes
    name: str
    existing: str


@blueprint.get("/app/import")
def show() -> ResponseReturnValue:
    """Where a file is chosen."""
    return render_template("importing/page.html", visit=current_visit())


@blueprint.post("/app/import/preview")
def preview() -> ResponseReturnValue:
    """What importing this file would do. Writes nothing."""
    sent = _sent()
    try:
        with transaction(services().engine) as tx:
            table = _read(tx, sent)
            page = _preview(sent, table, _plan(tx, sent, table))
    except Unreadable as unreadable:
        page = _unreadable(sent, unreadable)
    return render_template("importing/_preview.html", page=page, visit=current_visit())


@blueprint.post("/app/import/write")
def write() -> ResponseReturnValue:
    """Imports the file: a line of JSON for each step, the last one with what is to be shown then."""
    sent, agreed = _sent(), request.form.get("agreed", "")
    lines = stream_with_context(json.dumps(one) + "\n" for one in _written(sent, agreed))
    # Proxies would collect the lines otherwise, and show all of them at the end.
    return Response(lines, mimetype="application/x-ndjson", headers={"X-Accel-Buffering": "no"})


def _sent() -> Sent:
    upload = request.files.get("file")
    existing = UPDATE if request.form.get("existing") == UPDATE else SKIP
    if upload is None:
        return Sent(b"", "", existing)
    return Sent(upload.read(), PurePath(upload.filename or "").name[:100], existing)


def _read(tx: Session, sent: Sent) -> Table:
    """What stands in the file; raises Unreadable."""
    sheets = read_table(sent.data, sent.name, importing.HEADINGS)
    return importing.read_drafts(sheets, words_of(tx, seen_tenant().portal, now()))


def _plan(tx: Session, sent: Sent, table: Table) -> Plan:
    return plan(
        tx, seen_tenant().portal, table, existing=sent.existing, viewer=current_visit().viewer,
        longest_hours=services().settings.longest_booking_hours,
    )  # fmt: skip


def _written(sent: Sent, agreed: str) -> Iterator[dict[str, object]]:
    """The steps of the import. Whoever goes away meanwhile, or is refused, has changed nothing."""
    try:
        with transaction(services().engine) as tx:
            done = yield from _steps(tx, sent, agreed)
        yield {"html": render_template("importing/_done.html", page=done, visit=current_visit())}
    except Stale:
        told = texts.say(current_visit().language, "import.changed_meanwhile")
        yield {"html": _shown_again(sent, told)}
    except NotTaken as refused:
        codes = [refused.item.draft.wrong(name, code) for name, code in refused.fields.items()]
        yield {"html": _shown_again(sent, texts.say(current_visit().language, "import.nothing_done"), codes)}
    except (Refused, Unreadable) as refused:
        yield {"html": render_template("importing/_preview.html", page=_refused(sent, refused), visit=current_visit())}


def _steps(tx: Session, sent: Sent, agreed: str) -> Generator[dict[str, object], None, Preview]:
    portal, viewer = seen_tenant().portal, current_visit().viewer
    longest_hours = services().settings.longest_booking_hours
    panel.check_writable(seen_tenant())
    wanted = prepared(
        tx, portal, _read(tx, sent), existing=sent.existing, agreed=agreed, viewer=viewer, longest_hours=longest_hours
    )
    total = len(wanted.items)
    yield {"done": 0, "of": total}
    for done in save_items(tx, portal, wanted.items, viewer=viewer, now=now(), longest_hours=longest_hours):
        yield {"done": done, "of": total}
    return Preview(sent.name, added=len(wanted.added), changed=len(wanted.changed))


def _shown_again(sent: Sent, told: str, wrong: list[WrongCell] | None = None) -> str:
    """The preview anew, with why nothing was done."""
    with transaction(services().engine) as tx:
        table = _read(tx, sent)
        wanted = _plan(tx, sent, table)
        wanted.wrong += wrong or []
        page = replace(_preview(sent, table, wanted), told=told)
    return render_template("importing/_preview.html", page=page, visit=current_visit())


def _unreadable(sent: Sent, why: Unreadable) -> Preview:
    return Preview(sent.name, texts.say_refusal(current_visit().language, "import.file", why.code))


def _refused(sent: Sent, why: Refused | Unreadable) -> Preview:
    if isinstance(why, Unreadable):
        return _unreadable(sent, why)
    return Preview(sent.name, " ".join(one.text for one in errors.problems(why, current_visit().language)))


def _preview(sent: Sent, table: Table, wanted: Plan) -> Preview:
    sheets = list(dict.fromkeys(draft.sheet for draft in table.drafts))
    wrong = importing.in_order(wanted.wrong, sheets)
    return Preview(
        file=sent.name,
        rows=table.rows,
        added=len(wanted.added),
        changed=len(wanted.changed),
        same=wanted.same,
        skipped=len(wanted.skipped),
        wrong=[_line(one) for one in wrong[:MOST_SHOWN]],
        wrong_count=len(wrong),
        bad_rows=len({(one.place.sheet, one.place.row) for one in wrong}),
        samples=[_sample(one) for one in wanted.items[:SAMPLES]],
        sheets_left=table.sheets_left,
        columns_left=list(dict.fromkeys(table.columns_left))[:SAMPLES],
        existing=sent.existing,
        agreed=wanted.print_of,
    )


def _line(wrong: WrongCell) -> Line:
    language, code = current_visit().language, f"field.{wrong.code}"
    said = texts.say(language, code if code in MESSAGES else "field", **wrong.params)
    expected = texts.say(language, f"import.expects.{wrong.key}")
    place = wrong.place
    return Line(place.sheet, f"{place.column}{place.row}", place.shown[:LONGEST_SHOWN], said, expected)


def _sample(item: Item) -> Sample:
    data, language = item.data, current_visit().language
    where = ", ".join(filter(None, (data.city, data.address)))
    return Sample(
        data.name, kinds.one(language, data.kind), where, week_text(language, data.hours), item.before is None
    )

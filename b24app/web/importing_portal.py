"""Importing resources from the portal itself: employees, meeting rooms of its calendar, resources of its own bookings.

Everything is read with the visitor's own token, and read again before it is written: only ids come from the page.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from flask import render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.importing import Draft
from b24app.booking.importing_plan import Item, new_data
from b24app.booking.importing_save import save_items
from b24app.booking.kinds import BUILT_IN, is_known
from b24app.booking.resources import check
from b24app.errors import InvalidInput, NotAllowed, Rejected
from b24app.ledger import importing, people, queries
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.sync import portal_places
from b24app.sync.portal_places import PEOPLE, Department, Found
from b24app.web import kinds, panel
from b24app.web.crm import crm
from b24app.web.settings import section
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = section("importing_portal", __name__)

SOURCES = (PEOPLE, *portal_places.SOURCES)
NOT_GRANTED = ("insufficient_scope", "ERROR_METHOD_NOT_FOUND", "access_denied")


@dataclass(frozen=True, slots=True)
class Row:
    """Something of the portal in the list; `there`: it is a resource already."""

    found: Found
    there: bool
    kind: str


@dataclass(frozen=True, slots=True)
class Page:
    """What templates/importing/portal.html shows. `refused`: why the portal does not say what it has."""

    source: str
    rows: Sequence[Row] = ()
    departments: Sequence[Department] = ()
    department_id: int = 0
    kinds: Sequence[tuple[str, str]] = ()
    refused: str = ""
    told: str = ""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which part of the portal: the source, and of employees the department (0: all)."""

    source: str
    department_id: int

    @classmethod
    def parse(cls, values: Mapping[str, str]) -> Asked:
        source, number = values.get("source", PEOPLE), values.get("department", "")
        known = number if number.isascii() and number.isdigit() and len(number) <= 15 else "0"
        return cls(source if source in SOURCES else PEOPLE, int(known))


@blueprint.get("/app/import/portal")
def show() -> ResponseReturnValue:
    """What the portal has of one sort, with a tick for each."""
    asked = Asked.parse(request.args)
    try:
        return _shown(asked, *_read(asked))
    except Rejected as rejected:
        return _refused(asked, rejected)


@blueprint.post("/app/import/portal")
def make() -> ResponseReturnValue:
    """Makes resources of what is ticked; what is there already stays as it is."""
    asked = Asked.parse(request.form)
    chosen = {int(one) for one in request.form.getlist("chosen") if one.isascii() and one.isdigit() and len(one) <= 15}
    try:
        departments, found = _read(asked)
    except Rejected as rejected:
        return _refused(asked, rejected)
    made = _made([one for one in found if one.id in chosen], request.form.get("kind", ""))
    told = texts.say(current_visit().language, "import.portal.added", count=made)
    return _shown(asked, departments, found, told)


def _shown(asked: Asked, departments: Sequence[Department], found: Sequence[Found], told: str = "") -> str:
    with transaction(services().engine) as tx:
        names, users = _present(tx, seen_tenant().portal)
    language = current_visit().language
    rows = [Row(one, _is_there(one, names, users), kinds.one(language, one.kind) if one.kind else "") for one in found]
    choices = [(key, kinds.one(language, key)) for key in kinds.in_order()]
    return _page(Page(asked.source, rows, departments, asked.department_id, choices, told=told))


def _refused(asked: Asked, rejected: Rejected) -> str:
    code = "no_scope" if rejected.code in NOT_GRANTED else "rejected"
    return _page(Page(asked.source, refused=texts.say(current_visit().language, f"import.portal.{code}")))


def _page(page: Page) -> str:
    return render_template("importing/portal.html", page=page, visit=current_visit())


def _read(asked: Asked) -> tuple[list[Department], list[Found]]:
    """(calls) The departments, for employees, and what there is. Raises Rejected."""
    client = crm()
    if asked.source != PEOPLE:
        return [], portal_places.SOURCES[asked.source](client)
    try:
        tree = portal_places.departments(client)
    except Rejected:  # without that right people can still be chosen, from all of them
        tree = []
    return tree, portal_places.employees(client, portal_places.with_those_below(tree, asked.department_id))


def _present(tx: Session, portal: Portal) -> tuple[set[str], set[int]]:
    """Names and people that are resources already."""
    rows = queries.resources(tx, portal.id, current_visit().viewer)
    return {row.name.casefold() for row in rows}, {row.portal_user_id for row in rows if row.portal_user_id}


def _is_there(found: Found, names: Collection[str], users: Collection[int]) -> bool:
    return found.name.casefold() in names if found.person is None else found.id in users


def _made(found: Sequence[Found], kind: str) -> int:
    """Adds them in one transaction and says how many that were."""
    visit, tenant = current_visit(), seen_tenant()
    longest_hours = services().settings.longest_booking_hours
    with transaction(services().engine) as tx:
        if not visit.viewer.is_admin:
            raise NotAllowed("manage")
        panel.check_writable(tenant)
        importing.hold(tx, tenant.portal.id)
        if kind and not is_known(tx, tenant.portal, kind):
            raise InvalidInput({"kind": "unknown_kind"})
        names, users = _present(tx, tenant.portal)
        new = [one for one in found if not _is_there(one, names, users)]
        people.keep(tx, tenant.portal.id, [one.person for one in new if one.person is not None], now())
        items = [_item(one, kind, tenant.portal, longest_hours) for one in new]
        for _ in save_items(tx, tenant.portal, items, viewer=visit.viewer, now=now(), longest_hours=longest_hours):
            pass
    return len(items)


def _item(found: Found, kind: str, portal: Portal, longest_hours: int) -> Item:
    """As a resource; where what the portal says does not go together, with the usual hours and lengths."""
    own = found.kind if found.person is not None or not kind else kind
    given = {"name": found.name, "kind": own or BUILT_IN[0]}
    data = new_data({**given, **found.given}, portal.time_zone)
    try:
        check(data, longest_hours)
    except InvalidInput:
        data = replace(new_data(given, portal.time_zone), portal_user_id=data.portal_user_id)
    return Item(data, Draft("", 0, given, {}, {"name": "A"}))

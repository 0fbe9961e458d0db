"""Who may do what: all grants in one list, the form that saves them as a whole, and a search for whom to give them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from flask import Response, render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, text, whole
from b24app.booking.access import is_code, known_scopes, revision_of, save_access
from b24app.errors import AppError, InvalidInput, Refused, Retryable
from b24app.ledger import approval, directory, rules, tenancy
from b24app.ledger.access import EMPLOYEES, RIGHTS, GrantRule
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync.cards import LONGEST_NAME
from b24app.web import grant_words, panel, settings
from b24app.web.crm import crm
from b24app.web.forms_settings import AccessForm
from b24app.web.settings import Choices, FormPage
from b24app.web.staff import employees
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("access", __name__)

FORM, ROWS = "settings/_access_form.html", "settings/_access_rows.html"
MOST_FOUND = 12
LONGEST_SEARCH = 60


@dataclass(frozen=True, slots=True)
class Line:
    """One grant in words."""

    scope: str
    code: str
    right: str


@dataclass(frozen=True, slots=True)
class Found:
    """Somebody to whom a right may be given. `kind` decides about the picture: person, department, group, all."""

    code: str
    name: str
    kind: str


@dataclass(slots=True)
class AccessPage(FormPage):
    """What templates/settings/_access_form.html shows around the fields. `unread`: what could not be searched."""

    scopes: Choices = ()
    names: Mapping[str, str] = field(default_factory=dict)
    found: Sequence[Found] = ()
    asked: str = ""
    unread: Sequence[str] = ()

    @property
    def rights(self) -> Choices:
        return [(right, grant_words.right(right)) for right in RIGHTS]

    def who(self, code: str) -> str:
        """Whom this code means."""
        return grant_words.who(code, self.names)


@blueprint.get("/app/access")
def show() -> ResponseReturnValue:
    """All grants in words."""
    with transaction(services().engine) as tx:
        grants = rules.all_grants(tx, seen_tenant().portal.id)
    names = _known_names({one.code for one in grants})
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant(), names)


@blueprint.get("/app/access/edit")
def edit() -> ResponseReturnValue:
    """The form with all grants."""
    with transaction(services().engine) as tx:
        grants = rules.all_grants(tx, seen_tenant().portal.id)
    form = _filled_form(grants)
    return settings.show_form(FORM, _page(form, _known_names({one.code for one in grants})))


@blueprint.post("/app/access/find")
def find() -> ResponseReturnValue:
    """The people, departments and groups that `q` may mean: each a button that adds a row to the form."""
    asked = request.form.get("q", "").replace("\0", "").strip()[:LONGEST_SEARCH]
    found, unread = _search(asked) if asked else ([], [])
    page = AccessPage(AccessForm(formdata=None), found=found, asked=asked, unread=unread)
    return render_template("settings/_access_found.html", page=page, visit=current_visit())


@blueprint.post("/app/access/rows")
def rows() -> ResponseReturnValue:
    """The rows as they were sent, with one more for the code `add` or without the row `drop`."""
    form, names = AccessForm(), {}
    drop = request.form.get("drop", "")
    if drop.isascii() and drop.isdigit() and int(drop) < len(form.grants.entries):
        kept = [row.data for n, row in enumerate(form.grants.forms) if n != int(drop)]
        form = AccessForm(formdata=None, data={"grants": kept})
    if is_code(added := request.form.get("add", "")):
        form.grants.append_entry({"code": added, "scope": "everything", "right": "book"})
    names = _known_names({row.code.data for row in form.grants.forms})
    return render_template(ROWS, page=_page(form, names), visit=current_visit())


@blueprint.post("/app/access")
def save() -> ResponseReturnValue:
    """Replaces all grants."""
    form = AccessForm()
    try:
        form.check_shape()
        grants = [row.grant() for row in form.grants.forms]
        names = _checked_names(grants)
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            save_access(
                tx, tenant.portal, grants, viewer=current_visit().viewer, now=now(), revision=form.revision.data
            )
            directory.keep_names(tx, tenant.portal.id, names)
            answer = _list(tx, tenant, names, saved=texts.say(current_visit().language, "access"))
            directory.ask(tx, tenant.portal.id, now(), since=now())
            return answer
    except (Refused, Retryable) as refused:
        return settings.show_refused(FORM, _page(form, _known_names(_codes_in(form))), refused)


def _codes_in(form: AccessForm) -> set[str]:
    return {row.code.data for row in form.grants.forms if is_code(row.code.data or "")}


# Whom codes mean ----


def _checked_names(grants: Sequence[GrantRule]) -> dict[str, str]:
    """The names of everybody in the list. Raises InvalidInput for a new code that Bitrix24 does not know.

    Those that are in the list already may stay, though they have left: it should be saved without asking about them.
    """
    with transaction(services().engine) as tx:
        before = {one.code for one in rules.all_grants(tx, seen_tenant().portal.id)}
    new = {one.code for one in grants if is_code(one.code)} - before
    names = _names_in_portal(new) if new else {}
    wrong = {f"grants-{n}-code": "unknown_code" for n, one in enumerate(grants) if one.code in new - set(names)}
    if wrong:
        raise InvalidInput(wrong)
    return names | _known_names({one.code for one in grants} - set(names))


def _known_names(codes: Collection[str]) -> dict[str, str]:
    """The same as far as the portal answers just now, else what the ledger remembers."""
    with transaction(services().engine) as tx:
        known = grant_words.known_names(tx, seen_tenant().portal.id)
    found = {code: known[code] for code in codes if code in known}
    try:
        return found | _names_in_portal(set(codes) - set(found))
    except AppError:
        return found


def _names_in_portal(codes: Collection[str]) -> dict[str, str]:
    """Who or what the codes stand for; those that the portal does not know are missing.

    https://apidocs.bitrix24.com/api-reference/common/users/access-name.html
    """
    found = {code: texts.say(current_visit().language, "employees") for code in codes if code == EMPLOYEES}
    if missing := sorted(set(codes) - set(found)):
        answer = as_map(crm().call("access.name", {"ACCESS": missing}))
        for code, row in answer.items():
            if name := text(as_map(row).get("name"))[:LONGEST_NAME]:
                found[code] = name
    return found


# Searching ----


def _search(asked: str) -> tuple[list[Found], list[str]]:
    """Whom it may mean, and what could not be searched: the application has no permission for it, or no answer."""
    low = asked.lower()
    every = [Found(EMPLOYEES, texts.say(current_visit().language, "employees"), "all")]
    people = [Found(f"U{user}", name, "person") for user, name in employees().items()]
    departments, groups, unread = _units(asked)
    all_of_them = (*every, *departments, *groups, *people)
    found = [one for one in all_of_them if low in one.name.lower() or low == one.code.lower()]
    return found[:MOST_FOUND], unread


def _units(asked: str) -> tuple[list[Found], list[Found], list[str]]:
    """Departments and groups of the portal as this administrator sees them.

    https://apidocs.bitrix24.com/api-reference/departments/department-get.html
    https://apidocs.bitrix24.com/api-reference/sonet-group/sonet-group-get.html
    """
    commands = {
        "department": Command("department.get"),
        "group": Command("sonet_group.get", {"FILTER": {"%NAME": asked}, "ORDER": {"NAME": "ASC"}}),
    }
    try:
        answer = crm().batch(commands)
    except AppError:
        return [], [], list(commands)
    departments = [
        Found(f"{prefix}{number}", name, "department")
        for number, name in _named(answer.results.get("department"))
        for prefix in ("DR", "D")
    ]
    groups = [Found(f"SG{number}", name, "group") for number, name in _named(answer.results.get("group"))]
    return departments, groups, [key for key in commands if key in answer.errors]


def _named(rows: object) -> Iterable[tuple[int, str]]:
    for row in as_map(rows).values():
        one = as_map(row)
        number, name = whole(one.get("ID")), text(one.get("NAME"))[:LONGEST_NAME]
        if number and name:
            yield number, name


# Shown ----


def _list(tx: Session, tenant: Tenant, names: Mapping[str, str], *, saved: str = "") -> Response:
    resources = grant_words.resource_names(tx, tenant.portal.id)
    lines = [
        Line(
            grant_words.scope(one.scope, resources), grant_words.who(one.code, names), grant_words.right(one.right)
        )
        for one in rules.all_grants(tx, tenant.portal.id)
    ]  # fmt: skip
    people = tenancy.user_names(tx, tenant.portal.id)
    away = approval.absences(tx, tenant.portal.id, now())
    return settings.show_list(
        "settings/_access.html", saved=saved, lines=lines, people=people, away=away,
        known=directory.known(tx, tenant.portal.id),
    )  # fmt: skip


def _scopes(tx: Session, tenant: Tenant) -> list[tuple[str, str]]:
    """Everything that a right can be given on, in words."""
    names = grant_words.resource_names(tx, tenant.portal.id)
    return [(one, grant_words.scope(one, names)) for one in known_scopes(tx, tenant.portal, current_visit().viewer)]


def _page(form: AccessForm, names: Mapping[str, str]) -> AccessPage:
    with transaction(services().engine) as tx:
        return AccessPage(form, scopes=_scopes(tx, seen_tenant()), names=names)


def _filled_form(grants: Sequence[GrantRule]) -> AccessForm:
    data = [{"scope": one.scope, "code": one.code, "right": one.right} for one in grants]
    return AccessForm(formdata=None, data={"grants": data, "revision": revision_of(grants)})

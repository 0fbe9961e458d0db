"""Who may do what: all grants in one list, and the form that saves them as a whole."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from flask import Response
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.bitrix.loose import as_map, text
from b24app.booking.access import is_code, known_scopes, revision_of, save_access
from b24app.errors import AppError, InvalidInput, Refused, Retryable
from b24app.ledger import queries, rules
from b24app.ledger.access import EMPLOYEES, EVERYTHING, RIGHTS, GrantRule
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync.cards import LONGEST_NAME
from b24app.web import panel, settings
from b24app.web.crm import crm
from b24app.web.forms_settings import AccessForm
from b24app.web.memory import Memory
from b24app.web.settings import Choices, FormPage
from b24app.web.staff import employees
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("access", __name__)

FORM = "settings/_access_form.html"
REMEMBERED = timedelta(minutes=5)

_names: Memory[str] = Memory(2000)


@dataclass(frozen=True, slots=True)
class Line:
    """One grant in words."""

    scope: str
    code: str
    right: str


@dataclass(slots=True)
class AccessPage(FormPage):
    """What templates/settings/_access_form.html shows around the fields."""

    scopes: Choices = ()
    people: Choices = ()

    @property
    def rights(self) -> Choices:
        return [(right, texts.say(current_visit().language, f"right.{right}")) for right in RIGHTS]


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
    return settings.show_form(FORM, _page(_filled_form(grants)))


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
            save_access(tx, tenant.portal, grants, viewer=current_visit().viewer, revision=form.revision.data)
            return _list(tx, tenant, names, saved=texts.say(current_visit().language, "access"))
    except (Refused, Retryable) as refused:
        return settings.show_refused(FORM, _page(form), refused)


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
    """The same as far as the portal answers just now: a list of codes is better than none."""
    try:
        return _names_in_portal(codes)
    except AppError:
        return {}


def _names_in_portal(codes: Collection[str]) -> dict[str, str]:
    """Who or what the codes stand for; those that the portal does not know are missing.

    https://apidocs.bitrix24.com/api-reference/common/users/access-name.html
    """
    language, member = current_visit().language, current_visit().member_id
    found = {code: texts.say(language, "employees") for code in codes if code == EMPLOYEES}
    found |= {code: name for code in codes if (name := _names.get((member, code), now()))}
    if missing := sorted(set(codes) - set(found)):
        for code, row in as_map(crm().call("access.name", {"ACCESS": missing})).items():
            if name := text(as_map(row).get("name"))[:LONGEST_NAME]:
                _names.put((member, code), name, now() + REMEMBERED)
                found[code] = name
    return found


def _list(tx: Session, tenant: Tenant, names: Mapping[str, str], *, saved: str = "") -> Response:
    scopes, language = dict(_scopes(tx, tenant)), current_visit().language
    lines = [
        Line(
            scopes.get(one.scope, one.scope),
            _who(language, one.code, names),
            texts.say(language, f"right.{one.right}"),
        )
        for one in rules.all_grants(tx, tenant.portal.id)
    ]
    return settings.show_list("settings/_access.html", saved=saved, lines=lines)


def _who(language: str, code: str, names: Mapping[str, str]) -> str:
    name = names.get(code, code)
    return texts.say(language, "department", name=name) if code.startswith("D") else name


def _scopes(tx: Session, tenant: Tenant) -> list[tuple[str, str]]:
    """Everything that a right can be given on, in words."""
    viewer, language = current_visit().viewer, current_visit().language
    names = {
        f"resource:{one.id}": one.name
        for archived in (False, True)
        for one in queries.resources(tx, tenant.portal.id, viewer, archived=archived)
    }
    return [(one, _scope_words(language, one, names)) for one in known_scopes(tx, tenant.portal, viewer)]


def _scope_words(language: str, scope: str, names: Mapping[str, str]) -> str:
    family, _, what = scope.partition(":")
    if scope == EVERYTHING:
        return texts.say(language, "everything")
    if family == "kind":
        return texts.say(language, f"kinds.{what}")
    return texts.say(language, "everything_in", city=what) if family == "location" else names[scope]


def _page(form: AccessForm) -> AccessPage:
    language = current_visit().language
    people = [(EMPLOYEES, texts.say(language, "employees"))]
    people += [(f"U{user}", name) for user, name in employees().items()]
    with transaction(services().engine) as tx:
        return AccessPage(form, scopes=_scopes(tx, seen_tenant()), people=people)


def _filled_form(grants: Sequence[GrantRule]) -> AccessForm:
    rows = [{"scope": one.scope, "code": one.code, "right": one.right} for one in grants]
    return AccessForm(formdata=None, data={"grants": rows, "revision": revision_of(grants)})

""" "Why can't I book this?": which right somebody has and by which rule, who may book it, whom to ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.access import Why
from b24app.booking.access import why as find_out
from b24app.errors import InvalidInput, NotAllowed, NotFound, PolicyViolation, Refused
from b24app.ledger import catalog, choices, queries, tenancy
from b24app.ledger.access import GrantRule
from b24app.ledger.models import Resource
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import errors, grant_words
from b24app.web.errors import Problem
from b24app.web.forms import whole_number
from b24app.web.visit import Visit, current_visit, now, seen_tenant, services

blueprint = Blueprint("why", __name__)

MOST_NAMED = 3
# Rules that do not bind whoever approves: he can book it all the same.
NOT_FOR_DECIDERS = frozenset({"notice", "quota"})


@dataclass(frozen=True, slots=True)
class Explained:
    """Everything that templates/waiting/_why.html shows. `yours`: his right and where it comes from."""

    name: str
    may_ask: bool
    may_book: bool
    yours: str
    who: Sequence[str]
    ask: str
    rules: Sequence[str]


@blueprint.get("/app/why")
def show() -> ResponseReturnValue:
    """The explanation for `resource`, in the panel; raises NotFound for what he does not even see."""
    with transaction(services().engine) as tx:
        tenant, visit = seen_tenant(), current_visit()
        resource = queries.resource(tx, tenant.portal.id, visit.viewer, _asked())
        page = explained(tx, tenant, visit, resource)
    return render_template("waiting/_why.html", page=page)


def _asked() -> int:
    try:
        return whole_number(request.args.get("resource", ""))
    except ValueError:
        raise NotFound("resource") from None


def explained(tx: Session, tenant: Tenant, visit: Visit, resource: Resource) -> Explained:
    """Why this visitor may or may not book it."""
    found = find_out(tx, tenant.portal, visit.viewer, resource, now())
    names = grant_words.known_names(tx, tenant.portal.id)
    known = {resource.id: resource.name}
    policy = catalog.offering_of_resource(tx, tenant.portal.id, resource.id).policy
    may_book = visit.viewer.may("book", resource)
    asks = visit.viewer.may("request", resource) and not may_book
    return Explained(
        name=resource.name,
        may_ask=asks,
        may_book=may_book,
        yours=_yours(visit, found, names, known),
        who=[_rule(one, names, known) for one in found.who],
        ask=_ask(tx, tenant, found),
        rules=texts.policy_words(visit.language, policy.as_dict(), priced=False, needs_approval=asks),
    )


def _rule(grant: GrantRule, names: dict[str, str], known: dict[int, str]) -> str:
    what = grant_words.scope(grant.scope, known)
    return f"{grant_words.who(grant.code, names)}: {grant_words.right(grant.right)} ({what})"


def _yours(visit: Visit, found: Why, names: dict[str, str], known: dict[int, str]) -> str:
    if visit.viewer.is_admin:
        return _("You are an administrator and may do everything")
    if found.through is None:
        return _("No rule gives you a right here")
    by = f"{grant_words.who(found.through.code, names)}, {grant_words.scope(found.through.scope, known)}"
    return _("Your right: %(right)s (by the rule “%(rule)s”)", right=grant_words.right(found.right), rule=by)


def _ask(tx: Session, tenant: Tenant, found: Why) -> str:
    """The first few who can help: those who may approve, else administrators who were here."""
    names = tenancy.user_names(tx, tenant.portal.id, found.ask) if found.ask else {}
    known = [names[person] for person in found.ask if names.get(person)][:MOST_NAMED]
    return ", ".join(known or choices.administrators(tx, tenant.portal.id, MOST_NAMED))


# Beside a refusal ----


def problems(tx: Session, tenant: Tenant, visit: Visit, refused: Refused) -> list[Problem]:
    """Every reason in words as `errors.problems`, and after them who could help."""
    found = errors.problems(refused, visit.language)
    return [*found, *_help(tx, tenant, visit, refused)]


def _help(tx: Session, tenant: Tenant, visit: Visit, refused: Refused) -> list[Problem]:
    if isinstance(refused, InvalidInput):
        return []
    if isinstance(refused, NotAllowed) and refused.about:
        return _about(tx, tenant, visit, refused.about[0])
    if isinstance(refused, PolicyViolation) and all(one.code in NOT_FOR_DECIDERS for one in refused.violations):
        names = choices.administrators(tx, tenant.portal.id, MOST_NAMED)
        return [Problem("", _("This does not bind those who approve. Ask: %(names)s", names=", ".join(names)))]
    return []


def _about(tx: Session, tenant: Tenant, visit: Visit, resource_id: int) -> list[Problem]:
    try:
        resource = queries.resource(tx, tenant.portal.id, visit.viewer, resource_id)
    except NotFound:
        return []
    page = explained(tx, tenant, visit, resource)
    lines = [f"{page.name}. {page.yours}"]
    if page.who:
        lines.append(_("May book it: %(who)s", who="; ".join(page.who[:MOST_NAMED])))
    if page.ask:
        lines.append(_("Ask: %(names)s", names=page.ask))
    return [Problem("", line) for line in lines]

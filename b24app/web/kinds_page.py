"""The kinds of resources that a company has named itself: the list and the form behind it, for administrators."""

from __future__ import annotations

from dataclasses import dataclass

from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.kinds import BUILT_IN, ICONS, data_of, remove_kind, save_kind
from b24app.errors import InvalidInput, Refused
from b24app.ledger import kinds as ledger
from b24app.ledger.place_models import ResourceKind
from b24app.ledger.session import Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.web import kinds, panel
from b24app.web.forms import RevisionForm
from b24app.web.forms_facilities import KindForm
from b24app.web.settings import FormPage, section, show_form, show_list, show_refused
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = section("kinds", __name__)
FORM = "resources/_kind.html"


@blueprint.app_template_global()
def kind_look(key: str) -> str:
    """The class of the picture of a kind."""
    return kinds.look(key)


@dataclass(frozen=True, slots=True)
class Line:
    """One kind in the list; `kind_id` None: everybody has it."""

    kind_id: int | None
    look: str
    one: str
    many: str
    count: int


@dataclass(slots=True, kw_only=True)
class KindPage(FormPage):
    """What templates/resources/_kind.html shows around the fields."""

    form: KindForm
    row: ResourceKind | None = None
    icons: tuple[str, ...] = ICONS
    used: int = 0


@blueprint.get("/app/kinds")
def show() -> ResponseReturnValue:
    """All kinds, the company's own below."""
    with transaction(services().engine) as tx:
        return _list(tx, seen_tenant())


@blueprint.get("/app/kinds/new")
def new() -> ResponseReturnValue:
    """An empty form."""
    return show_form(FORM, KindPage(form=KindForm(formdata=None)))


@blueprint.get("/app/kinds/<int(max=9223372036854775807):kind_id>")
def edit(kind_id: int) -> ResponseReturnValue:
    """The form of one kind."""
    with transaction(services().engine) as tx:
        page = _page(tx, kind_id)
    return show_form(FORM, page)


@blueprint.post("/app/kinds")
def create() -> ResponseReturnValue:
    """Adds a kind."""
    return _save(None)


@blueprint.post("/app/kinds/<int(max=9223372036854775807):kind_id>")
def save(kind_id: int) -> ResponseReturnValue:
    """Changes a kind."""
    return _save(kind_id)


@blueprint.post("/app/kinds/<int(max=9223372036854775807):kind_id>/remove")
def remove(kind_id: int) -> ResponseReturnValue:
    """Removes a kind that nothing is."""
    form = RevisionForm()
    form.check_shape()
    try:
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            name = remove_kind(
                tx, tenant.portal, kind_id, viewer=current_visit().viewer, now=now(), revision=form.revision.data
            )
            return _list(tx, tenant, saved=name)
    except InvalidInput as refused:
        with transaction(services().engine) as tx:
            page = _page(tx, kind_id)
        return show_refused(FORM, page, refused)


def _save(kind_id: int | None) -> ResponseReturnValue:
    form = KindForm()
    try:
        form.check_shape()
        with transaction(services().engine) as tx:
            tenant = seen_tenant()
            panel.check_writable(tenant)
            row = save_kind(
                tx, tenant.portal, form.kind(), viewer=current_visit().viewer, now=now(), kind_id=kind_id,
                revision=form.revision.data,
            )  # fmt: skip
            return _list(tx, tenant, saved=row.one)
    except Refused as refused:
        with transaction(services().engine) as tx:
            page = _page(tx, kind_id, form)
        return show_refused(FORM, page, refused)


def _page(tx: Session, kind_id: int | None, form: KindForm | None = None) -> KindPage:
    """The form of a kind as it is, or as it was sent; raises NotFound."""
    if kind_id is None:
        assert form is not None, "what is new has been sent"
        return KindPage(form=form)
    portal_id = seen_tenant().portal.id
    row = ledger.kind(tx, portal_id, kind_id)
    if form is None:
        form = KindForm(formdata=None, obj=data_of(row))
        form.revision.data = row.revision
    return KindPage(form=form, title=row.one, row=row, used=ledger.uses(tx, portal_id).get(row.key, 0))


def _list(tx: Session, tenant: Tenant, *, saved: str = "") -> ResponseReturnValue:
    language, counts = current_visit().language, ledger.counts(tx, tenant.portal.id)
    built_in = [
        Line(None, key, texts.say(language, f"kind.{key}"), texts.say(language, f"kinds.{key}"), counts.get(key, 0))
        for key in BUILT_IN
    ]
    own = [
        Line(row.id, f"own i-{row.icon}", row.one, row.many, counts.get(row.key, 0))
        for row in ledger.kinds(tx, tenant.portal.id)
    ]
    return show_list("resources/_kinds.html", saved=saved, built_in=built_in, own=own, title=_("Kinds of resources"))

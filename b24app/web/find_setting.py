"""A setting by what it is called: the field that a form has, or the thing that was given that name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields

from flask import render_template, request, url_for
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking.configuration_parts import PARTS
from b24app.ledger import configured, rules
from b24app.ledger import kinds as kept
from b24app.ledger.portal_settings import PortalSettings
from b24app.ledger.session import Session, transaction
from b24app.messages import N_
from b24app.web import settings
from b24app.web.change_words import FIELDS, REFERENCES, SUBJECTS
from b24app.web.visit import current_visit, services

blueprint = settings.section("find_setting", __name__)

MOST = 12
LONGEST = 100
VIEW, PANEL = "#view", "#panel-body"
# Each topic with the address where it is set, and the value whose fields its form has.
TOPICS = (
    ("resources", N_("Resources"), PARTS["resources"].value),
    ("closures", N_("Closures"), PARTS["closures"].value),
    ("services", N_("Services"), PARTS["services"].value),
    ("tariffs", N_("Tariffs"), PARTS["tariffs"].value),
    ("policies", N_("Rules"), PARTS["policies"].value),
    ("portal", N_("Portal"), PortalSettings),
)
WITHOUT_FIELDS = (
    ("guide", N_("Guide")), ("access", N_("Access")), ("kinds", N_("Kinds")), ("changes", N_("Changes")),
    ("configuration", N_("Configuration")), ("in_step", N_("In step")), ("health_page", N_("Health")),
)  # fmt: skip
# Forms of which there is only one: what is found is opened at once.
FORMS = {"portal": "portal.edit"}


@dataclass(frozen=True, slots=True)
class Found:
    """A setting, where it is, and what opens it: an address for the view or for the panel."""

    name: str
    where: str
    address: str
    target: str = VIEW


@dataclass(frozen=True, slots=True)
class Named:
    """Something that was given a name."""

    kind: str
    name: str
    address: str


@blueprint.get("/app/settings/find")
def find() -> ResponseReturnValue:
    """What `q` may mean: things by their names, then fields, then topics."""
    asked = request.args.get("q", "").replace("\0", "").strip()[:LONGEST].casefold()
    found: list[Found] = []
    if asked:
        with transaction(services().engine) as tx:
            found = [one for one in _everything(tx) if asked in one.name.casefold()]
    return render_template("settings/_found.html", asked=asked, found=found[:MOST])


def _everything(tx: Session) -> Iterator[Found]:
    language = current_visit().language
    for one in _named(tx, current_visit().portal_id):
        yield Found(one.name, texts.say(language, SUBJECTS[one.kind]), one.address, PANEL)
    seen = set()
    for topic, title, value in TOPICS:
        form = FORMS.get(topic)
        address, target = (url_for(form), PANEL) if form else (url_for(f"{topic}.show"), VIEW)
        for field in fields(value):
            label = FIELDS.get(REFERENCES.get(field.name, (field.name,))[0])
            if label and (topic, label) not in seen:
                seen.add((topic, label))
                yield Found(texts.say(language, label), texts.say(language, title), address, target)
    for topic, title in (*((topic, title) for topic, title, _value in TOPICS), *WITHOUT_FIELDS):
        yield Found(texts.say(language, title), texts.say(language, "Settings"), url_for(f"{topic}.show"))


def _named(tx: Session, portal_id: int) -> Iterator[Named]:
    for resource in configured.resources(tx, portal_id):
        yield Named("resource", resource.name, url_for("resources.edit", resource_id=resource.id))
    for service in configured.services(tx, portal_id):
        yield Named("service", service.name, url_for("services.edit", service_id=service.id))
    for tariff in rules.tariffs(tx, portal_id):
        yield Named("tariff", tariff.name, url_for("tariffs.edit", tariff_id=tariff.id))
    for policy in rules.policies(tx, portal_id):
        yield Named("policy", policy.name, url_for("policies.edit", policy_id=policy.id))
    for kind in kept.kinds(tx, portal_id):
        yield Named("kind", kind.one, url_for("kinds.edit", kind_id=kind.id))

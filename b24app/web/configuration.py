"""Settings, "Configuration": everything that is set up as a file, and a file made into what is set up here.

A file is read and compared first; what would be made otherwise is shown, and made when that is agreed to, unless
somebody has changed anything meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Response, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _

from b24app import texts
from b24app.booking.configuration import Configuration, from_json, name_of, plan
from b24app.booking.configuration_apply import LeftOut, apply, localized, revision_of
from b24app.booking.configuration_parts import PARTS
from b24app.booking.configuration_read import read
from b24app.booking.portal_settings import Funnels
from b24app.errors import AppError, InvalidInput, Refused
from b24app.ledger import changes
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.web import change_words as words
from b24app.web import configuration_file, errors, panel, settings, tickets
from b24app.web.change_words import StepLine, Teller
from b24app.web.errors import Problem
from b24app.web.settings_portal import read_funnels
from b24app.web.visit import current_visit, now, seen_tenant, services

blueprint = settings.section("configuration", __name__)
LARGEST_FILE = 16 * 1024 * 1024
MOST_SHOWN = 200
_STEP_INTO = re.compile(r"(?P<name>\w+)(?:\[(?P<n>\d+)\])?")


@dataclass(frozen=True, slots=True)
class Preview:
    """What a file would make otherwise. `revision`: of what is set up now; `left_out`: who is not to be found here."""

    text: str
    complete: bool
    revision: int
    steps: Sequence[StepLine]
    left_out: Sequence[str]
    count: int


@dataclass(frozen=True, slots=True)
class ConfigurationPage:
    """What templates/settings/_configuration.html shows. `made`: the batch of what was made just now."""

    holds: Sequence[tuple[str, int]]
    preview: Preview | None = None
    problems: Sequence[Problem] = ()
    made: str = ""
    count: int = 0


@dataclass(frozen=True, slots=True)
class Sent:
    """A file as it was sent, read: `wanted` as this portal would have it."""

    text: str
    complete: bool
    file: Configuration
    wanted: Configuration = field(default_factory=Configuration)
    left_out: Sequence[LeftOut] = ()
    funnels: Funnels = field(default_factory=dict)


@blueprint.before_request
def _allow_whole_files() -> None:
    request.max_content_length = request.max_form_memory_size = LARGEST_FILE


@blueprint.get("/app/configuration")
def show() -> ResponseReturnValue:
    """What a file would hold, and how to get one or send one."""
    with transaction(services().engine) as tx:
        return _page(tx, seen_tenant().portal)


@blueprint.get("/app/configuration/link")
def link() -> ResponseReturnValue:
    """A link to the file, good for a minute: a browser saves files without our bearer."""
    address = url_for("configuration_file.opened", ticket=tickets.issue(current_visit(), configuration_file.TICKET, {}))
    return settings.show_list("settings/_configuration_link.html", address=address)


@blueprint.post("/app/configuration/preview")
def preview() -> ResponseReturnValue:
    """What the file would make otherwise; nothing is made yet."""
    return _answer(lambda tx, portal, sent: _page(tx, portal, preview=_preview(tx, portal, sent)))


@blueprint.post("/app/configuration/make")
def make() -> ResponseReturnValue:
    """Makes it so, all of it or nothing."""
    return _answer(_make)


def _make(tx: Session, portal: Portal, sent: Sent) -> Response:
    panel.check_writable(seen_tenant())
    steps = apply(
        tx, portal, sent.wanted, viewer=current_visit().viewer, now=now(), complete=sent.complete,
        longest_hours=services().settings.longest_booking_hours, funnels=sent.funnels,
        revision=request.form.get("revision", type=int),
    )  # fmt: skip
    return _page(tx, portal, made=str(changes.batch_of(tx)), count=len(steps))


def _answer(how: Callable[[Session, Portal, Sent], Response]) -> ResponseReturnValue:
    """The page for what was sent, or with every reason why it cannot be."""
    portal, file = seen_tenant().portal, Configuration()
    try:
        sent = _sent()
        file = sent.file
        funnels = _funnels(file)
        with transaction(services().engine) as tx:
            wanted, left_out = localized(tx, portal, file, funnels=funnels)
            return how(tx, portal, Sent(sent.text, sent.complete, file, wanted, left_out, funnels))
    except Refused as refused:
        problems = errors.problems(refused, current_visit().language)
        if isinstance(refused, InvalidInput):
            problems = [Problem("", f"{place(file, one.field)}: {one.text}") for one in problems]
        with transaction(services().engine) as tx:
            return _page(tx, portal, problems=problems), errors.status(refused)


def _sent() -> Sent:
    """The file that was chosen, or the text of one that was shown before; raises InvalidInput."""
    file = request.files.get("file")
    raw = file.read() if file is not None else request.form.get("text", "").encode()
    if not raw:
        raise InvalidInput({"file": "required"})
    try:
        text = raw.decode("utf-8-sig")
        value = json.loads(text)
    except (ValueError, RecursionError):
        raise InvalidInput({"file": "not_a_configuration"}) from None
    return Sent(text, request.form.get("complete") == "1", from_json(value))


def _funnels(file: Configuration) -> dict[int, list[str]]:
    """The portal's funnels of deals, when the file speaks of deals; none when it does not tell just now."""
    deals = [one.fields.get("deal") for one in file.services] + [(file.settings or {}).get("deal")]
    if not any(one and (one.get("stages") or one.get("mode") == "create") for one in deals):
        return {}
    try:
        return {one.id: [stage for stage, _name in one.stages] for one in read_funnels()}
    except AppError:
        return {}


def _preview(tx: Session, portal: Portal, sent: Sent) -> Preview:
    present = read(tx, portal, now())
    steps = plan(present, sent.wanted, complete=sent.complete)
    return Preview(
        text=sent.text,
        complete=sent.complete,
        revision=revision_of(present),
        steps=_teller(tx, portal).steps(steps[:MOST_SHOWN]),
        left_out=[_left_out(sent.file, one) for one in sent.left_out],
        count=len(steps),
    )


def _teller(tx: Session, portal: Portal) -> Teller:
    return Teller(current_visit().language, portal.currency, words.names_of(tx, portal))


def _left_out(file: Configuration, one: LeftOut) -> str:
    """«Доступ: Мария Лебедева (U7)»."""
    named = f"{one.name} ({one.code})" if one.name else one.code
    return f"{place(file, one.where)}: {named}" if named else place(file, one.where)


def place(file: Configuration, path: str) -> str:
    """A path such as `resources[3].hours[0]` in words, with the path itself where there are none."""
    language, found = current_visit().language, list(_STEP_INTO.finditer(path))
    if not found or path == "file":
        return _("The file")
    teller, section = Teller(language, ""), found[0]["name"]
    said = list(_named(teller, file, section, found[0]["n"]))
    said += [teller.label(one["name"]) for one in found[1:2]]
    return f"{', '.join(said)} ({path})" if said else path


def _named(teller: Teller, file: Configuration, section: str, n: str | None) -> Iterator[str]:
    if section not in PARTS:
        yield teller.subject(section)
        return
    yield teller.subject(PARTS[section].kind)
    items = file.items(section)
    if n is not None and int(n) < len(items):
        yield texts.say(teller.language, "quoted", name=name_of(PARTS[section], items[int(n)]))


def _page(tx: Session, portal: Portal, **said: Any) -> Response:
    present = read(tx, portal, now())
    teller = Teller(current_visit().language, portal.currency)
    holds = [(teller.subject(part.kind), len(present.items(section))) for section, part in PARTS.items()]
    page = ConfigurationPage([one for one in holds if one[1]], **said)
    return settings.show_list("settings/_configuration.html", page=page)

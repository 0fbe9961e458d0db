"""The guide: seven questions with a live preview, what will be made of the answers, and making it.

Answers are kept as they are given, so that the guide can be left at any time. A question that was answered wrongly
shows why, and what was right before stays.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from zoneinfo import ZoneInfo

from flask import make_response, render_template, request
from flask.typing import ResponseReturnValue

from b24app import texts
from b24app.booking import guide, guide_make, holidays
from b24app.booking.guide import Answers
from b24app.booking.guide_make import Planned
from b24app.booking.plain import made as read_plain
from b24app.booking.plain import plain
from b24app.errors import InvalidInput, NotFound, Refused, Stale
from b24app.ledger import guide as kept
from b24app.ledger.models import Portal
from b24app.ledger.session import Session, transaction
from b24app.sync.laid import LaidCrm
from b24app.web import errors, guide_preview, guide_start, panel, settings
from b24app.web.change_words import Teller, names_of
from b24app.web.guide_forms import FORMS
from b24app.web.guide_words import Line, lines, said_of
from b24app.web.staff import employees
from b24app.web.visit import current_tenant, current_visit, now, seen_tenant, services

blueprint = settings.section("guide", __name__)

QUESTIONS = tuple(FORMS)
END = "end"
MINUTES = {
    "free": (5, 10, 15, 30, 60),
    "slot": (30, 60, 90, 120, 180, 240),
    "service": (15, 20, 30, 45, 60, 90, 120, 180, 240),
}
WAITS = (30, 60, 120, 240, 720, 1440, 2880, 4320)
LADDER_HOURS = (1, 2, 3, 6, 12, 24, 48, 72, 168)
REMINDERS = (2880, 1440, 120, 60, 15)
CHANGED = json.dumps({"b24:changed": {}})


@dataclass(frozen=True, slots=True)
class Known:
    """Where the guide stands. `made`: what was answered when it made something last."""

    answers: Answers
    answered: tuple[str, ...] = ()
    made: Answers | None = None

    @property
    def open(self) -> str:
        """The first question that nobody has answered, or the end."""
        return next((one for one in QUESTIONS if one not in self.answered), END)


@dataclass(slots=True)
class Page:
    """Everything that templates/guide shows. `question` is one of the seven, or the end.

    `arrived`: the person has come from another one, so that its heading takes the focus.
    """

    question: str
    known: Known
    staff: Mapping[int, str]
    currency: str
    connected: bool
    form: Any = None
    problems: list[errors.Problem] = field(default_factory=list)
    steps: Sequence[Line] = ()
    print: int = 0
    arrived: bool = False

    @property
    def answers(self) -> Answers:
        return self.known.answers

    @property
    def at_field(self) -> dict[str, str]:
        """The first sentence for each field."""
        return {problem.field: problem.text for problem in reversed(self.problems)}

    @property
    def number(self) -> int:
        return QUESTIONS.index(self.question) + 1

    @property
    def following(self) -> str:
        """The question after this one, or the end."""
        return (*QUESTIONS, END)[self.number]

    @property
    def preceding(self) -> str:
        """The one before it, "" for the first."""
        return QUESTIONS[self.number - 2] if self.number > 1 else ""

    @property
    def is_done(self) -> bool:
        """Whether the portal is as the answers want it."""
        return self.question == END and self.known.made is not None and not self.steps

    @property
    def example(self) -> guide_preview.Example:
        return guide_preview.example(self.answers, _named_in(), current_visit().language, self.currency, now())

    @property
    def small(self) -> guide_preview.Small:
        return guide_preview.small_board(self.answers)

    @property
    def cancelled(self) -> guide_preview.Cancelled | None:
        return guide_preview.cancelled(self.example)

    @property
    def until(self) -> str:
        return guide_preview.until(self.example, self.answers)

    @property
    def others(self) -> list[str]:
        return guide_preview.others(self.answers, self.example)

    @property
    def rules(self) -> list[str]:
        """The rules that clients read, a sentence each."""
        shown = self.example
        return texts.policy_words(current_visit().language, shown.policy.as_dict(), priced=shown.quote is not None)

    @property
    def countries(self) -> list[tuple[str, str]]:
        """Those whose holidays are known, by name."""
        found = [(code, texts.country(current_visit().language, code)) for code in holidays.countries()]
        return sorted(found, key=lambda pair: pair[1])

    def minutes_of(self, unit: str, chosen: int) -> list[tuple[int, str]]:
        """Steps, periods and lengths to choose from, the chosen one among them."""
        return self._terms(MINUTES.get(unit, MINUTES["free"]), chosen)

    def waits_of(self, chosen: int) -> list[tuple[int, str]]:
        return self._terms(WAITS, chosen)

    def hours_of(self, chosen: int) -> list[tuple[int, str]]:
        return [(hours, self.term(hours * 60)) for hours in sorted({*LADDER_HOURS, chosen})]

    def percents_of(self, usual: Sequence[int], chosen: int) -> list[tuple[int, str]]:
        return [(one, texts.percent(current_visit().language, one)) for one in sorted({*usual, chosen})]

    def reminders_of(self, chosen: Collection[int]) -> list[int]:
        return sorted({*REMINDERS, *chosen}, reverse=True)

    def _terms(self, usual: Sequence[int], chosen: int) -> list[tuple[int, str]]:
        return [(minutes, self.term(minutes)) for minutes in sorted({*usual, chosen})]

    def times(self, name: str) -> list[str]:
        """The first times of the example's day."""
        day = self.example.during.start.astimezone(ZoneInfo(self.answers.time_zone)).date()
        return guide_preview.times(self.answers, name, day)

    def first_of(self, name: str) -> str:
        """What an example of this group is called."""
        group = self.answers.group(name)
        return group.service if group.unit == "service" else next(iter(guide.named(group)), "")

    def time_words(self, name: str) -> str:
        return guide_preview.time_words(self.answers, name, current_visit().language)

    def term(self, minutes: int) -> str:
        return texts.term(current_visit().language, minutes)

    def said(self, question: str) -> str:
        """The answer so far, in a few words."""
        return said_of(question, self.answers, self.staff, current_visit().language)


# Pages ----


@blueprint.get("/app/guide")
def show() -> ResponseReturnValue:
    """The guide where it was left."""
    known = _known()
    return _shown(known.open, known)


@blueprint.get("/app/guide/<name>")
def ask(name: str) -> ResponseReturnValue:
    """One question, or the end."""
    if name not in (*QUESTIONS, END):
        raise NotFound("page")
    return _shown(name, _known())


@blueprint.post("/app/guide/<name>")
def answer(name: str) -> ResponseReturnValue:
    """Keeps the answer and shows the preview that belongs to it; with `then` the next question."""
    if name not in QUESTIONS:
        raise NotFound("page")
    form, known = FORMS[name](), _known()
    try:
        answers = guide_start.filled(form.take(known.answers), known.answers, _named_in(), employees(), current_visit())
        guide.check(answers)
        guide.check_money(answers, seen_tenant().portal.currency, _named_in())
        goes_on = form.then.data == "next"
        answered = {*known.answered, name} if goes_on else known.answered
        known = replace(known, answers=answers, answered=_in_order(answered))
        _keep(known)
    except Refused as refused:
        return _refused(name, known, refused, form)
    following = (*QUESTIONS, END)[QUESTIONS.index(name) + 1]
    return _shown(following if goes_on else name, known, arrived=goes_on)


@blueprint.post("/app/guide/defaults")
def defaults() -> ResponseReturnValue:
    """Takes the proposed answer to whatever is not answered yet."""
    known = replace(_known(), answered=QUESTIONS)
    _keep(known)
    return _shown(END, known)


@blueprint.post("/app/guide/make")
def make() -> ResponseReturnValue:
    """Makes what the page has shown; when something else would be made now, shows that instead."""
    known = _known()
    try:
        with transaction(services().engine) as tx:
            portal = _writable(tx)
            plan = _planned(tx, portal, known)
            guide_make.make(
                tx, portal, known.answers, plan, shown=_shown_print(), viewer=current_visit().viewer, now=now(),
                longest_hours=services().settings.longest_booking_hours,
            )  # fmt: skip
    except (InvalidInput, Stale) as refused:
        return _refused(END, known, refused)
    return _shown(END, replace(known, made=known.answers), changed=True)


@blueprint.post("/app/guide/undo")
def undo() -> ResponseReturnValue:
    """Takes back what the guide has made last; the answers stay."""
    known = _known()
    try:
        with transaction(services().engine) as tx:
            guide_make.take_back(
                tx, _writable(tx), viewer=current_visit().viewer, now=now(),
                longest_hours=services().settings.longest_booking_hours,
            )  # fmt: skip
    except (InvalidInput, Stale) as refused:
        return _refused(END, known, refused)
    return _shown(END, replace(known, made=None), changed=True)


# What is kept ----


def _known() -> Known:
    """What was answered; proposals where nobody has answered anything yet."""
    stored = seen_tenant().portal.guide
    if "answers" not in stored:
        return Known(guide_start.proposed(seen_tenant().portal, employees(), current_visit(), now()))
    made = stored.get("made")
    return Known(
        read_plain(Answers, stored["answers"]),
        _in_order(stored.get("answered", ())),
        read_plain(Answers, made["answers"]) if made else None,
    )


def _in_order(answered: Collection[str]) -> tuple[str, ...]:
    return tuple(one for one in QUESTIONS if one in answered)


def _keep(known: Known) -> None:
    with transaction(services().engine) as tx:
        portal = _writable(tx)
        kept.keep(tx, portal.id, answers=plain(known.answers), answered=list(known.answered))


def _writable(tx: Session) -> Portal:
    tenant = current_tenant(tx)
    panel.check_writable(tenant)
    return tenant.portal


def _named_in() -> str:
    """What is made has names in the portal's language: another administrator may speak another one."""
    return seen_tenant().portal.language


def _planned(tx: Session, portal: Portal, known: Known) -> Planned:
    return guide_make.planned(
        tx, portal, known.answers, known.made, _named_in(), connected=_is_connected(), now=now()
    )  # fmt: skip


def _is_connected() -> bool:
    return LaidCrm.from_json(seen_tenant().portal.crm).complete


def _shown_print() -> int:
    """Which plan the person was looking at."""
    text = request.form.get("print", "")
    if not (text.isascii() and text.isdigit() and len(text) < 12):
        raise InvalidInput({"print": "forged"})
    return int(text)


# What is shown ----


def _page(question: str, known: Known) -> Page:
    portal = seen_tenant().portal
    page = Page(question, known, employees(), portal.currency, _is_connected())
    if question == END:
        with transaction(services().engine) as tx:
            row = current_tenant(tx).portal
            plan, names = _planned(tx, row, known), names_of(tx, row)
        page.steps = lines(plan, Teller(current_visit().language, portal.currency, names))
        page.print = plan.print
    else:
        page.form = FORMS[question].of(known.answers)
    return page


def _shown(question: str, known: Known, *, changed: bool = False, arrived: bool = True) -> ResponseReturnValue:
    page = _page(question, known)
    page.arrived = arrived
    answer = make_response(render_template("guide/_guide.html", page=page, visit=current_visit()))
    if changed:
        answer.headers["HX-Trigger"] = CHANGED
    return answer


def _refused(question: str, known: Known, refused: Refused, form: Any = None) -> ResponseReturnValue:
    """The same page with why nothing was changed, and what was typed."""
    page = _page(question, known)
    page.form = form or page.form
    page.problems = errors.problems(refused, current_visit().language)
    return render_template("guide/_guide.html", page=page, visit=current_visit()), errors.status(refused)

"""Robots of ours in the portal's automation: carried out one after the other, each answered whatever comes of it.

A call is decided in one transaction with what it changes, so told twice or killed in between it is done once. The
answer goes out afterwards; whether it was heard makes no difference: sent again it is refused, and nobody waits any
more. https://apidocs.bitrix24.com/api-reference/bizproc/bizproc-robot/index.html
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from zoneinfo import ZoneInfo

from b24app.bitrix.client import BatchResult, Command
from b24app.errors import (
    AppError,
    NotFound,
    Permanent,
    PortalUnavailable,
    Refused,
    Retryable,
    Stale,
)
from b24app.ledger import refs, robot_calls, sightings, tenancy
from b24app.ledger.access import RobotViewer
from b24app.ledger.models import Portal
from b24app.ledger.portal_models import RobotCall
from b24app.ledger.robot_calls import Card
from b24app.ledger.session import DatabaseError, Tx, transaction
from b24app.ledger.sightings import Hint
from b24app.sync import business
from b24app.sync.card_context import card_commands, card_of
from b24app.sync.lay_automation import declaration
from b24app.sync.reconcile import Halted, Visited
from b24app.sync.robot_deeds import DEEDS, Answer, Desk, broken, refused, unclear
from b24app.sync.robot_plans import NoBookingYet, Plan, Task, plan, task_of
from b24app.sync.robot_values import Given, Unclear
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import back_off, concerns_all, delay_of
from b24app.sync.verdict import refused as is_refusal

log = logging.getLogger(__name__)

BATCH = 20
MOST_ROUNDS = 3  # so often a call waits for something that the very next round may bring
MOST_FAILURES = 6
LOOKING = frozenset({"booking.check", "booking.nearest"})
BOOKING = frozenset({"booking.check", "booking.nearest", "booking.create", "booking.move"})
NOBODY_WAITS = "nobody_waits"
MISTAKES = (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError)  # of ours


class DoneAlready(Exception):
    """Somebody else has carried out this call meanwhile: what we have just done of it is taken back."""


def work(visited: Visited, client: AdminClient) -> bool:
    """One batch of calls that wait to be carried out or answered; whether there were any.

    Raises Halted when the portal cannot be worked with.
    """
    for call in (calls := _due(visited)):
        if call.result is None:
            _carry_out(visited, client, call)
    _answer(visited, client, [call for call in _due(visited) if call.result is not None])
    return bool(calls)


def _due(visited: Visited) -> list[RobotCall]:
    with transaction(visited.reach.engine) as tx:
        return robot_calls.due(tx, visited.portal.id, visited.reach.clock(), limit=BATCH)


# Carrying out ----


def _carry_out(visited: Visited, client: AdminClient, call: RobotCall) -> None:
    """One call, however it ends. Raises Halted."""
    try:
        _decide(visited, client, call)
    except DoneAlready:
        log.warning("portal %s: robot %s was carried out by somebody else", visited.portal.id, call.code)
    except NoBookingYet as error:
        _look_there(visited, call, error.item_id)
    except Refused as error:
        _conclude(visited, call, unclear(visited.portal, error))
    except (Retryable, Permanent) as error:  # the deal or a calendar could not be read
        _put_off(visited, [call], error)
    except DatabaseError as error:  # somebody was changing the same for long
        log.warning("portal %s: robot %s: %s", visited.portal.id, call.code, type(error).__name__)
        _once_more(visited, call)
    except MISTAKES:  # one call that we do not understand may not stop everything else in its portal
        log.exception("portal %s: robot %s", visited.portal.id, call.code)
        _conclude(visited, call, broken(visited.portal, "broken"))


def _decide(visited: Visited, client: AdminClient, call: RobotCall) -> None:
    if call.code not in DEEDS:
        raise Unclear("", "unknown_robot")
    given = Given(call.properties, ZoneInfo(visited.portal.time_zone))
    task = task_of(visited.portal, call, given, RobotViewer(call.user_id or client.user_id), visited.reach.clock())
    if call.code == "booking.create" and task.deal_id is not None:
        task.card = card_of("deal", task.deal_id, client.batch(card_commands("deal", task.deal_id)))
    with transaction(visited.reach.engine) as tx:
        planned = plan(tx, _portal(tx, visited), task)
    if call.code in BOOKING:
        _ask_calendars(visited, client, task, planned)
    _do(visited, task)


def _portal(tx: Tx, visited: Visited) -> Portal:
    tenant = tenancy.tenant(tx, visited.portal.id)
    if tenant is None:
        raise NotFound("portal")
    return tenant.portal


def _ask_calendars(visited: Visited, client: AdminClient, task: Task, planned: Plan) -> None:
    """What specialists have in their own calendars, where it is not known well enough: advice, without which it goes
    on when it cannot be had."""
    if planned.window is None:
        return
    older = business.WHEN_OFFERING if task.call.code in LOOKING else business.BEFORE_BOOKING
    try:
        business.refresh(
            visited.reach.engine, lambda: client, visited.portal.id, planned.wanted, planned.window,
            now=visited.reach.clock(), older_than=older,
        )  # fmt: skip
    except (Retryable, Permanent) as error:
        if isinstance(error, Retryable) and task.call.attempts < MOST_ROUNDS:
            raise
        log.info("portal %s: calendars are not told: %s", visited.portal.id, error)


def _do(visited: Visited, task: Task) -> None:
    """Does it and notes the answer, in one transaction. Who changes the same booking meanwhile goes first."""
    for last in (False, False, True):
        with transaction(visited.reach.engine) as tx:
            portal = _portal(tx, visited)
            answer = _answer_of(Desk(tx, portal, task, plan(tx, portal, task)), patient=not last)
            if answer is not None:
                if not _note(tx, task.call, answer, portal):
                    raise DoneAlready
                return


def _answer_of(desk: Desk, *, patient: bool) -> Answer | None:
    """What came of it; None where somebody changed the booking just then, and we are patient."""
    try:
        with desk.tx.begin_nested():
            return DEEDS[desk.task.call.code](desk)
    except Refused as error:
        return None if patient and isinstance(error, Stale) else refused(desk, error)


def _note(tx: Tx, call: RobotCall, answer: Answer, portal: Portal) -> bool:
    values = answer.values(ZoneInfo(portal.time_zone))
    return robot_calls.decide(tx, call, values, answer.booking.id if answer.booking else None)


def _conclude(visited: Visited, call: RobotCall, answer: Answer) -> None:
    """An answer that changes nothing."""
    with transaction(visited.reach.engine) as tx:
        _note(tx, call, answer, visited.portal)


def _look_there(visited: Visited, call: RobotCall, item_id: int) -> None:
    """The card may be so new that its own event is still on its way: it is looked at first, in the next round."""
    if call.attempts >= MOST_ROUNDS:
        _conclude(visited, call, unclear(visited.portal, Unclear("booking", "unknown_booking")))
        return
    with transaction(visited.reach.engine) as tx:
        sightings.see(tx, visited.portal.id, [Hint(sightings.ITEM, item_id, call.user_id)], visited.reach.clock())
        robot_calls.later(tx, [call], None)
        refs.wake(tx, visited.portal.id)


def _once_more(visited: Visited, call: RobotCall) -> None:
    if call.attempts >= MOST_FAILURES:
        _conclude(visited, call, broken(visited.portal, "broken"))
        return
    with transaction(visited.reach.engine) as tx:
        robot_calls.later(tx, [call], visited.reach.clock() + timedelta(seconds=back_off(call.attempts)))


def _put_off(visited: Visited, calls: Sequence[RobotCall], error: AppError) -> None:
    """The portal could not be asked; raises Halted where nothing else can be either."""
    log.warning("portal %s: robots: %s: %s", visited.portal.id, type(error).__name__, error)
    seconds = delay_of(error, min(call.attempts for call in calls))
    with transaction(visited.reach.engine) as tx:
        robot_calls.later(tx, calls, visited.reach.clock() + timedelta(seconds=seconds))
    if concerns_all(error):
        raise Halted from error


# Answering ----


def _answer(visited: Visited, client: AdminClient, calls: Sequence[RobotCall]) -> None:
    with transaction(visited.reach.engine) as tx:
        cards = robot_calls.cards_of(tx, visited.portal.id, [one.booking_id for one in calls if one.booking_id])
        early = [call for call in calls if _comes_yet(call, cards)]
        robot_calls.later(tx, early, None)
        robot_calls.failed(tx, [call for call in calls if not call.waits], NOBODY_WAITS)
    ready = [call for call in calls if call.waits and call not in early]
    if not ready:
        return
    try:
        answers = client.batch({str(call.id): _command(visited, call, cards) for call in ready})
    except (Retryable, Permanent) as error:
        _put_off(visited, ready, error)
        return
    _note_sent(visited, ready, answers)


def _comes_yet(call: RobotCall, cards: Mapping[Any, Card]) -> bool:
    """Whether the drain of this very round is about to make the card that the answer should link to."""
    wants = call.waits and call.code == "booking.create" and call.booking_id in cards
    return wants and cards[call.booking_id].coming and call.attempts < MOST_ROUNDS


def _command(visited: Visited, call: RobotCall, cards: Mapping[Any, Card]) -> Command:
    values = dict(call.result or {})
    if call.booking_id in cards and (url := _link(visited, cards[call.booking_id])):
        values["booking_link"] = url
    declared = next((one["returns"] for one in declaration()["robots"] if one["code"] == call.code), tuple(values))
    params = {
        "EVENT_TOKEN": call.token,
        "RETURN_VALUES": {name: values[name] for name in declared if name in values},
        "LOG_MESSAGE": values.get("message", ""),
    }
    return Command("bizproc.event.send", params)


def _link(visited: Visited, card: Card) -> str:
    """Where the portal shows the booking: its own card, else its deal's."""
    place = visited.place
    if card.item_id is not None and place.crm and place.crm.bookings:
        return f"{place.origin}/crm/type/{place.crm.bookings.entity_type_id}/details/{card.item_id}/"
    return f"{place.origin}/crm/deal/details/{card.deal_id}/" if card.deal_id else ""


def _note_sent(visited: Visited, calls: Sequence[RobotCall], answers: BatchResult) -> None:
    now = visited.reach.clock()
    unheard = PortalUnavailable("not run")
    with transaction(visited.reach.engine) as tx:
        for call in sorted(calls, key=lambda one: one.id):
            key = str(call.id)
            error = None if key in answers.results else answers.errors.get(key, unheard)
            if error is None:
                robot_calls.sent(tx, [call], now)
            elif is_refusal(error):  # its process has stopped, or has heard an earlier answer
                log.info("portal %s: robot %s is not waited for: %s", visited.portal.id, call.code, error)
                robot_calls.failed(tx, [call], getattr(error, "code", "") or "REJECTED")
            else:
                robot_calls.later(tx, [call], now + timedelta(seconds=delay_of(error, call.attempts)))

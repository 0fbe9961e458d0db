"""What is done again and again; of several workers the one that comes first does it."""

from __future__ import annotations

import logging
from datetime import timedelta

import procrastinate
from procrastinate.exceptions import ConnectorException

from b24app.booking.approval import escalate
from b24app.booking.attendance import settle_due
from b24app.errors import AppError
from b24app.jobs.app import Tools, app, tools_of
from b24app.ledger import (
    approval,
    deliveries,
    directory,
    due,
    outbox,
    queue,
    refs,
    request_log,
    robot_calls,
    sweeps,
    tenancy,
)
from b24app.ledger.session import DatabaseError, transaction

log = logging.getLogger(__name__)

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_TEN_MINUTES = "*/10 * * * *"
HOURLY = "17 * * * *"
SWEPT_EVERY = timedelta(hours=3)
SWEPT_AT_ONCE = 50  # portals of one round: sweeps take their time, and drains are more urgent
KEEP_ANSWERS = timedelta(days=30)
KEEP_DELIVERIES = timedelta(days=400)
KEEP_FAILED_HOURS = 24 * 7
SETTLED_AT_ONCE = 200  # bookings of one round: drains wait meanwhile
SOONEST_ESCALATION = timedelta(hours=1)
ESCALATED_AT_ONCE = 500
DIRECTORY_READ_EVERY = timedelta(hours=1)  # where no frame asks for it sooner (web.entry)


@app.periodic(cron=EVERY_TEN_SECONDS)
@app.task(name="jobs.look_after", queueing_lock="jobs.look_after", pass_context=True)
def look_after(context: procrastinate.JobContext, timestamp: int) -> None:
    """Puts back what dead workers have left, wakes drains whose time has come, erases tenants whose time is over, and
    writes down what the clock has decided about bookings."""
    tools = tools_of(context)
    rescue(tools)
    revive(tools)
    wake_portals(tools)
    erase_tenants(tools)
    settle_bookings(tools)


def rescue(tools: Tools) -> None:
    """Jobs of dead workers run again."""
    with transaction(tools.engine) as tx:
        rescued = queue.rescue(tx, tools.dead_after)
    if rescued:
        log.warning("rescued %s jobs of dead workers", rescued)


def revive(tools: Tools) -> None:
    """Installations that wait for an administrator who has come already go on; `wake_portals` wakes them."""
    with transaction(tools.engine) as tx:
        served = tenancy.revive_served(tx)
    if served:
        log.warning("portals %s have an administrator after all", served)


def wake_portals(tools: Tools) -> None:
    """A try that was put off is due, or a wake-up was missed."""
    with transaction(tools.engine) as tx:
        waiting = outbox.portals_with_work(tx, tools.clock())
    for portal_id in waiting:
        try:
            with transaction(tools.engine) as tx:
                refs.wake(tx, portal_id)
        except (DatabaseError, ConnectorException) as error:  # somebody holds its place in the queue for long
            log.warning("portal %s is not woken yet: %s", portal_id, type(error).__name__)


def erase_tenants(tools: Tools) -> None:
    """Removed so long ago, or so thoroughly, that nothing of them may be kept. What fails is done in a later round."""
    now = tools.clock()
    with transaction(tools.engine) as tx:
        over = tenancy.due_for_erasure(tx, now)
    for portal_id in over:
        try:
            with transaction(tools.engine) as tx:
                erased = tenancy.erase_if_due(tx, portal_id, now)
        except DatabaseError as error:
            log.warning("portal %s is not erased yet: %s", portal_id, type(error).__name__)
            continue
        if erased:
            log.warning("erased portal %s", portal_id)


def settle_bookings(tools: Tools) -> None:
    """Bookings whose term has passed or whose time is over, one transaction each. What fails is done in a later round:
    somebody was changing it just then."""
    now = tools.clock()
    with transaction(tools.engine) as tx:
        over = due.due_bookings(tx, now, SETTLED_AT_ONCE)
    for portal_id, booking_id in over:
        try:
            with transaction(tools.engine) as tx:
                tenant = tenancy.tenant(tx, portal_id)
                if tenant is not None:
                    settle_due(tx, tenant.portal, booking_id, now)
        except (AppError, DatabaseError) as error:
            log.warning("booking %s is not settled yet: %s", booking_id, type(error).__name__)


@app.periodic(cron=EVERY_TEN_MINUTES)
@app.task(name="jobs.sweep_portals", queueing_lock="jobs.sweep_portals", pass_context=True)
def sweep_portals(context: procrastinate.JobContext, timestamp: int) -> None:
    """Portals that were not compared with the ledger for some hours are, one after the other."""
    tools = tools_of(context)
    with transaction(tools.engine) as tx:
        overdue = sweeps.overdue(tx, tools.clock() - SWEPT_EVERY)
    for portal_id in overdue[:SWEPT_AT_ONCE]:
        with transaction(tools.engine) as tx:
            sweeps.ask(tx, portal_id, "timer")


@app.periodic(cron=EVERY_TEN_MINUTES)
@app.task(name="jobs.look_after_people", queueing_lock="jobs.look_after_people", pass_context=True)
def look_after_people(context: procrastinate.JobContext, timestamp: int) -> None:
    """Tells the next approvers of requests without an answer, and keeps departments and groups up to date."""
    tools = tools_of(context)
    escalate_requests(tools)
    read_directories(tools)


def escalate_requests(tools: Tools) -> None:
    """Requests that wait for long, one transaction each. Told again they tell nobody twice."""
    now = tools.clock()
    with transaction(tools.engine) as tx:
        unanswered = approval.unanswered(tx, now, now - SOONEST_ESCALATION, ESCALATED_AT_ONCE)
    for portal_id, booking_id in unanswered:
        try:
            with transaction(tools.engine) as tx:
                tenant = tenancy.tenant(tx, portal_id)
                if tenant is not None:
                    escalate(tx, tenant.portal, booking_id, now)
        except (AppError, DatabaseError) as error:
            log.warning("request %s is not passed on yet: %s", booking_id, type(error).__name__)


def read_directories(tools: Tools) -> None:
    """For what people do in the portal itself, where no page of ours asks for it."""
    since = tools.clock() - DIRECTORY_READ_EVERY
    with transaction(tools.engine) as tx:
        overdue = directory.overdue(tx, since)
    for portal_id in overdue:
        with transaction(tools.engine) as tx:
            directory.ask(tx, portal_id, tools.clock(), since=since)


@app.periodic(cron=HOURLY)
@app.task(name="jobs.forget", queueing_lock="jobs.forget", pass_context=True)
def forget(context: procrastinate.JobContext, timestamp: int) -> None:
    """Forgets what is of no use after a while: answers that robots have had, what was said to people."""
    tools = tools_of(context)
    with transaction(tools.engine) as tx:
        robot_calls.forget(tx, tools.clock() - KEEP_ANSWERS)
    with transaction(tools.engine) as tx:
        deliveries.purge(tx, tools.clock() - KEEP_DELIVERIES)
    forget_calls(tools)


def forget_calls(tools: Tools) -> None:
    """The log of calls is kept for three days; a part of it at a time, so that nobody waits long."""
    more = True
    while more:
        with transaction(tools.engine) as tx:
            more = request_log.forget(tx, tools.clock()) > 0


@app.periodic(cron=HOURLY)
@app.task(name="jobs.prune", queueing_lock="jobs.prune", pass_context=True)
async def prune(context: procrastinate.JobContext, timestamp: int) -> None:
    """Forgets finished jobs; failed ones are kept for a week."""
    manager = context.app.job_manager
    await manager.delete_old_jobs(KEEP_FAILED_HOURS, include_failed=True, include_cancelled=True, include_aborted=True)

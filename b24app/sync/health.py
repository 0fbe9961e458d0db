"""Whether all is well, as findings that pages and the command line put into the same words (`health.<code>`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

from b24app.ledger import health, limits, schema, sweeps, tenancy
from b24app.ledger.session import DatabaseError, Engine, Session, transaction
from b24app.ledger.tenancy import Tenant
from b24app.sync.laid import LaidCrm

LOOKS_BACK = timedelta(days=1)
LONG_MINUTES = 10  # so long may anything wait before it is worth a word


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. `well`: it is as it should be; `worth`: it works, but somebody should know.

    `params` for its words; a moment among them is a datetime, minutes are called `minutes`.
    """

    state: Literal["well", "worth", "wrong"]
    code: str
    params: Mapping[str, Any] = field(default_factory=dict)


def of_application(engine: Engine) -> list[Finding]:
    """The database, its schema, the queue and those who work on it."""
    ready = schema.readiness(engine)
    if not ready["database"]:
        return [Finding("wrong", "database")]
    if not ready["migrations"] or not ready["queue"]:
        return [Finding("wrong", "migrations")]
    try:
        with transaction(engine) as tx:
            return [Finding("well", "ready"), *_queue(tx), *_applications(tx)]
    except DatabaseError:
        return [Finding("wrong", "database")]


def _queue(tx: Session) -> Iterator[Finding]:
    queue = health.queue_state(tx)
    if not queue.workers:
        yield Finding("wrong", "no_worker")
    else:
        yield Finding("well", "workers", {"count": queue.workers})
    minutes = int(queue.seconds // 60)
    if minutes >= LONG_MINUTES:
        yield Finding("worth", "queue_late", {"count": queue.waiting, "minutes": minutes})
    else:
        yield Finding("well", "queue", {"count": queue.waiting})
    if queue.failed:
        yield Finding("worth", "jobs_failed", {"count": queue.failed})


def _applications(tx: Session) -> Iterator[Finding]:
    if not tenancy.applications(tx):
        yield Finding("wrong", "no_application")


def of_portal(engine: Engine, portal_id: int, now: datetime) -> list[Finding]:
    """One portal: its installation, whose access we work with, whether it answers and is in step, what it refused."""
    with transaction(engine) as tx:
        tenant = tenancy.tenant(tx, portal_id)
        if tenant is None:
            return [Finding("wrong", "not_installed")]
        found = [*_installation(tx, tenant), *_in_step(tx, tenant, now), *_calls(tx, portal_id, now)]
    until = limits.silent_until(engine, portal_id)
    return [Finding("wrong", "silent", {"time": until}), *found] if until is not None and until > now else found


def _installation(tx: Session, tenant: Tenant) -> Iterator[Finding]:
    installation = tenant.installation
    if installation.payment_expired:
        yield Finding("wrong", "unpaid")
    if installation.state == "blocked":
        yield Finding("wrong", "blocked")
    pairs = len(tenancy.living_pairs(tx, tenant.portal.id))
    if installation.needs_admin or not pairs:
        yield Finding("wrong", "no_token")
    else:
        yield Finding("well" if pairs > 1 else "worth", "tokens" if pairs > 1 else "one_token", {"count": pairs})
    if tenant.portal.level == "B" and not LaidCrm.from_json(tenant.portal.crm).complete:
        yield Finding("wrong", "lost_crm")


def _in_step(tx: Session, tenant: Tenant, now: datetime) -> Iterator[Finding]:
    backlog, last = sweeps.backlog(tx, tenant.portal.id), sweeps.last(tx, tenant.portal.id)
    waiting = backlog.peoples + backlog.bulk + backlog.hints
    minutes = int((now - backlog.oldest).total_seconds() // 60) if backlog.oldest else 0
    if minutes >= LONG_MINUTES:
        yield Finding("worth", "behind", {"count": waiting, "minutes": minutes})
    else:
        yield Finding("well", "in_step")
    if backlog.parked:
        yield Finding("wrong", "parked", {"count": backlog.parked})
    if last is not None and last.failed:
        yield Finding("worth", "sweep_failed", {"time": last.started_at})


def _calls(tx: Session, portal_id: int, now: datetime) -> Iterator[Finding]:
    failing = health.failing_calls(tx, portal_id, now - LOOKS_BACK)
    for one in failing:
        yield Finding(
            "worth", "call", {"method": one.method, "outcome": one.outcome, "count": one.calls, "time": one.last}
        )
    if not failing:
        yield Finding("well", "calls")

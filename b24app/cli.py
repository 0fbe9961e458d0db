"""Commands for whoever operates the application: `flask --app wsgi …`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from b24app.jobs.worker import reach_of, run_worker
from b24app.ledger import embedded, request_log, schema, secrets, sweeps, tenancy
from b24app.ledger.models import Base
from b24app.ledger.session import transaction
from b24app.sync import health, in_step, sweep
from b24app.sync.health import Finding
from b24app.sync.pace import Pace
from b24app.sync.tokens import Reach
from b24app.web.health_words import words
from b24app.web.visit import Services, now, services

db = AppGroup("db", help="The database.")
application = AppGroup("application", help="Applications: a client_id with its secret each.")
portal = AppGroup("portal", help="Portals that installed the application.")


def register(app: Flask) -> None:
    """Adds the commands to `flask`."""
    for command in (db, application, portal, worker, doctor):
        app.cli.add_command(command)


def database_url(made: Services) -> str:
    """Where the ledger is: DATABASE_URL, or the server of our own."""
    return made.settings.database_url or embedded.ensure(made.settings.var_dir)


@db.command("upgrade")
def upgrade() -> None:
    """Bring the database to the newest schema, and the settings' CLIENT_ID into its table."""
    made = services()
    schema.upgrade(database_url(made))
    if made.settings.client_id and made.settings.client_secret:
        with transaction(made.engine) as tx:
            tenancy.add_application(
                tx, made.settings.client_id, made.settings.client_secret, made.settings.application_kind
            )
    click.echo("The database is up to date.")


@db.command("rotate-keys")
def rotate_keys() -> None:
    """Encrypt every secret anew with the first of TOKEN_KEYS; the older keys may go afterwards."""
    with transaction(services().engine) as tx:
        click.echo(f"{secrets.rotate(tx, Base.metadata.sorted_tables)} secrets were encrypted anew.")


@application.command("add")
@click.argument("client_id")
@click.option("--secret", prompt=True, hide_input=True, help="Asked for when it is not given.")
@click.option("--kind", type=click.Choice(["local", "market"]), default="local", show_default=True)
def add_application(client_id: str, secret: str, kind: str) -> None:
    """Make the application of CLIENT_ID known, or give it a new secret."""
    with transaction(services().engine) as tx:
        tenancy.add_application(tx, client_id.strip(), secret.strip(), kind)
    click.echo(f"{client_id} ({kind}) may now be installed.")


@application.command("list")
def list_applications() -> None:
    """Every known client_id; secrets are never shown."""
    with transaction(services().engine) as tx:
        for one in tenancy.applications(tx):
            click.echo(f"{one.id}\t{one.client_id}\t{one.kind}")


@portal.command("list")
def list_portals() -> None:
    """Every portal with the state of its installation."""
    with transaction(services().engine) as tx:
        for one in tenancy.portals(tx):
            found = tenancy.tenant(tx, one.id)
            state = found.installation.state if found else "deleted"
            waiting = " needs-admin" if found and found.installation.needs_admin else ""
            click.echo(f"{one.id}\t{one.member_id}\t{one.domain}\tlevel {one.level}\t{state}{waiting}")


@portal.command("erase")
@click.argument("member_id")
@click.option("--yes", is_flag=True, help="Do not ask.")
def erase_portal(member_id: str, yes: bool) -> None:
    """Delete a portal with everything that is its own, now and for good."""
    with transaction(services().engine) as tx:
        found = tenancy.portal_by_member(tx, member_id)
        if found is None:
            raise click.ClickException(f"No portal {member_id} here.")
        if not yes:
            click.confirm(f"Erase {found.domain} with all its bookings and clients?", abort=True)
        tenancy.erase(tx, found.id)
    click.echo("Erased.")


@portal.command("log")
@click.argument("member_id")
@click.option("--method", help="Only this one, or crm.* for several.")
@click.option("--limit", default=50, show_default=True, help="How many of the last calls.")
@click.option("--short", is_flag=True, help="One line for a call, without what was sent and answered.")
def log_portal(member_id: str, method: str | None, limit: int, short: bool) -> None:
    """Print what was asked of a portal in the last three days and what it answered, without its tokens."""
    with transaction(services().engine) as tx:
        found = tenancy.portal_by_member(tx, member_id)
        if found is None:
            raise click.ClickException(f"No portal {member_id} here.")
        for call in request_log.read(tx, found.id, method, limit):
            click.echo(f"{call.at:%Y-%m-%d %H:%M:%S} {call.method} {call.outcome} {call.milliseconds} ms")
            if not short:
                body = json.loads(call.body)
                click.echo(f"  → {body['sent']}\n  ← {body['answer']}")


@portal.command("reconcile")
@click.argument("member_id", required=False)
def reconcile_portal(member_id: str | None) -> None:
    """Compare a portal (without MEMBER_ID: every working one) with the ledger, and bring both into step, now."""
    with transaction(services().engine) as tx:
        every = [one for one in tenancy.portals(tx) if member_id in (None, one.member_id)]
    if not every:
        raise click.ClickException(f"No portal {member_id} here." if member_id else "No portal here.")
    reach = reach_of(services())
    for one in every:
        found = sweep.sweep(reach, one.id, "cli")
        click.echo(f"{one.domain}: {_told(found)}")
        _until_quiet(reach, one.id)


def _told(found: Mapping[str, Any] | None) -> str:
    if found is None:
        return "could not be compared: not installed, or it does not answer."
    compared = sum(found["compared"].values())
    differences = ", ".join(f"{kind} {count}" for kind, count in sorted(found["differences"].items()) if count)
    return f"{compared} cards and events compared; {differences or 'no differences'}."


def _until_quiet(reach: Reach, portal_id: int) -> None:
    """What can be done at once is; what has to wait for its time is left to the workers."""
    pace = Pace()
    while in_step.keep_in_step(reach, portal_id, pace):
        pass
    with transaction(reach.engine) as tx:
        left = sweeps.backlog(tx, portal_id)
    click.echo(f"  waiting {left.peoples + left.bulk + left.hints}, parked {left.parked}")


@click.command("worker")
def worker() -> None:
    """Run the jobs of the queue until stopped; start as many of these as needed."""
    run_worker(services())


@click.command("doctor")
def doctor() -> None:
    """Say in words whether all is well, as the page "Health" does; the exit code is 1 when something is wrong."""
    made = services()
    found = [*_of_settings(made), *health.of_application(made.engine)]
    lines = [_line(one) for one in found]
    if not any(one.code in UNREADABLE for one in found):
        with transaction(made.engine) as tx:
            every = tenancy.portals(tx)
        for one in every:
            said = health.of_portal(made.engine, one.id, now())
            lines += [_line(finding, f"{one.domain}: ") for finding in said if finding.state != "well"]
            found += said
    for line in lines:
        click.echo(line)
    if any(one.state == "wrong" for one in found):
        sys.exit(1)


# With these nothing can be read of portals.
UNREADABLE = ("database", "migrations")
MARKS = {"well": "✓", "worth": "!", "wrong": "✗"}


def _line(found: Finding, of: str = "") -> str:
    return f"{MARKS[found.state]} {of}{words('en', found, ZoneInfo('UTC'), now())}"


def _of_settings(made: Services) -> Iterator[Finding]:
    """What only this process knows: how it was started."""
    settings = made.settings
    if settings.app_url.startswith("http://") and not settings.allow_http:
        yield Finding("wrong", "plain_http")
    if settings.allow_http or settings.allow_private:
        yield Finding("worth", "open_hosts")
    if not Path(current_app.static_folder or "").is_dir():
        yield Finding("wrong", "no_static")

"""Commands for whoever operates the application: `flask --app wsgi …`."""

from __future__ import annotations

import sys
from pathlib import Path

import click
from flask import Flask, current_app
from flask.cli import AppGroup

from b24app.jobs.worker import run_worker
from b24app.ledger import embedded, schema, secrets, tenancy
from b24app.ledger.models import Base
from b24app.ledger.session import DatabaseError, transaction
from b24app.web.visit import Services, services

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


@click.command("worker")
def worker() -> None:
    """Run the jobs of the queue until stopped; start as many of these as needed."""
    run_worker(services())


@click.command("doctor")
def doctor() -> None:
    """Say in words what is misconfigured; the exit code is 1 when something is."""
    problems = list(_problems(services()))
    for problem in problems:
        click.echo(f"✗ {problem}")
    if problems:
        sys.exit(1)
    click.echo("Everything that can be checked from here is in order.")


def _problems(made: Services) -> list[str]:
    settings, found = made.settings, []
    try:
        if not schema.readiness(made.engine)["migrations"]:
            return ["The database does not answer or has an older schema: run `flask --app wsgi db upgrade`."]
        with transaction(made.engine) as tx:
            if not tenancy.applications(tx):
                found.append("No application is known: set CLIENT_ID and CLIENT_SECRET, or `application add`.")
            waiting = [
                one.domain
                for one in tenancy.portals(tx)
                if (alive := tenancy.tenant(tx, one.id)) and alive.installation.needs_admin
            ]
    except DatabaseError as error:
        return [f"The database does not answer: {error.__class__.__name__}. Check DATABASE_URL."]
    found += [f"{domain}: no administrator's access is left; one has to open the application." for domain in waiting]
    if settings.app_url.startswith("http://") and not settings.allow_http:
        found.append("APP_URL is plain http: portals open only https pages in a frame.")
    if settings.allow_http or settings.allow_private:
        found.append("ALLOW_HTTP or ALLOW_PRIVATE is on: right only inside of a closed network.")
    if not Path(current_app.static_folder or "").is_dir():
        found.append("static/ is missing beside the application.")
    return found

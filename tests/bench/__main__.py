"""`make bench`: the rows of docs/performance.md on this machine, with the limits measured in the same run."""

from __future__ import annotations

import gzip
import statistics
import tempfile
import uuid
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from flask import Flask
from sqlalchemy import Engine, event, text

from b24app.app import create_app
from b24app.ledger import embedded, schema, secrets, tenancy
from b24app.ledger.models import Portal
from b24app.ledger.session import connect, transaction
from tests import database
from tests.bench import visible
from tests.bench.measure import Table, times_ms
from tests.bench.seed import Seeded, seed
from tests.conftest import TOKEN_KEY, make_settings
from tests.factories import installation_of, make_portal, make_resource
from tests.prove import race, servers

VAR = Path(__file__).parents[2] / "var" / "bench"
MIGRATIONS = schema.MIGRATIONS


def main() -> None:
    secrets.install_keys([TOKEN_KEY])
    table = Table()
    server = embedded.ensure(VAR)  # waits for the disk, as in production
    try:
        with fresh_database(server) as url:
            engine = connect(url, 20)
            seeded = seed(engine, datetime.now(UTC))
            floor(table, engine)
            in_process(table, url, seeded)
            over_http(table, engine, url, seeded)
            engine.dispose()
        with fresh_database(server) as url:
            races(table, url)
        with fresh_database(server) as url:
            table.row("visible_in_portal_s", visible.seconds_until_visible(url, rounds=10), 2.0)
    finally:
        embedded.stop(VAR)
    table.write()


def fresh_database(server: str) -> AbstractContextManager[str]:
    """A migrated database with nothing in it, gone afterwards."""
    template = database.template_database(
        server, schema.upgrade, database.fingerprint(MIGRATIONS, MIGRATIONS.parents[1] / "requirements.txt")
    )
    return database.cloned(server, template)


def floor(table: Table, engine: Engine) -> None:
    """What nothing can be faster than here: an empty Flask answer, a single-row insert with its commit."""
    bare = Flask("bare")
    bare.add_url_rule("/", view_func=lambda: "")
    client = bare.test_client()
    table.limit("bare_flask_ms", statistics.median(times_ms(lambda: client.get("/"), 200)))
    with engine.connect() as connection:
        connection.execute(text("CREATE TABLE raw (n int)"))
        connection.commit()

        def insert() -> None:
            connection.execute(text("INSERT INTO raw VALUES (1)"))
            connection.commit()

        table.limit("raw_insert_ms", statistics.median(times_ms(insert, 200)))


def bearer(seeded: Seeded) -> dict[str, str]:
    portal = Portal(id=seeded.portal_id, member_id=seeded.member_id)
    return {"Authorization": f"Bearer {servers.bearer_of(portal, seeded.installation_id, 1, is_admin=True)}"}


def in_process(table: Table, url: str, seeded: Seeded) -> None:
    """Size and statements of the day board, where the statements can be counted."""
    settings = make_settings(url, Path(tempfile.gettempdir()), secret_key=servers.SECRET)
    app = create_app(settings)
    engine = app.extensions["b24"].engine
    client, headers = app.test_client(), bearer(seeded)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, sql, *_: statements.append(sql))

    def board() -> bytes:
        answer = client.get(f"/app/board?day={seeded.day}", headers=headers)
        assert answer.status_code == 200, answer.status
        return answer.data

    board()
    statements.clear()
    body = board()
    table.row("board_day_sql", [len(statements)], 6)
    table.row("board_day_gzip_bytes", [len(gzip.compress(body, 6))], 25_000)
    table.limit("board_in_process_ms", statistics.median(times_ms(board, 40)))
    engine.dispose()


def over_http(table: Table, engine: Engine, url: str, seeded: Seeded) -> None:
    """Board and booking, one client on a kept connection, two worker processes."""
    with servers.web(servers.environment(url, TOKEN_KEY), threads=4) as base, requests.Session() as http:
        http.headers.update(bearer(seeded))

        def board() -> None:
            assert http.get(f"{base}/app/board?day={seeded.day}").status_code == 200

        table.row("board_day_p50_ms", times_ms(board, 100, warm=20), 20)
        free = iter([(day, room) for day in range(30, 33) for room in seeded.resource_ids])

        def book() -> None:
            day, room = next(free)
            form = {"resource": room, "date": (seeded.day + timedelta(days=day)).isoformat(), "start": "12:00",
                    "end": "13:00", "title": "Встреча", "request_key": uuid.uuid4().hex}  # fmt: skip
            answer = http.post(f"{base}/app/bookings", data=form)
            assert answer.status_code in (200, 201), answer.text[:500]

        table.row("create_p50_ms", times_ms(book, 200, warm=20), 10)


def races(table: Table, url: str) -> None:
    engine = connect(url, 5)
    rounds = 100
    with transaction(engine) as tx:
        portal = make_portal(tx)
        room = make_resource(tx, portal, now=datetime.now(UTC), horizon_days=400)
        tenancy.frame_seen(tx, portal.id, datetime.now(UTC))
        installation = installation_of(tx, portal)
    race.widen(engine)
    bearers = [servers.bearer_of(portal, installation, user) for user in range(1, race.CLIENTS + 1)]
    with servers.web(servers.environment(url, TOKEN_KEY)) as base:
        tomorrow = datetime.now(UTC).date() + timedelta(days=1)
        outcome = race.run(base, bearers, room.id, tomorrow, rounds)
    table.row("race_overlaps", [race.overlaps(engine)], 0)
    table.row("race_errors", [outcome.errors + sum(won != 1 for won in outcome.winners)], 0)
    engine.dispose()


if __name__ == "__main__":
    main()

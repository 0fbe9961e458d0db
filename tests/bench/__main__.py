"""`make bench`: the rows of docs/performance.md on this machine, with the limits measured in the same run."""

from __future__ import annotations

import argparse
import gzip
import statistics
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

import requests
from flask import Flask
from sqlalchemy import Engine, event, text

from b24app.app import create_app
from b24app.ledger import embedded, schema, secrets, tenancy
from b24app.ledger.models import Portal
from b24app.ledger.session import connect, transaction
from tests import database
from tests.bench import browser, imports, load, past, portals, tables, told, visible
from tests.bench.measure import Table, times_ms
from tests.bench.seed import Seeded, seed
from tests.bench.step import in_step
from tests.conftest import TOKEN_KEY, make_settings
from tests.factories import installation_of, make_portal, make_resource
from tests.prove import race, servers

VAR = Path(__file__).parents[2] / "var" / "bench"
MIGRATIONS = schema.MIGRATIONS


def main() -> None:
    """All parts, or those named after `--only`, which are printed and not written."""
    arguments = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    arguments.add_argument("--only", nargs="+", choices=list(PARTS), metavar="PART", help=", ".join(PARTS))
    only: list[str] | None = arguments.parse_args().only
    secrets.install_keys([TOKEN_KEY])
    table = Table()
    server = embedded.ensure(VAR)  # waits for the disk, as in production
    try:
        for name in only or PARTS:
            with fresh_database(server) as url:
                PARTS[name](table, url)
    finally:
        embedded.stop(VAR)
    if not only:
        table.write()


def fresh_database(server: str) -> AbstractContextManager[str]:
    """A migrated database with nothing in it, gone afterwards."""
    template = database.template_database(
        server, schema.upgrade, database.fingerprint(MIGRATIONS, MIGRATIONS.parents[1] / "requirements.txt")
    )
    return database.cloned(server, template)


def pages(table: Table, url: str) -> None:
    """Board and booking."""
    engine = connect(url, 20)
    seeded = seed(engine, datetime.now(UTC))
    floor(table, engine)
    in_process(table, url, seeded)
    over_http(table, engine, url, seeded)
    engine.dispose()


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
    app = application(url)
    engine = app.extensions["b24"].engine
    client, headers = app.test_client(), bearer(seeded)
    statements: list[str] = []
    event.listen(engine, "before_cursor_execute", lambda _c, _cur, sql, *_: statements.append(sql))

    def board() -> bytes:
        answer = client.get(f"/app/board?day={seeded.day}", headers=headers)
        assert answer.status_code == 200, answer.status
        return answer.data

    board()
    forget_boards(engine, seeded)
    statements.clear()
    body = board()
    table.row("board_day_sql", [len(statements)], 6)
    table.row("board_day_gzip_bytes", [len(gzip.compress(body, 6))], 25_000)
    drawn = times_ms(board, 40, before=lambda: forget_boards(engine, seeded))
    table.limit("board_in_process_ms", statistics.median(drawn))
    engine.dispose()


def application(url: str) -> Flask:
    return create_app(make_settings(url, Path(tempfile.gettempdir()), secret_key=servers.SECRET))


def over_http(table: Table, engine: Engine, url: str, seeded: Seeded) -> None:
    """Board and booking over HTTP, two worker processes: one client on a kept connection, then eight at once."""
    with servers.web(servers.environment(url, TOKEN_KEY), threads=4) as base:
        now = one_client(table, engine, base, seeded, 0)
        eight_clients(table, engine, base, seeded)
        past.add(engine, seeded)
        then = one_client(None, engine, base, seeded, 9)
        table.row("history_ratio", [after / before for before, after in zip(now, then, strict=True)], 1.2)


def one_client(table: Table | None, engine: Engine, base: str, seeded: Seeded, number: int) -> tuple[float, float]:
    """The medians of the day board and of a booking, in ms; into the table where there is one."""
    day, free = seeded.day.isoformat(), free_times(seeded, number)
    with requests.Session() as http:
        http.headers.update(bearer(seeded))

        def board(**headers: str | None) -> requests.Response:
            answer = http.get(f"{base}/app/board?day={day}", headers=headers)
            assert answer.status_code in (200, 304), answer.status_code
            return answer

        def book() -> None:
            _, path, body, headers = next(free)
            answer = http.post(base + path, data=body, headers=headers)
            assert answer.status_code in (200, 201), answer.text[:500]

        boards = times_ms(board, 100, warm=20, before=lambda: forget_boards(engine, seeded))
        bookings = times_ms(book, 200, warm=20)
        if table is not None:
            table.row("board_day_p50_ms", boards, 20)
            table.limit("board_day_kept_ms", statistics.median(times_ms(board, 100, warm=20)))
            table.row("create_p50_ms", bookings, 10)
            tag = board().headers["ETag"]
            table.row("board_unchanged_p50_ms", times_ms(lambda: unchanged(board, tag), 100, warm=20), 2.5)
            table.row("board_day_first_p50_ms", [first_ms(engine, seeded, board, n) for n in range(20)], 40)
            address = f"{base}/app/board?view=week&resource={seeded.resource_ids[0]}&day={day}"
            weeks = times_ms(lambda: http.get(address), 100, warm=20, before=lambda: forget_boards(engine, seeded))
            table.row("board_week_p50_ms", weeks, 10)
    return statistics.median(boards), statistics.median(bookings)


def unchanged(board: Callable[..., requests.Response], tag: str) -> None:
    assert board(**{"If-None-Match": tag}).status_code == 304


def forget_boards(engine: Engine, seeded: Seeded) -> None:
    """As any booking does it: no board that a process has kept is up to date any more."""
    with engine.begin() as connection:
        connection.execute(
            text("UPDATE portal SET changes = changes + 1 WHERE id = :portal"), {"portal": seeded.portal_id}
        )


def first_ms(engine: Engine, seeded: Seeded, board: Callable[..., requests.Response], n: int) -> float:
    """The board after every lane has changed: one booking of each resource has another title."""
    with engine.begin() as connection:
        connection.execute(CHANGE_EVERY_LANE, {"portal": seeded.portal_id, "day": seeded.day, "title": f"Встреча {n}"})
    forget_boards(engine, seeded)
    start = time.perf_counter()
    board()
    return (time.perf_counter() - start) * 1000


def eight_clients(table: Table, engine: Engine, base: str, seeded: Seeded) -> None:
    """Each board is drawn anew, as after a booking."""

    def forget() -> None:
        forget_boards(engine, seeded)

    headers, path = bearer(seeded), f"/app/board?day={seeded.day}"

    def boards(_n: int) -> Iterator[load.Request]:
        while True:
            yield "GET", path, None, headers

    table.row("board_day_rps_c8", load.per_second(base, boards, forget), 60, least=True)
    table.row("create_rps_c8", load.per_second(base, lambda n: free_times(seeded, 1 + n)), 200, least=True)


def free_times(seeded: Seeded, client: int) -> Iterator[load.Request]:
    """Forms for hours that nobody else books: every client has its own hour of the day."""
    headers = bearer(seeded) | {"Content-Type": "application/x-www-form-urlencoded"}
    for day in range(30, 90):
        for room in seeded.resource_ids:
            form = {
                "resource": room, "date": (seeded.day + timedelta(days=day)).isoformat(), "start": f"{8 + client}:00",
                "end": f"{9 + client}:00", "title": "Встреча", "request_key": uuid.uuid4().hex,
            }  # fmt: skip
            yield "POST", "/app/bookings", urlencode(form), headers


CHANGE_EVERY_LANE = text("""
UPDATE booking SET title = :title WHERE id IN (
    SELECT DISTINCT ON (unit_id) booking_id FROM allocation
    WHERE portal_id = :portal AND lower(during) >= CAST(:day AS date) AND lower(during) < CAST(:day AS date) + 1
)
""")


def in_browser(table: Table, url: str) -> None:
    """The day board under somebody's hand."""
    engine = connect(url, 5)
    seeded, app = seed(engine, datetime.now(UTC)), application(url)
    page = browser.page_of(app, seeded, bearer(seeded)["Authorization"].removeprefix("Bearer "))
    with servers.web(servers.environment(url, TOKEN_KEY), threads=4) as base:
        felt = browser.felt(base, page, seeded.day.isoformat())
    table.row("drag_frame_ms", [browser.p95(felt.frames)], 16)
    table.row("board_nodes", [felt.nodes], 4000)
    table.row("layout_shift", [felt.shift], 0)
    table.row("js_gzip_bytes", [browser.scripts_gzip_bytes(app, page)], 25_000)
    app.extensions["b24"].engine.dispose()
    engine.dispose()


def first_paint(table: Table, url: str) -> None:
    with in_step(url) as place:
        paints, trips = browser.first_paints(place)
    table.row("first_paint_ms", paints, 300)
    table.row("portal_round_trips", [float(n) for n in trips], 2, worst=True)


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


def visible_in_portal(table: Table, url: str) -> None:
    table.row("visible_in_portal_s", visible.seconds_until_visible(url, rounds=10), 2.0)


def visible_under_bulk(table: Table, url: str) -> None:
    table.row("visible_under_bulk_s", visible.seconds_under_bulk(url, rounds=10), 5.0, worst=True)


def import_of_tables(table: Table, url: str) -> None:
    """Two thousand resources out of a workbook, beside the seeded company."""
    engine = connect(url)
    seeded = seed(engine, datetime.now(UTC))
    app, headers = application(url), bearer(seeded)
    table.row("import_2000_s", [tables.seconds(app, headers, tables.ROWS * n) for n in range(3)], 10, worst=True)
    engine.dispose()


def portal_calls(table: Table, url: str) -> None:
    table.row("portal_calls_per_booking", [imports.calls_per_booking(url, 1000)], 0.067)


def foreign_events(table: Table, url: str) -> None:
    """Beside the 78,000 pictures of the seeded company."""
    engine = connect(url)
    seeded = seed(engine, datetime.now(UTC))
    heard = told.foreign_ms(application(url), seeded.portal_id)
    table.row("event_foreign_ms", heard, 20)
    table.row("event_foreign_p99_ms", [statistics.quantiles(heard, n=100)[-1]], 20)
    engine.dispose()


def many_portals(table: Table, url: str) -> None:
    table.row("portals_delay_s", portals.delays(url), 5.0, worst=True)


PARTS: dict[str, Callable[[Table, str], None]] = {
    "pages": pages,
    "browser": in_browser,
    "paint": first_paint,
    "races": races,
    "visible": visible_in_portal,
    "bulk": visible_under_bulk,
    "tables": import_of_tables,
    "calls": portal_calls,
    "foreign": foreign_events,
    "portals": many_portals,
}


if __name__ == "__main__":
    main()

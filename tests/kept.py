"""What an installation leaves behind, made once by the installer itself and put back for each test that begins there.

To put it back takes a tenth of the time that installing takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from sqlalchemy import Engine

from b24app.ledger.models import Base
from emulator import storage
from emulator.state import World

TABLES = [*(table.name for table in Base.metadata.sorted_tables), "procrastinate_workers", "procrastinate_jobs"]
# Most tables are empty after most tests: to look is ten times as fast as to truncate all of them.
EMPTY = f"""
DO $$
DECLARE one text; filled boolean;
BEGIN
    FOREACH one IN ARRAY '{{{",".join(reversed(TABLES))}}}'::text[] LOOP
        EXECUTE 'SELECT EXISTS (SELECT FROM ' || quote_ident(one) || ')' INTO filled;
        IF filled THEN
            EXECUTE 'DELETE FROM ' || quote_ident(one);
        END IF;
    END LOOP;
    PERFORM setval(quote_ident(sequencename)::regclass, start_value, false)
        FROM pg_sequences WHERE last_value IS NOT NULL;
END $$
"""


@dataclass(frozen=True)
class Kept:
    """What portal and ledger remember."""

    world: dict[str, Any]
    rows: dict[str, bytes]
    counters: dict[str, int]

    def put_back(self, engine: Engine, world: World) -> None:
        """The same in another test's world and ledger, which is empty."""
        world.replace_with(storage.load(World, self.world))
        with _connected(engine) as connection:
            for table, rows in self.rows.items():
                with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                    copy.write(rows)
            for counter, value in self.counters.items():
                connection.execute("SELECT setval(%s::regclass, %s)", [counter, value])


def take(engine: Engine, world: World) -> Kept:
    """Takes away what there is in the ledger, and remembers it with what there is in the world."""
    with _connected(engine) as connection:
        rows = {table: _copied(connection, table) for table in TABLES}
        counters = connection.execute(
            "SELECT quote_ident(sequencename), last_value FROM pg_sequences WHERE last_value IS NOT NULL"
        ).fetchall()
        connection.execute(EMPTY)
    return Kept(storage.dump(world), {table: some for table, some in rows.items() if some}, dict(counters))


def empty(engine: Engine) -> None:
    """Leaves a ledger with nothing in it, and its counters at their beginning."""
    with engine.begin() as connection:
        connection.exec_driver_sql(EMPTY)


def _connected(engine: Engine) -> psycopg.Connection:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(url)


def _copied(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(bytes(part) for part in copy)

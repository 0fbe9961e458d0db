"""Fifty clients over HTTP, one place, many rounds."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from dataclasses import dataclass, field
from datetime import date, timedelta

import requests
from sqlalchemy import Engine, text

CLIENTS = 50
PAUSE_MS = 30
TRIES = 3

# Between the application's look and its insert there are microseconds; this makes them milliseconds, so that the
# race cannot pass by luck.
WIDEN = f"""
CREATE FUNCTION wait_a_little() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN PERFORM pg_sleep({PAUSE_MS / 1000}); RETURN NEW; END $$;
CREATE TRIGGER wait_a_little BEFORE INSERT ON allocation FOR EACH ROW EXECUTE FUNCTION wait_a_little();
"""
MADE = range(200, 300)
NEVER = 0  # stands for the status of an answer that did not arrive however often it was asked for
OVERLAPS = text("""
SELECT count(*) FROM allocation a JOIN allocation b
    ON a.unit_id = b.unit_id AND a.id < b.id AND a.during && b.during
WHERE a.released_at IS NULL AND b.released_at IS NULL
""")


@dataclass
class Outcome:
    """What the rounds saw. `lost`: why an answer did not arrive, each asked for once more."""

    statuses: Counter[int] = field(default_factory=Counter)
    winners: list[int] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    @property
    def errors(self) -> int:
        """Answers of 5xx, and those that never arrived."""
        return sum(count for status, count in self.statuses.items() if status >= 500 or status == NEVER)


def widen(engine: Engine) -> None:
    """Puts the pause on the allocation table."""
    with engine.begin() as connection:
        connection.exec_driver_sql(WIDEN)


def overlaps(engine: Engine) -> int:
    """How many pairs of living allocations stand on one another."""
    with engine.connect() as connection:
        return int(connection.execute(OVERLAPS).scalar_one())


def run(base: str, bearers: list[str], resource_id: int, first_day: date, rounds: int) -> Outcome:
    """Every client asks for the same hour at the same moment, once a round; each round has a day of its own."""
    outcome, together, guard = Outcome(), threading.Barrier(CLIENTS), threading.Lock()
    won: Counter[int] = Counter()

    def client(n: int) -> None:
        with requests.Session() as http:
            http.headers["Authorization"] = f"Bearer {bearers[n % len(bearers)]}"
            for number in range(rounds):
                together.wait(120)
                status, lost = _book(http, base, resource_id, first_day + timedelta(days=number))
                with guard:
                    outcome.statuses[status] += 1
                    outcome.lost += lost
                    won[number] += status in MADE

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    outcome.winners = [won[number] for number in range(rounds)]
    return outcome


def _book(http: requests.Session, base: str, resource_id: int, day: date) -> tuple[int, list[str]]:
    """The status, and what was lost before. As a browser does, it sends the same form again when no answer comes."""
    form = {
        "resource": resource_id, "date": day.isoformat(), "start": "12:00", "end": "13:00", "title": "Гонка",
        "request_key": uuid.uuid4().hex,
    }  # fmt: skip
    lost: list[str] = []
    while len(lost) < TRIES:
        try:
            return http.post(f"{base}/app/bookings", data=form, timeout=60).status_code, lost
        except requests.RequestException as error:
            lost.append(repr(error))
            http.close()  # the next one goes over a new connection
    return NEVER, lost

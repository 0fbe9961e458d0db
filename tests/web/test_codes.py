"""Rights of departments and groups: kept fresh by the worker, in force at once, and nobody waits for it."""

from __future__ import annotations

from sqlalchemy import text

from b24app.ledger import directory
from b24app.ledger.directory import REFRESH
from b24app.ledger.session import Engine
from emulator.seed import GROUP
from tests.stand import MANAGER
from tests.web.desk import Desk
from tests.web.installed import Installed


def waiting(engine: Engine) -> int:
    with engine.connect() as connection:
        sql = text("SELECT count(*) FROM procrastinate_jobs WHERE task_name = :task")
        return int(connection.execute(sql, {"task": REFRESH}).scalar_one())


def test_who_opens_a_page_has_groups_read_anew_by_the_worker(installed: Installed) -> None:
    desk = Desk(installed, None)  # type: ignore[arg-type]  # the room comes at once
    desk.resource(name="Ока")
    calls = installed.stand.portal.calls

    def trips() -> int:
        before = len(calls)
        desk.open(MANAGER)
        return len(calls) - before

    usual = trips()
    assert waiting(installed.engine) == 0, "no right hangs on it"
    desk.grant("see", f"SG{GROUP}", alone=True)
    assert [trips(), trips()] == [usual, usual], "nobody waits for it"
    assert waiting(installed.engine) == 1, "once in a quarter of an hour"
    frame = desk.open(MANAGER)
    assert "Ока" not in frame.get("/app/board").text
    with installed.tx() as tx:
        directory.keep(tx, installed.portal().id, {(f"U{MANAGER}", f"SG{GROUP}")}, {}, desk.now)
    assert "Ока" in frame.get("/app/board").text, "the page that is open has the right at once"

"""Approvers hear of requests in Bitrix24, the next ones when nobody answers; departments are read again and again."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import delete

from b24app.jobs import periodic
from b24app.jobs.app import Tools
from b24app.ledger import tenancy
from b24app.ledger.access import GrantRule, Viewer
from b24app.ledger.directory import REFRESH
from b24app.ledger.models import Grant
from b24app.ledger.session import transaction
from tests.jobs.test_jobs import clear, jobs
from tests.sync.rig import MANAGER, Clock, Company

SECOND_ADMIN = 2
ASKER = Viewer(5, grants=(GrantRule("everything", "AU", "request"),))


def notices(company: Company) -> list[tuple[int, str]]:
    """To whom the portal has said what."""
    return [(row["user_id"], row["message"].replace("\N{NO-BREAK SPACE}", " ")) for row in company.rig.far.notices]


def test_a_request_goes_to_the_nearest_approver_and_on_to_the_next(
    company: Company, tools: Tools, clock: Clock
) -> None:
    with transaction(tools.engine) as tx:
        tx.execute(delete(Grant))
        grants = (("everything", "AU", "request"), (f"resource:{company.room.id}", f"U{MANAGER}", "approve"))
        tx.add_all(Grant(portal_id=company.rig.portal_id, scope=s, code=c, right=r) for s, c, r in grants)
        for person, is_admin in ((MANAGER, False), (SECOND_ADMIN, True)):
            codes = {f"U{person}", "AU"}
            whose = (company.rig.portal_id, person, f"P{person}", clock())
            tenancy.remember_user(tx, *whose, codes=codes, is_admin=is_admin)
    made = company.book(company.room, 90, viewer=ASKER)
    company.rig.drain(3)
    ((person, text),) = notices(company)
    assert person == MANAGER
    assert "Somebody asks for this. Approve or decline it" in text
    assert "[URL=" in text, "with a link to its card"
    clock.forward(timedelta(hours=5).total_seconds())
    for _ in range(2):
        periodic.escalate_requests(tools)
        company.rig.drain(3)
    assert [row[0] for row in notices(company)] == [MANAGER, SECOND_ADMIN]
    assert f"No. {made.number}" in notices(company)[1][1]


def test_departments_are_read_again_where_rights_hang_on_them(company: Company, tools: Tools, clock: Clock) -> None:
    with transaction(tools.engine) as tx:
        tx.add(Grant(portal_id=company.rig.portal_id, scope="everything", code="DR1", right="see"))
    clear(tools.engine)
    periodic.read_directories(tools)
    periodic.read_directories(tools)
    assert jobs(tools.engine) == [(REFRESH, "todo")]

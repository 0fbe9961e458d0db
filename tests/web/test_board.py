"""The board as pages and fragments: whose it is, which day, what it says, and what it costs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import delete, event

from b24app.booking.clients import ClientData
from b24app.ledger.access import Viewer
from b24app.ledger.models import Grant, Resource
from b24app.ledger.session import Engine
from b24app.scheduling.hours import OpeningHours
from tests.factories import ADMIN as ADMIN_VIEWER
from tests.factories import hour, make_booking, make_resource
from tests.stand import EMPLOYEE, MANAGER
from tests.web.installed import Installed

DEAL = {"ID": "1"}
DEAL_TAB = "CRM_DEAL_DETAIL_TAB"
TAG = re.compile(r"<[^>]+>")


def words(text: str) -> str:
    """What a person reads of some markup."""
    return " ".join(TAG.sub(" ", text).replace("\N{NO-BREAK SPACE}", " ").split())


def room(installed: Installed, **values: Any) -> Resource:
    with installed.tx() as tx:
        return make_resource(tx, installed.portal(), now=installed.stand.now, **values)


def booked(installed: Installed, resource: Resource, start: float = 1, length: float = 1, **values: Any) -> int:
    """The number of a booking that begins `start` hours from now."""
    with installed.tx() as tx:
        now = installed.stand.now
        values.setdefault("viewer", ADMIN_VIEWER)
        made = make_booking(tx, installed.portal(), resource, now=now, interval=hour(now, start, length), **values)
        return made.number


@contextmanager
def counted(engine: Engine) -> Iterator[list[str]]:
    """The statements sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield sent
    event.remove(engine, "before_cursor_execute", note)


def test_the_first_page_contains_the_very_fragment(installed: Installed) -> None:
    booked(installed, room(installed), title="Планёрка")
    frame = installed.open(MANAGER)
    fragment = frame.get("/app/board").text
    assert "Планёрка" in fragment
    assert fragment.strip() in frame.page.text


def test_resources_stand_in_groups_by_kind_with_their_count(installed: Installed) -> None:
    for kind, name in (("hall", "Зал А"), ("room", "«Ока»"), ("room", "«Волга»"), ("specialist", "Анна Соколова")):
        room(installed, kind=kind, name=name)
    page = words(installed.open(MANAGER).get("/app/board").text)
    assert "Ресурсы, 4" in page
    order = [page.index(f"{title} {count}, занято 0 %") for title, count in
             (("Переговорные", 2), ("Залы и студии", 1), ("Специалисты", 1))]  # fmt: skip
    assert order == sorted(order)
    assert page.index("«Волга»") < page.index("«Ока»")


def test_days_before_and_after(installed: Installed) -> None:
    resource = room(installed)
    booked(installed, resource, 1, title="Сегодняшняя")
    booked(installed, resource, 25, title="Завтрашняя")
    frame = installed.open(MANAGER)
    today, tomorrow = frame.get("/app/board").text, frame.get("/app/board", day="2026-03-11").text
    assert "Вторник, 10\N{NO-BREAK SPACE}марта" in today
    assert "Сегодняшняя" in today
    assert "Завтрашняя" not in today
    assert "Среда, 11\N{NO-BREAK SPACE}марта" in tomorrow
    assert "Завтрашняя" in tomorrow
    assert "day=2026-03-10" in tomorrow
    assert 'class="nowline' in today
    assert 'class="nowline' not in tomorrow


@pytest.mark.parametrize("day", ["2026-02-30", "nonsense", "9999-12-31", "0001-01-01", "<script>"])
def test_a_day_that_is_none_is_refused_with_words(installed: Installed, day: str) -> None:
    answer = installed.open(MANAGER).get("/app/board", day=day)
    assert answer.status_code == 422
    assert answer.headers["HX-Retarget"] == "#panel-body"
    assert "<script>" not in answer.text


def test_closed_time_and_the_window_of_hours(installed: Installed) -> None:
    room(installed, hours=tuple(OpeningHours(day, 9 * 60, 21 * 60) for day in range(7)))
    board = installed.open(MANAGER).get("/app/board").text
    assert 'class="board f36 w48"' in board
    assert 'class="shut s0 n36"' in board
    assert 'class="shut s84 n12"' in board


def test_the_axis_is_the_common_zone_of_what_is_shown(installed: Installed) -> None:
    room(installed, time_zone="Asia/Yekaterinburg", hours=(OpeningHours(1, 9 * 60, 18 * 60),))
    board = installed.open(MANAGER).get("/app/board").text
    assert 'data-zone="Asia/Yekaterinburg"' in board
    assert 'class="board f36 w36"' in board
    assert "<em>+" not in board


def test_a_lane_in_another_zone_than_the_axis_says_so(installed: Installed) -> None:
    room(installed, name="«Исеть»", time_zone="Asia/Yekaterinburg")
    room(installed, name="«Ока»")
    frame = installed.open(MANAGER)
    board = frame.get("/app/board").text
    assert 'data-zone="Europe/Moscow"' in board
    assert "<em>+2\N{NO-BREAK SPACE}ч</em>" in board
    assert "data-ahead=120" in board
    assert words(board).count("Москва, UTC+3") == 1


@pytest.mark.parametrize(("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25)])
def test_days_of_a_clock_change(installed: Installed, day: str, hours: int) -> None:
    resource = room(installed, time_zone="Europe/Berlin", horizon_days=400)
    board = installed.open(MANAGER).get("/app/board", day=day).text
    labels = re.findall(r">(\d\d)<i>:00</i></span>", board)
    assert len(labels) == hours
    assert f'class="board f0 w{hours * 4}"' in board
    assert labels.count("02") == {23: 0, 25: 2}[hours]
    assert f"id=r{resource.id}>" in board


@pytest.mark.parametrize(
    ("zone", "day", "status"), [("Antarctica/Troll", "2026-10-25", 200), ("Pacific/Apia", "2011-12-30", 422)]
)
def test_the_oddest_days_there_are(installed: Installed, zone: str, day: str, status: int) -> None:
    """One of 26 hours, and one that was left out."""
    room(installed, time_zone=zone, horizon_days=400)
    assert installed.open(MANAGER).get("/app/board", day=day).status_code == status


def test_who_may_see_busy_only_sees_no_more(installed: Installed) -> None:
    resource = room(installed)
    number = booked(installed, resource, title="Тайное", client=ClientData("person", "Секретов", "+79000000001"))
    with installed.tx() as tx:
        tx.execute(delete(Grant))
        tx.add(Grant(portal_id=installed.portal().id, scope="everything", code="AU", right="busy"))
    board = installed.open(EMPLOYEE).get("/app/board").text
    assert '<span class="b busy s40 n4">Занято</span>' in board
    for secret in ("Тайное", "Секретов", str(number), "data-r="):
        assert secret not in board
    assert "Занято" in words(board[board.index("legend") :])


def test_who_may_see_nothing_is_told_whom_to_ask(installed: Installed) -> None:
    room(installed, name="Чужая")
    with installed.tx() as tx:
        tx.execute(delete(Grant))
    board = installed.open(EMPLOYEE).get("/app/board").text
    assert "Чужая" not in board
    assert 'id="grid"' not in board


def test_an_empty_portal_says_what_to_do_next(installed: Installed) -> None:
    assert "Добавить ресурс" in installed.open().get("/app/board").text
    assert "Добавить ресурс" not in installed.open(MANAGER).get("/app/board").text


def test_the_board_costs_six_statements(installed: Installed) -> None:
    for number in range(5):
        booked(installed, room(installed, name=f"Зал {number}"))
    frame = installed.open(MANAGER)
    with counted(installed.engine) as statements:
        assert frame.get("/app/board").status_code == 200
    assert len(statements) <= 6, "\n".join(statements)


def test_a_booking_that_the_portal_lacks_is_marked(installed: Installed) -> None:
    booked(installed, room(installed))
    assert 'class="b conf lag s40 n4"' in installed.open(MANAGER).get("/app/board").text


def test_a_board_of_an_unpaid_application_can_only_be_read(installed: Installed) -> None:
    resource = room(installed)
    frame = installed.open(MANAGER)
    installed.change(payment_expired=True)
    board = frame.get("/app/board").text
    assert "Приложение не\N{NO-BREAK SPACE}оплачено" in board
    assert "data-r=" not in board
    sent = {"date": "2026-03-10", "start": "12:00", "end": "13:00", "request_key": "k"}
    answer = frame.post("/app/bookings", resource=resource.id, **sent)
    assert answer.status_code == 403


def test_a_portal_without_an_administrators_token_says_so_and_books(installed: Installed) -> None:
    room(installed)
    frame = installed.open(MANAGER)
    installed.change(needs_admin=True)
    board = frame.get("/app/board").text
    assert "один раз открыл приложение" in board.replace("\N{NO-BREAK SPACE}", " ")
    assert "data-r=" in board


def test_the_card_shows_its_bookings_above_the_board(installed: Installed) -> None:
    resource = room(installed, name="«Ока»")
    booked(installed, resource, 1, title="Следующая", deal_id=1)
    booked(installed, resource, 30, title="Потом", deal_id=1)
    booked(installed, resource, 3, title="Другой сделки", deal_id=2)
    frame = installed.open(MANAGER, DEAL_TAB, options=DEAL)
    tab = frame.page.text[frame.page.text.index('id="tab"') : frame.page.text.index('id="board"')]
    assert tab.index("Следующая") < tab.index("Потом")
    assert "Другой сделки" not in tab
    assert "«Ока»" in tab
    assert frame.get("/app/tab").text.strip() in frame.page.text


def test_cancelled_bookings_of_a_card_are_folded_away(installed: Installed) -> None:
    number = booked(installed, room(installed), title="Отменённая встреча", deal_id=1)
    frame = installed.open(MANAGER, DEAL_TAB, options=DEAL)
    assert "В\N{NO-BREAK SPACE}этой сделке ещё нет броней" not in frame.page.text
    panel = installed.open().get(f"/app/bookings/no/{number}").text
    booking = re.findall(r'data-booking="([^"]+)"', panel)[0]
    assert installed.open().post(f"/app/bookings/{booking}/cancel", revision=1).status_code == 200
    tab = frame.get("/app/tab").text
    assert "В\N{NO-BREAK SPACE}этой сделке ещё нет броней" in tab
    assert 'id="dropped"' in tab


@pytest.mark.parametrize(
    ("place", "crm_id", "kind"), [("CRM_CONTACT_DETAIL_TAB", 1, "contact"), ("CRM_COMPANY_DETAIL_TAB", 1, "company")]
)
def test_a_clients_card_shows_that_clients_bookings(installed: Installed, place: str, crm_id: int, kind: str) -> None:
    resource = room(installed)
    booked(installed, resource, 1, title="Его", client=ClientData(kind, "Клиент", crm_id=crm_id))
    booked(installed, resource, 3, title="Чужая", client=ClientData("person", "Кто-то"))
    tab = installed.open(MANAGER, place, options={"ID": str(crm_id)}).get("/app/tab").text
    assert "Его" in tab
    assert "Чужая" not in tab


def test_a_fragment_of_a_card_needs_the_visitors_own_token(installed: Installed) -> None:
    frame = installed.open(MANAGER, DEAL_TAB, options=DEAL)
    frame.token = "another-ones"
    frame.client.application.config["CLOCK"] = lambda: installed.stand.now + timedelta(minutes=6)
    answer = frame.get("/app/tab")
    assert answer.status_code == 403
    assert "Битрикс24 не\N{NO-BREAK SPACE}подтвердил, кто вы" in answer.text


def test_sections_are_for_administrators(installed: Installed) -> None:
    room(installed)
    assert 'href="#resources"' in installed.open().page.text
    assert 'href="#resources"' not in installed.open(MANAGER).page.text
    assert Viewer(MANAGER).may("manage", room(installed)) is False

"""`make screens`: pictures of every view and state of the demo, four widths each, for docs/screens.md.

Starts a demo of its own in VAR_DIR (var/screens), or takes the portal that runs at PORTAL_URL. Names on the command
line make only those pictures.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import requests
from playwright.sync_api import BrowserContext, FrameLocator, Page, sync_playwright
from playwright.sync_api import Error as PlaywrightError

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "docs" / "screens"
PAGE = ROOT / "docs" / "screens.md"
CHROMIUM = os.environ.get("CHROMIUM") or "/usr/bin/chromium"
SIZES = {1280: 800, 1440: 900, 800: 1024, 390: 844}
QUALITY = 40
PORTS = {"PORTAL_PORT": "8034", "APP_PORT": "8010"}
PATIENCE_S = 300
MENU, DEAL = "/marketplace/app/1/placement/5/", "/crm/deal/details/1/"
ADMIN, MANAGER, EMPLOYEE = 1, 3, 5


@dataclass(frozen=True)
class Stand:
    """Our frame in the portal, as one person sees it on a day that has much on it."""

    page: Page
    frame: FrameLocator
    day: str

    def look(self, query: str) -> None:
        """A view of the board."""
        board = self.frame.locator("#board")
        board.evaluate("(_, url) => htmx.ajax('GET', url, {target: '#board', swap: 'outerMorph'})",
                       f"/app/board?day={self.day}&{query}")  # fmt: skip
        view = re.search(r"view=(\w+)", query)
        wanted = f'#board[data-view="{view[1] if view else "day"}"]'
        self.frame.locator(f'{wanted}[data-day="{self.day}"]').wait_for()

    def lane(self) -> str:
        """The id of the first resource with something confirmed on it."""
        self.look("view=day")
        row = self.frame.locator("#board .lane[data-r]:has(a.b)").first
        return row.get_attribute("data-r") or ""

    def press(self, selector: str) -> None:
        """Clicks what may lie outside of what is seen."""
        self.frame.locator(selector).first.evaluate("one => one.click()")


@dataclass(frozen=True)
class Shot:
    """One picture: where, as whom, and what is done before it is taken."""

    name: str
    words: str
    act: Callable[[Stand], None]
    user: int = MANAGER
    place: str = MENU


def _view(query: str) -> Callable[[Stand], None]:
    return lambda stand: stand.look(query)


def _of_one(view: str) -> Callable[[Stand], None]:
    return lambda stand: stand.look(f"view={view}&resource={stand.lane()}")


def _panel(look: str) -> Callable[[Stand], None]:
    def act(stand: Stand) -> None:
        day = date.fromisoformat(stand.day)
        for other in (day, *(day + timedelta(days=n * sign) for n in range(1, 8) for sign in (1, -1))):
            replace(stand, day=other.isoformat()).look("view=day")
            if stand.frame.locator(f"#board a.b.{look}").count():
                break
        stand.press(f"#board a.b.{look}")
        stand.frame.locator("#booking").wait_for()

    return act


def _free(stand: Stand) -> None:
    """Free time that was chosen, with what may be done with it."""
    stand.look("view=day")
    lane = stand.frame.locator("#board .lane[data-r]").first
    lane.evaluate("lane => lane.scrollIntoView({block: 'center'})")
    lane.evaluate("lane => window.board.choose(lane, 18 * 60, 19 * 60)")


def _pressed(stand: Stand) -> None:
    _free(stand)
    stand.frame.locator("#board").evaluate("() => window.drag.offer()")
    stand.frame.locator("#chosen").wait_for()


def _form(stand: Stand) -> None:
    _free(stand)
    stand.frame.locator("#board").evaluate("() => window.board.bookChosen()")
    stand.frame.locator("#booking-form").wait_for()


def _found(stand: Stand) -> None:
    stand.look("view=day")
    field = stand.frame.locator("input[role=combobox]").first
    field.evaluate("one => one.focus()")
    field.press_sequentially("Дар", delay=20)
    stand.frame.locator("[role=listbox] [role=option]").first.wait_for()


def _menu(title: str) -> Callable[[Stand], None]:
    def act(stand: Stand) -> None:
        stand.look("view=day")
        stand.press(f"#{title}-button, [popovertarget={title}]")

    return act


def _settings(name: str) -> Callable[[Stand], None]:
    def act(stand: Stand) -> None:
        stand.press('a[href="#resources"]')
        stand.frame.locator("#resources").wait_for()
        if name != "resources":
            stand.press(f'a[href="#{name}"]')
            stand.frame.locator(f"#{name}").wait_for()

    return act


def _offline(stand: Stand) -> None:
    stand.look("view=day")
    stand.page.context.set_offline(True)
    stand.frame.locator("#board").evaluate("() => document.dispatchEvent(new Event('visibilitychange'))")
    stand.frame.locator("#board").evaluate("() => htmx.trigger(document.body, 'b24:changed')")


SHOTS = (
    Shot("day", "Day of all resources", _view("view=day")),
    Shot(
        "day-narrowed",
        "Day, rooms only, what is not confirmed drawn pale",
        _view("view=day&kind=room&stages=confirmed"),
    ),
    Shot("day-nothing", "Nothing answers to the filters", _view("view=day&capacity=90000")),
    Shot("day-tall", "Day of one resource, as on a phone", _of_one("tall")),
    Shot("week-one", "Week of one resource", _of_one("week")),
    Shot("week", "Week of several", _view("view=week")),
    Shot("month-one", "Month of one resource", _of_one("month")),
    Shot("month", "Month: heat of load", _view("view=month")),
    Shot("list", "List", _view("view=list&days=7")),
    Shot("mine", "My day, of a specialist", _view("view=mine"), EMPLOYEE),
    Shot("panel", "Panel of a confirmed booking", _panel("conf")),
    Shot("panel-hold", "Panel of a pre-booking that ends by itself", _panel("hold")),
    Shot("panel-request", "Panel of a request that competes", _panel("req")),
    Shot("chosen", "Free time that was pressed", _pressed),
    Shot("form", "Form of a booking", _form),
    Shot("search", "Search", _found),
    Shot("filters", "Filters", _menu("filters")),
    Shot("offline", "The network is gone", _offline),
    Shot("deal", "Tab of a deal", lambda stand: None, MANAGER, DEAL),
    Shot("resources", "Settings: resources", _settings("resources"), ADMIN),
    Shot("in-step", "Settings: in step with the portal", _settings("in_step"), ADMIN),
)


def main() -> int:
    """Takes the pictures and writes the page; 1 when one could not be taken."""
    chosen = set(sys.argv[1:]) or {one.name for one in SHOTS}
    FOLDER.mkdir(parents=True, exist_ok=True)
    failed = []
    with portal() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        for width, height in SIZES.items():
            for shot in (one for one in SHOTS if one.name in chosen):
                context = browser.new_context(viewport={"width": width, "height": height}, locale="ru-RU",
                                              timezone_id="Europe/Moscow", reduced_motion="reduce")  # fmt: skip
                try:
                    take(context, url, shot, FOLDER / f"{shot.name}-{width}.webp")
                except PlaywrightError as error:
                    failed.append(f"{shot.name}-{width}")
                    print(f"{shot.name}-{width}: {str(error).splitlines()[0]}", file=sys.stderr)
                finally:
                    context.close()
        browser.close()
    PAGE.write_text(written())
    return 1 if failed else 0


def take(context: BrowserContext, url: str, shot: Shot, file: Path) -> None:
    """One picture."""
    context.add_cookies([{"name": "portal_user", "value": str(shot.user), "url": url}])
    page = context.new_page()
    page.set_default_timeout(15_000)
    page.goto(url + shot.place)
    frame = page.frame_locator("iframe")
    if shot.place == DEAL:
        _open_tab(page)
    frame.locator("#tab" if shot.place == DEAL else "#board").wait_for(timeout=30_000)
    shot.act(Stand(page, frame, working_day().isoformat()))
    page.wait_for_timeout(700)  # what slides in has come to rest
    asked = {"format": "webp", "quality": QUALITY}
    picture = context.new_cdp_session(page).send("Page.captureScreenshot", asked)
    file.write_bytes(base64.b64decode(picture["data"]))


def _open_tab(page: Page) -> None:
    tab = page.get_by_role("tab", name="Бронирование")
    tab.or_(page.locator("button", has_text="Бронирование")).first.click()


def working_day() -> date:
    """Today, or the Monday after: the demo's company rests at weekends."""
    today = datetime.now(ZoneInfo("Europe/Moscow")).date()
    return today + timedelta(days={5: 2, 6: 1}.get(today.weekday(), 0))


def written() -> str:
    """docs/screens.md: a heading for each state, the pictures by width."""
    parts = [
        "# Screens\n\nMade by `make screens` from the demo: four widths of each, 1280, 1440, 800 and 390 pixels.\n"
    ]
    for shot in SHOTS:
        pictures = [
            f"screens/{shot.name}-{width}.webp" for width in SIZES if (FOLDER / f"{shot.name}-{width}.webp").exists()
        ]
        images = "\n".join(f"![{shot.words}, {one.rpartition('-')[2][:-5]} px]({one})" for one in pictures)
        parts.append(f"## {shot.words}\n\n{images}\n")
    return "\n".join(parts)


@contextmanager
def portal() -> Iterator[str]:
    """The address of a portal with the application in it."""
    if url := os.environ.get("PORTAL_URL"):
        yield url
        return
    var = Path(os.environ.get("VAR_DIR") or ROOT / "var" / "screens").absolute()
    env = {**os.environ, **PORTS, "VAR_DIR": str(var)}
    process = subprocess.Popen([sys.executable, "-m", "emulator.demo"], cwd=ROOT, env=env, start_new_session=True)
    try:
        url = f"http://localhost:{PORTS['PORTAL_PORT']}"
        _wait(process, url, var / "demo.ready")
        yield url
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def _wait(process: subprocess.Popen[bytes], url: str, laid_out: Path) -> None:
    """Until the company is there, which the demo notes, and the page in the left menu opens."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        assert process.poll() is None, "the demo ended"
        try:
            opens = requests.get(url + MENU, timeout=5, cookies={"portal_user": str(MANAGER)}).status_code == 200
            if opens and laid_out.exists():
                return
        except requests.ConnectionError:
            pass
        time.sleep(1)
    raise AssertionError("the demo did not become ready")


if __name__ == "__main__":
    sys.exit(main())

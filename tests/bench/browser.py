"""What a person in front of the board feels, measured in Chromium: dragging, the first paint, size and rest."""

from __future__ import annotations

import gzip
import html
import re
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

from flask import Flask, g
from playwright.sync_api import Page, Route, ViewportSize, sync_playwright

from b24app.ledger import tenancy
from b24app.web import bearer
from b24app.web.pages import render_place
from b24app.web.visit import utc_now
from emulator import placement
from tests.bench.seed import Seeded
from tests.bench.step import InStep
from tests.browser.conftest import CHROMIUM, FLAGS

WIDE: ViewportSize = {"width": 1280, "height": 900}
# The page around the frame is made here and comes from no address, whence Chromium would let it load nothing local.
OUR_OWN_AROUND = "--disable-features=LocalNetworkAccessChecks"
MOVES = 150
OPENINGS = 15
SCRIPT = re.compile(r'<script[^>]*src="([^"?]+)')

# A frame is what its pointer event, its animation callbacks, style and layout take together: from the first of them to
# the message that is heard when the browser comes back from drawing it.
WATCH_FRAMES = """() => {
    window.frames_ = [];
    let begun = null;
    const { port1, port2 } = new MessageChannel();
    port2.onmessage = () => { frames_.push(performance.now() - begun); begun = null; };
    const begins = () => { if (begun === null) begun = performance.now(); };
    addEventListener("pointermove", begins, true);
    const each = () => { begins(); port1.postMessage(0); requestAnimationFrame(each); };
    requestAnimationFrame(each);
}"""
SHIFTS = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => list.getEntries().forEach(one => { sum += one.value; }))
        .observe({ type: "layout-shift", buffered: true });
    setTimeout(() => done(sum), 300);
})"""
PAINTED = """() => new Promise(done => {
    new PerformanceObserver(list => list.getEntriesByName("first-contentful-paint").forEach(one => done(one.startTime)))
        .observe({ type: "paint", buffered: true });
})"""


@dataclass(frozen=True)
class Felt:
    """What was measured on one board."""

    frames: list[float]
    nodes: int
    shift: float


@contextmanager
def chromium() -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, OUR_OWN_AROUND])
        yield browser.new_page(viewport=WIDE)
        browser.close()


def page_of(app: Flask, seeded: Seeded, token: str) -> str:
    """The page that a frame of the seeded company gets; the portal around it is not needed here."""
    with app.test_request_context("/b24/menu"):
        visit = bearer.read(token)
        found = tenancy.seen(app.extensions["b24"].engine, seeded.portal_id, visit.viewer.codes, utc_now())
        assert found is not None, "just seeded"
        g.tenant = found.tenant
        g.visit = replace(visit, viewer=replace(visit.viewer, grants=found.grants))
        return render_place(g.visit, None)


def felt(base: str, text: str, day: str) -> Felt:
    """The seeded day in Chromium: 200 resources, 2,000 bookings, one of which is dragged about."""
    with chromium() as page:
        page.route(f"{base}/bench", lambda route: cast(Route, route).fulfill(body=text, content_type="text/html"))
        page.goto(f"{base}/bench")
        page.locator("#board").wait_for()
        shift = float(page.evaluate(SHIFTS))
        page.evaluate("day => htmx.ajax('GET', `/app/board?day=${day}`, {target: '#board', swap: 'outerMorph'})", day)
        page.locator(f'#board[data-day="{day}"] a.b.conf').first.wait_for()
        nodes = int(page.evaluate("() => document.querySelectorAll('#board *').length"))
        return Felt(_dragged(page), nodes, shift)


def _dragged(page: Page) -> list[float]:
    """How long each frame takes while a booking is led over the lanes."""
    block = page.locator("#board a.b.conf").first
    block.scroll_into_view_if_needed()
    box = block.bounding_box()
    assert box is not None, "it is visible"
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 12, y)
    page.evaluate(WATCH_FRAMES)
    for n in range(MOVES):
        page.mouse.move(x + 12 + 2 * (n % 90), y + 3 * (n % 60))
    page.keyboard.press("Escape")
    page.mouse.up()
    return cast(list[float], page.evaluate("() => frames_"))


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def scripts_gzip_bytes(app: Flask, text: str) -> int:
    """All scripts of ours that the page loads, each as it is sent; htmx and the portal's SDK are others'."""
    client, ours = app.test_client(), [one for one in SCRIPT.findall(text) if "/vendor/" not in one]
    return sum(len(gzip.compress(client.get(one).data, 6)) for one in ours)


def first_paints(place: InStep) -> tuple[list[float], list[int]]:
    """Milliseconds until the first contentful paint besides the time in which the portal answered, and how many
    requests to it the page waited for."""
    paints, trips = [], []
    around = f"{place.rig.far.protocol}://{place.rig.far.host}/bench"  # we let nobody else frame us
    with chromium() as page:
        page.route(around, lambda route: cast(Route, route).fulfill(body=_form(place), content_type="text/html"))
        for _ in range(OPENINGS + 2):
            place.rig.far.calls.clear()
            page.goto(around)
            page.evaluate("() => document.forms[0].submit()")
            page.frame_locator("iframe").locator("#board").wait_for()
            painted = float(page.frames[1].evaluate(PAINTED))
            calls: list[Any] = list(place.rig.far.calls)
            paints.append(painted - sum(call["ms"] for call in calls))
            trips.append(len(calls))
    return paints[2:], trips[2:]


def _form(place: InStep) -> str:
    """What the portal posts into the frame, as a page that can be sent."""
    far, card = place.rig.far, place.rig.card
    form = placement.frame_form(far, far.users[1], card, "CRM_DEAL_DETAIL_TAB", {"ID": "1"})
    assert form is not None, "the administrator may open a tab"
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(str(value))}">'
        for name, value in form.fields.items()
    )
    frame = '<iframe name="app" width="1200" height="800"></iframe>'
    return f'{frame}<form method="post" target="app" action="{html.escape(form.url)}">{fields}</form>'

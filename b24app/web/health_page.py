"""Settings, "Health": whether everything works, in words; `flask doctor` says the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from flask.typing import ResponseReturnValue

from b24app.sync import health
from b24app.web import settings
from b24app.web.health_words import words
from b24app.web.visit import current_visit, now, services

blueprint = settings.section("health_page", __name__)


@dataclass(frozen=True, slots=True)
class Line:
    """One finding in words. `state`: well, worth or wrong."""

    state: str
    words: str


@dataclass(frozen=True, slots=True)
class HealthPage:
    """What templates/settings/_health.html shows: what is wrong, what is worth knowing, what is well."""

    lines: Sequence[Line]

    def of(self, state: str) -> list[Line]:
        return [one for one in self.lines if one.state == state]


@blueprint.get("/app/health")
def show() -> ResponseReturnValue:
    """What was found just now, about the application and about this portal."""
    visit, engine = current_visit(), services().engine
    found = [*health.of_application(engine), *health.of_portal(engine, visit.portal_id, now())]
    zone = ZoneInfo(visit.time_zone)
    lines = [Line(one.state, words(visit.language, one, zone, now())) for one in found]
    return settings.show_list("settings/_health.html", page=HealthPage(lines))

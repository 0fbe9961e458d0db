"""From the commit of a booking to its item and its event in the portal, under the profile `cloud`."""

from __future__ import annotations

import time

from b24app.ledger import tenancy
from b24app.ledger.session import transaction
from tests.bench import imports
from tests.bench.step import InStep, in_step, utc_now
from tests.bench.step import until as wait
from tests.prove.many import workers

GAP_S = 3.0  # between two bookings, as people leave it; the portal's request limit refills meanwhile
BULK = 10_000


def seconds_until_visible(url: str, rounds: int) -> list[float]:
    """How long each of `rounds` bookings took until both pictures were there; one worker process."""
    with in_step(url) as place, workers(place.env, 1):
        place.seconds_until_shown()  # the first one waits for the worker to start
        return [_after_a_while(place) for _ in range(rounds)]


def seconds_under_bulk(url: str, rounds: int) -> list[float]:
    """The same while ten thousand imported bookings of that portal drain, with a frame of it open."""
    with in_step(url) as place:
        imports.add(place.rig, BULK)
        with workers(place.env, 1):
            wait(lambda: imports.shown(place) > 0, "nothing is drained", lambda: _look_on(place))
            found = [_after_a_while(place) for _ in range(rounds)]
        assert imports.shown(place) < BULK, "the bulk was over before the people were"
        return found


def _after_a_while(place: InStep) -> float:
    time.sleep(GAP_S)
    _look_on(place)
    return place.seconds_until_shown(lambda: _look_on(place))


def _look_on(place: InStep) -> None:
    """A page that is open says so."""
    with transaction(place.rig.engine) as tx:
        tenancy.frame_seen(tx, place.rig.portal_id, utc_now())

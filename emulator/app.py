"""The emulator as a Flask application: ``create_emulator(world)``.

``emulator.world`` is what it remembers. The portal's pages, its REST, the authorization server (told apart by host) and
the control addresses (``/_...``) are one application on one port.

For the pages: ``placement`` (widgets, frame_form, init_data, finish_install, refusal), ``apps`` (cards), ``oauth``
(USER_COOKIE, current_user, refresh_frame), ``crm`` (items), ``calendar`` (events), ``event.deliver_due``.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from flask import Flask

from emulator import authorization, control, pages, rest
from emulator.clock import VirtualClock
from emulator.lines import ConnectionDropper
from emulator.methods import METHOD_MODULES
from emulator.paths import PortalPaths
from emulator.state import World
from emulator.storage import dump, load


class Emulator(Flask):
    """A Flask application that knows its world, and how to make that world anew."""

    world: World
    fresh: Callable[[], World]
    method_modules = METHOD_MODULES

    @property
    def emulator(self) -> Emulator:
        """So that views find the world as ``current_app.emulator.world``."""
        return self


def create_emulator(
    world: World, clock: Callable[[], float] = time.time, fresh: Callable[[], World] | None = None
) -> Emulator:
    """An application over a world. ``clock`` gives unix seconds; ``fresh`` makes the world of ``/_state/reset``.

    With a ``VirtualClock`` nothing here sleeps: what would take time moves the clock, and only that is counted.
    """
    app = Emulator("emulator", static_folder=None, template_folder=None)
    world.clock = clock
    if isinstance(clock, VirtualClock):
        world.sleep, world.timer = clock.advance, clock
    app.world = world
    beginning = None if fresh else dump(world)
    app.fresh = fresh or (lambda: load(World, beginning))
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    for blueprint in (authorization.blueprint, rest.blueprint, control.blueprint, pages.blueprint):
        app.register_blueprint(blueprint)
    app.wsgi_app = ConnectionDropper(PortalPaths(app.wsgi_app, world), world)  # type: ignore[method-assign]
    return app

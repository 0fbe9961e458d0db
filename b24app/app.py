"""The application: wiring, nothing else."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from flask import Flask
from flask_babel import Babel
from werkzeug.middleware.proxy_fix import ProxyFix

from b24app import cli
from b24app.bitrix.hosts import HostPolicy
from b24app.bitrix.transport import http_session
from b24app.config import Settings
from b24app.ledger import embedded, secrets, session
from b24app.sync.call_log import CallLog
from b24app.web import (
    access,
    actions,
    assets,
    board,
    bookings,
    cell,
    changes,
    chosen,
    closures,
    configuration,
    configuration_file,
    drop,
    errors,
    events,
    examples,
    feeds,
    find_setting,
    frame,
    guide,
    health,
    health_page,
    importing,
    importing_portal,
    importing_template,
    in_step,
    install,
    kinds_page,
    look_as,
    photo,
    photos,
    places,
    policies,
    resources,
    robots,
    samples,
    search,
    services,
    settings_portal,
    sheets,
    tab_times,
    tariffs,
    translations,
    waiting,
    why,
)
from b24app.web.visit import Services, page_language, utc_now

ROOT = Path(__file__).resolve().parent.parent
FORM_LIMIT_BYTES = 64 * 1024
BLUEPRINTS = (
    health, frame, assets, install, events, robots, board, places, cell, drop, chosen, bookings, actions, resources,
    closures, services, tariffs, policies, access, look_as, waiting, why, settings_portal, in_step, search, tab_times,
    sheets, feeds,
    kinds_page, photo, photos, changes, configuration, configuration_file, find_setting, health_page,
    examples, guide, samples, importing, importing_portal, importing_template,
)  # fmt: skip


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application for these settings, or for those of the environment."""
    settings = settings or Settings.from_env(os.environ)
    logging.basicConfig(level=settings.log_level, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    app = Flask("b24app", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static"))
    app.config.update(
        SECRET_KEY=settings.secret_key,
        MAX_CONTENT_LENGTH=FORM_LIMIT_BYTES,
        CLOCK=utc_now,
        MAX_FORM_MEMORY_SIZE=FORM_LIMIT_BYTES,
        SEND_FILE_MAX_AGE_DEFAULT=3600,
        WTF_I18N_ENABLED=False,  # what a validator says is a code, and `texts` has the words
        BABEL_TRANSLATION_DIRECTORIES=str(ROOT / "b24app" / "translations"),
    )
    app.extensions["b24"] = make_services(settings)
    app.wsgi_app = ProxyFix(app.wsgi_app)  # type: ignore[method-assign]  # Flask's documented way
    translations.install(app, Babel(app, locale_selector=page_language))
    for module in BLUEPRINTS:
        app.register_blueprint(module.blueprint)
    errors.register(app)
    cli.register(app)
    return app


def make_services(settings: Settings) -> Services:
    """What one process works with: database, pooled HTTP, and which hosts may be called."""
    secrets.install_keys(settings.token_keys)
    hosts = HostPolicy(settings.auth_servers, allow_http=settings.allow_http, allow_private=settings.allow_private)
    engine = session.connect(settings.database_url or embedded.ensure(settings.var_dir), settings.database_pool)
    return Services(settings, engine, http_session(hosts), hosts, CallLog(engine, utc_now))

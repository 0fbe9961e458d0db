"""The portal as people see it: pages a person can click through, with applications in their frames.

All addresses stand in one table here. ``viewer.py`` says who is looking, ``chrome.py`` draws what stands around a page,
``records.py`` reads CRM items into words, ``frames.py`` opens applications; ``static/layout.js`` is the portal's end of
the channel between page and frame.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, redirect
from werkzeug.wrappers import Response

from emulator.pages import (
    apps,
    calendars,
    cards,
    chrome,
    edit,
    frames,
    processes,
    robots,
    settings,
    staff,
    stand,
    viewer,
)

blueprint = Blueprint(
    "pages", __name__, template_folder="templates", static_folder="static", static_url_path="/_portal"
)

GET, POST, BOTH = ("GET",), ("POST",), ("GET", "POST")


def home() -> Response:
    return redirect("/crm/deal/list/")


ADDRESSES: tuple[tuple[str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("/", home, GET),
    ("/_users", viewer.choose_user, GET),
    ("/_users", viewer.become, POST),
    ("/_users/language", viewer.change_language, POST),
    ("/_notices", chrome.notices_part, GET),
    ("/_notices/seen", chrome.notices_seen, POST),
    # CRM
    ("/crm/<any(lead, deal, contact, company):kind>/list/", cards.show_list, GET),
    ("/crm/<any(lead, deal, contact, company):kind>/details/<int:item_id>/", cards.show_card, GET),
    ("/crm/<any(lead, deal, contact, company):kind>/details/0/", cards.create, POST),
    ("/crm/type/<int:entity_type>/kanban/category/<int:category_id>/", processes.show_kanban, GET),
    ("/crm/type/<int:entity_type>/list/category/<int:category_id>/", processes.show_list, GET),
    ("/crm/type/<int:entity_type>/details/<int:item_id>/", processes.show_card, GET),
    ("/crm/edit/<int:entity_type>/<int:item_id>/", edit.show_form, GET),
    ("/crm/edit/<int:entity_type>/<int:item_id>/", edit.save, POST),
    ("/crm/move/<int:entity_type>/<int:item_id>/", edit.move, POST),
    ("/crm/act/<int:entity_type>/<int:item_id>/", edit.act, POST),
    ("/crm/recyclebin/", edit.show_bin, GET),
    ("/crm/recyclebin/restore", edit.restore, POST),
    ("/crm/recyclebin/empty", edit.empty_bin, POST),
    ("/crm/automation/<int:entity_type>/", robots.show_automation, GET),
    ("/crm/automation/<int:entity_type>/", robots.place, POST),
    ("/crm/automation/<int:entity_type>/off", robots.take_off, POST),
    ("/crm/runs/", robots.show_runs, GET),
    ("/crm/settings/<int:entity_type>/", settings.show_settings, GET),
    ("/crm/settings/<int:entity_type>/", settings.change_settings, POST),
    ("/crm/rights/", settings.show_rights, GET),
    ("/crm/rights/", settings.change_rights, POST),
    # calendars
    ("/calendar/", calendars.show_company, GET),
    ("/company/personal/user/<int:user_id>/calendar/", calendars.show_personal, GET),
    ("/_calendar/add", calendars.add_event, POST),
    ("/_calendar/change", calendars.change_event, POST),
    ("/_calendar/answer", calendars.answer_event, POST),
    ("/_calendar/delete", calendars.delete_event, POST),
    ("/company/", staff.show_staff, GET),
    ("/_staff/change", staff.change_person, POST),
    # applications
    ("/devops/list/", apps.list_apps, GET),
    ("/devops/edit/application/<int:app_id>/", apps.edit_app, GET),
    ("/devops/edit/application/<int:app_id>/", apps.save_app, POST),
    ("/devops/delete/application/<int:app_id>/", apps.remove_app, POST),
    ("/marketplace/app/<int:app_id>/", apps.open_app, BOTH),
    ("/marketplace/app/<int:app_id>/placement/<int:row_id>/", apps.open_menu_page, GET),
    ("/marketplace/view/<code>/", apps.open_by_code, GET),
    # what the portal's own script asks for
    ("/_layout/open", frames.open_frame, POST),
    ("/_layout/refresh", frames.refresh, POST),
    ("/_layout/install-finish", frames.install_finish, POST),
    ("/_layout/user-option", frames.user_option, POST),
    ("/_layout/app-option", frames.app_option, POST),
    ("/_layout/users", frames.list_users, GET),
    ("/_layout/access", frames.list_access, GET),
    ("/_layout/crm", frames.list_crm, GET),
    # the emulator itself
    ("/_panel/knobs/", stand.show_knobs, GET),
    ("/_panel/knobs/", stand.turn_knobs, POST),
    ("/_panel/faults/add", stand.add_fault, POST),
    ("/_panel/faults/clear", stand.clear_faults, POST),
    ("/_panel/faults/release", stand.release_answers, POST),
    ("/_panel/calls/", stand.show_calls, GET),
    ("/_panel/events/", stand.show_events, GET),
    ("/_panel/events/hold", stand.hold_events, POST),
    ("/_panel/events/release", stand.release_events, POST),
)

ENDPOINTS = {cards.show_list: "list_crm_items", cards.show_card: "show_crm_card", processes.show_kanban: "show_kanban"}


def _endpoint(view: Callable[..., Any]) -> str:
    """Views are named by their functions; two rooms have functions of one name."""
    return ENDPOINTS.get(view, view.__name__)


for _rule, _view, _methods in ADDRESSES:
    blueprint.add_url_rule(_rule, _endpoint(_view), _view, methods=_methods)
blueprint.before_request(viewer.recognise)
blueprint.context_processor(chrome.context)
blueprint.app_errorhandler(403)(chrome.refused)
blueprint.app_errorhandler(404)(chrome.missing)

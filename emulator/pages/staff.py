"""The company's people: everybody sees them, an administrator dismisses, takes back, renames and moves them."""

from __future__ import annotations

from datetime import date

from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from emulator import people_calendar, staff
from emulator.pages.viewer import Viewer, admin, viewer


def show_staff() -> str:
    """The list; the forms in it are for administrators."""
    me = viewer()
    return render_template(
        "portal/staff.html",
        people=sorted(me.portal.users.values(), key=lambda user: (not user.active, user.id)),
        departments=me.portal.departments,
        absences=me.portal.absences,
    )


def change_person() -> Response:
    """One button of the list; its name says what to do with ``user``."""
    me, form = admin(), request.form
    if form.get("act") == "hire":
        staff.add_user(me.portal, form["name"], form["last_name"], author=me.user.id)
    else:
        _act(me, int(form["user"]), form.get("act", ""))
    return redirect(url_for("pages.show_staff"))


def _act(me: Viewer, user_id: int, act: str) -> None:
    portal, form = me.portal, request.form
    if user_id not in portal.users or (act in ("dismiss", "unmake_admin") and user_id == me.user.id):
        abort(403)
    if act == "save":
        staff.rename(portal, user_id, form["name"], form["last_name"])
        staff.move(portal, user_id, [int(one) for one in form.getlist("department")])
    elif act in ("make_admin", "unmake_admin"):
        staff.set_admin(portal, user_id, act == "make_admin")
    elif act == "absence":
        first, last = (date.fromisoformat(form[name]) for name in ("first", "last"))
        people_calendar.add_absence(portal, user_id, first, last)
    else:
        {"dismiss": staff.dismiss, "rehire": staff.rehire}[act](portal, user_id)

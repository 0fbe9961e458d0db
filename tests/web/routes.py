"""Who may send what: every address of the application, and the least that somebody must be to be let in.

Default-deny: what has no line here fails `test_access_matrix`. Levels go up from somebody without any right; "own" is
what nobody may do with another's booking, "bearer" needs nothing but to be known.
"""

from __future__ import annotations

NOBODY, BUSY, SEE, REQUEST, BOOK, APPROVE, MANAGE, ADMIN = range(-1, 7)
OWN = 99

# By blueprint, for those that are for administrators as a whole.
ADMINISTRATORS = frozenset({
    "resources", "closures", "services", "tariffs", "policies", "access", "portal", "in_step", "configuration",
    "changes", "health_page", "guide", "samples", "kinds", "photos", "importing", "importing_portal", "find_setting",
    "examples",
})  # fmt: skip

ROUTES: dict[str, int] = {
    "frame.beat": NOBODY,
    "frame.renew": NOBODY,
    # What is shown is what the queries let through.
    "board.show": NOBODY,
    "board.filters": NOBODY,
    "board.calendars": NOBODY,
    "board.tab_fragment": NOBODY,
    "tab.times": NOBODY,
    "search.find": NOBODY,
    "feeds.show": NOBODY,
    "waiting.show": NOBODY,
    "waiting.count": NOBODY,
    "waiting.away_form": NOBODY,
    "waiting.save_away": NOBODY,
    "bookings.new": NOBODY,
    "bookings.choice": NOBODY,
    "bookings.terms": NOBODY,
    "bookings.series": NOBODY,
    # A resource.
    "cell.show": BUSY,
    "why.show": BUSY,
    "sheets.show": BUSY,
    "chosen.show": BUSY,
    "places.show": SEE,
    "feeds.create": SEE,
    "chosen.create": REQUEST,
    "bookings.create": REQUEST,
    # A booking that somebody else has made.
    "bookings.show": SEE,
    "bookings.show_number": SEE,
    "bookings.sync": SEE,
    "bookings.crm_part": SEE,
    "sheets.ics": SEE,
    "drop.may": SEE,
    "actions.confirm": APPROVE,
    "actions.decline": APPROVE,
    "actions.check_in": APPROVE,
    "actions.complete": APPROVE,
    "actions.no_show": APPROVE,
    "actions.pin": APPROVE,
    "actions.cancel": MANAGE,
    "actions.reopen": MANAGE,
    "actions.describe": MANAGE,
    "actions.pay": MANAGE,
    "actions.refund": MANAGE,
    "actions.void": MANAGE,
    "bookings.move_form": MANAGE,
    "bookings.move_terms": MANAGE,
    "bookings.move": MANAGE,
    "drop.move": MANAGE,
    "actions.draw_again": ADMIN,
    "actions.undo": OWN,
    "feeds.revoke": ADMIN,  # of another's
    "look_as.begin": ADMIN,
    "look_as.end": NOBODY,
    "install.run_step": ADMIN,
}

# No bearer is asked for, since none can come along. Each proves in its own way who asks, or says the same to everybody.
PUBLIC = frozenset({
    "static", "assets.show", "health.alive", "health.ready", "importing_template.show",  # the same for everybody
    "frame.opened", "frame.bare", "frame.installer", "frame.bare_installer", "frame.opened_again",  # the portal's form
    "events.received", "events.bare", "robots.called", "robots.bare",  # the portal's own secret
    "feeds.read", "sheets.opened", "configuration_file.opened", "photo.show",  # not to be guessed, or signed
})  # fmt: skip


def least(endpoint: str) -> int | None:
    """The least level for this endpoint; None for one that nobody has thought about."""
    known = ROUTES.get(endpoint)
    return ADMIN if known is None and endpoint.partition(".")[0] in ADMINISTRATORS else known

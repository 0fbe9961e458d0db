"""One line about the whole installation, where something is wrong with it: above the board, and in settings."""

from __future__ import annotations

from flask_babel import gettext as _

from b24app.ledger.tenancy import Tenant


def warning(tenant: Tenant) -> str:
    """What is wrong and who can mend it; "" while everything works."""
    installation = tenant.installation
    if installation.payment_expired:
        return _("The application has not been paid for: bookings are shown, but cannot be made or changed.")
    if installation.needs_admin:
        return _(
            "The portal's calendar and CRM are not being updated: "
            "an administrator should open this application once. You can book meanwhile."
        )
    if installation.state == "blocked":
        return _(
            "Bitrix24 no longer knows this application: its calendar and CRM are not being updated. "
            "An administrator should install it again; bookings are kept."
        )
    return ""

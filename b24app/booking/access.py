"""Who may do what with which resources. Administrators may do everything, whatever is written here."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence

from b24app.booking.resources import KINDS
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import queries, rules, writes
from b24app.ledger.access import EMPLOYEES, EVERYTHING, RIGHTS, GrantRule, Viewer
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx

MOST_GRANTS = 300
# The codes that `ledger.access.codes_of` gives to people; one of another kind would never match anybody.
_CODE = re.compile(r"(?:U|D|DR)[1-9][0-9]{0,15}")


def is_code(code: str) -> bool:
    """Whether the code is of a person, a department, or all employees."""
    return code == EMPLOYEES or bool(_CODE.fullmatch(code))


def revision_of(grants: Sequence[GrantRule]) -> int:
    """A number that changes with the list: grants are saved as a whole and have no revision of their own."""
    return zlib.crc32(repr([(one.scope, one.code, one.right) for one in grants]).encode())


def save_access(
    tx: Tx, portal: Portal, grants: Sequence[GrantRule], *, viewer: Viewer, revision: int | None = None
) -> None:
    """Everything that anybody but an administrator may do from now on. Raises InvalidInput, NotAllowed, Stale."""
    if not viewer.is_admin:
        raise NotAllowed("settings")
    rules.lock_portal(tx, portal.id)
    present = revision_of(rules.all_grants(tx, portal.id))
    if revision is not None and revision != present:
        raise Stale(present)
    if wrong := _check(grants, known_scopes(tx, portal, viewer)):
        raise InvalidInput(wrong)
    rules.replace_grants(tx, portal.id, grants)
    writes.board_changed(tx, portal.id)


def known_scopes(tx: Tx, portal: Portal, viewer: Viewer) -> list[str]:
    """Everything that a right may be given on: all, a kind, a city in which there is something, a resource."""
    resources = [
        *queries.resources(tx, portal.id, viewer),
        *queries.resources(tx, portal.id, viewer, archived=True),
    ]
    cities = dict.fromkeys(sorted(one.city for one in resources if one.city))
    return [
        EVERYTHING,
        *(f"kind:{kind}" for kind in KINDS),
        *(f"location:{city}" for city in cities),
        *(f"resource:{one.id}" for one in resources),
    ]


def _check(grants: Sequence[GrantRule], scopes: Collection[str]) -> dict[str, str]:
    wrong = {"grants": "too_many"} if len(grants) > MOST_GRANTS else {}
    known, given = set(scopes), set()
    for n, one in enumerate(grants):
        wrong |= {f"grants-{n}-{field}": code for field, code in _wrong(one, known).items()}
        # A right includes the weaker ones, so that two for the same person are one too many.
        if (one.scope, one.code) in given:
            wrong.setdefault(f"grants-{n}-code", "duplicate")
        given.add((one.scope, one.code))
    return wrong


def _wrong(grant: GrantRule, scopes: Collection[str]) -> dict[str, str]:
    wrong = {
        "scope": None if grant.scope in scopes else "unknown_choice",
        "code": None if is_code(grant.code) else "unknown_code",
        "right": None if grant.right in RIGHTS else "unknown_choice",
    }
    return {field: code for field, code in wrong.items() if code}

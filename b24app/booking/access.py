"""Who may do what with which resources. Administrators may do everything, whatever is written here."""

from __future__ import annotations

import re
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from b24app.booking import approval, changes
from b24app.booking.kinds import BUILT_IN
from b24app.errors import InvalidInput, NotAllowed, Stale
from b24app.ledger import approval as deciders
from b24app.ledger import kinds, queries, rules, writes
from b24app.ledger.access import EMPLOYEES, EVERYTHING, RIGHTS, GrantRule, Resourceful, Viewer, scopes_of
from b24app.ledger.directory import user_of
from b24app.ledger.models import Portal
from b24app.ledger.session import Tx

MOST_GRANTS = 300
# The codes that people have by themselves or by `ledger.directory`; one of another kind would never match anybody.
_CODE = re.compile(r"(?:U|D|DR)[1-9][0-9]{0,15}|SG[1-9][0-9]{0,15}(?:_[AEK])?")


def is_code(code: str) -> bool:
    """Whether the code is of a person, a department, a project group, or all employees."""
    return code == EMPLOYEES or bool(_CODE.fullmatch(code))


def revision_of(grants: Sequence[GrantRule]) -> int:
    """A number that changes with the list: grants are saved as a whole and have no revision of their own."""
    return zlib.crc32(repr([(one.scope, one.code, one.right) for one in grants]).encode())


def save_access(
    tx: Tx, portal: Portal, grants: Sequence[GrantRule], *, viewer: Viewer, now: datetime, revision: int | None = None
) -> None:
    """Everything that anybody but an administrator may do from now on. Raises InvalidInput, NotAllowed, Stale."""
    if not viewer.is_admin:
        raise NotAllowed("settings")
    rules.lock_portal(tx, portal.id)
    before = rules.all_grants(tx, portal.id)
    present = revision_of(before)
    if revision is not None and revision != present:
        raise Stale(present)
    if wrong := _check(grants, known_scopes(tx, portal, viewer)):
        raise InvalidInput(wrong)
    if locks_everybody_out(tx, portal, grants):
        raise InvalidInput({"grants": "nobody_left"})
    rules.replace_grants(tx, portal.id, grants)
    changes.record(tx, portal, viewer.actor, "access", None, "", "changed", before, list(grants), now)
    writes.board_changed(tx, portal.id)


def locks_everybody_out(tx: Tx, portal: Portal, grants: Sequence[GrantRule]) -> bool:
    """Whether nobody would be left who may do anything: no right at all, or only those of people who have gone.

    Administrators are never locked out, since nothing that is written here concerns them. They cannot see it, though:
    to them everything looks as it did.
    """
    people = {person for one in grants if (person := user_of([one.code])) is not None}
    gone = deciders.dismissed(tx, portal.id, people) if people else set()
    return all(user_of([one.code]) in gone for one in grants)


def known_scopes(tx: Tx, portal: Portal, viewer: Viewer) -> list[str]:
    """Everything that a right may be given on: all, a kind, a city in which there is something, a resource."""
    resources = [
        *queries.resources(tx, portal.id, viewer),
        *queries.resources(tx, portal.id, viewer, archived=True),
    ]
    cities = dict.fromkeys(sorted(one.city for one in resources if one.city))
    of_portal = (kind.key for kind in kinds.kinds(tx, portal.id))
    return [
        EVERYTHING,
        *(f"kind:{kind}" for kind in (*BUILT_IN, *of_portal)),
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


# Why somebody may not ----


@dataclass(frozen=True, slots=True)
class Why:
    """What somebody may do with a resource and by which rule (None: by none), who may book it, whom to ask for it."""

    right: str
    through: GrantRule | None
    who: tuple[GrantRule, ...]
    ask: tuple[int, ...]


def why(tx: Tx, portal: Portal, viewer: Viewer, resource: Resourceful, now: datetime) -> Why:
    """Everything that decides whether this person may book that resource; he must be able to see it at least."""
    through = max(_about(viewer.grants, resource), key=_strength, default=None)
    able = sorted(_about(rules.all_grants(tx, portal.id), resource), key=_strength, reverse=True)
    who = {one.code: one for one in reversed(able) if _strength(one) >= RIGHTS.index("book")}
    rounds = approval.asked_rounds(tx, portal, [resource], now)
    ask = [person for people in rounds for person in people if person != viewer.user_id]
    strength = viewer.strength(resource)
    return Why(RIGHTS[strength] if strength >= 0 else "", through, tuple(reversed(who.values())), tuple(ask))


def _about(grants: Sequence[GrantRule], resource: Resourceful) -> list[GrantRule]:
    scopes = scopes_of(resource)
    return [one for one in grants if one.scope in scopes]


def _strength(grant: GrantRule) -> int:
    return RIGHTS.index(grant.right)

"""Who is looking, who is acting, and what each may do.

A right includes the weaker ones before it. Codes are the portal's own (U5 a user, DR12 a department with all
below it, SG3 a project group with all its members, AU every employee): https://apidocs.bitrix24.com/api-reference/common/users/access-name.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

RIGHTS = ("busy", "see", "request", "book", "approve", "manage")
DECIDES = frozenset({"approve", "manage"})
EVERYTHING = "everything"
EMPLOYEES = "AU"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who is doing it: kind user, client, portal, robot, worker or cli; `id` within that kind."""

    kind: str
    id: int | None = None

    def __str__(self) -> str:
        return self.kind if self.id is None else f"{self.kind}:{self.id}"


@dataclass(frozen=True, slots=True)
class GrantRule:
    """One row of `access_grant`."""

    scope: str
    code: str
    right: str


@dataclass(frozen=True, slots=True)
class Viewer:
    """Who is looking, with the grants that concern him; every query takes one and shows no more than he may see."""

    user_id: int
    is_admin: bool = False
    codes: frozenset[str] = frozenset({EMPLOYEES})
    grants: tuple[GrantRule, ...] = field(default=(), repr=False)

    @property
    def actor(self) -> Actor:
        return Actor("user", self.user_id)

    @property
    def answers_for_it(self) -> bool:
        """Whether what he has the right to approve needs no notice and no quota: he sees to it himself."""
        return True

    @property
    def decides(self) -> bool:
        """Whether there is anything that he may approve."""
        return self.is_admin or any(grant.right in DECIDES for grant in self.grants)

    @property
    def department_id(self) -> int | None:
        """The department against whose quota his bookings count: the first of his own."""
        own = (code[1:] for code in self.codes if code.startswith("D") and code[1:].isdecimal())
        return min(map(int, own), default=None)

    def may(self, right: str, resource: Resourceful) -> bool:
        """Whether he has `right`, or a stronger one, on this resource."""
        return self.strength(resource) >= RIGHTS.index(right)

    def strength(self, resource: Resourceful) -> int:
        """The index in RIGHTS of his strongest right on this resource; -1 for none."""
        if self.is_admin:
            return len(RIGHTS) - 1
        scopes = scopes_of(resource)
        return max((RIGHTS.index(g.right) for g in self.grants if g.scope in scopes), default=-1)


@dataclass(frozen=True, slots=True)
class RobotViewer(Viewer):
    """The portal's automation: it may do everything, and keeps to every rule. `user_id`: whom it runs for, or 0."""

    is_admin: bool = True

    @property
    def actor(self) -> Actor:
        return Actor("robot")

    @property
    def answers_for_it(self) -> bool:
        return False


class Resourceful(Protocol):
    """What a right is asked about: anything with a resource's id, kind and city."""

    @property
    def id(self) -> int: ...
    @property
    def kind(self) -> str: ...
    @property
    def city(self) -> str: ...


def scopes_of(resource: Resourceful) -> tuple[str, ...]:
    """What a right may be given on so that it counts for this resource, the narrowest first."""
    return (f"resource:{resource.id}", f"location:{resource.city}", f"kind:{resource.kind}", EVERYTHING)


def concerning(grants: Iterable[GrantRule], codes: frozenset[str]) -> tuple[GrantRule, ...]:
    """The grants given to any of these access codes."""
    return tuple(grant for grant in grants if grant.code in codes)


def codes_of(user_id: int, departments: Iterable[int]) -> frozenset[str]:
    """The access codes of an employee who sits in these departments, as far as he himself tells (ledger.directory)."""
    return frozenset({f"U{user_id}", EMPLOYEES, *(f"D{d}" for d in departments), *(f"DR{d}" for d in departments)})

"""What the portal says of departments and project groups, for rights that are given to them.

https://apidocs.bitrix24.com/api-reference/departments/department-get.html
https://apidocs.bitrix24.com/api-reference/sonet-group/members/sonet-group-user-get.html
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from b24app.bitrix.client import Command, PortalClient
from b24app.bitrix.loose import as_map, text, whole
from b24app.errors import InstallationRevoked, Permanent, Rejected, Retryable
from b24app.ledger import directory, people
from b24app.ledger.directory import Named
from b24app.ledger.session import transaction
from b24app.sync.people import LONGEST_NAME, employee, learn
from b24app.sync.tokens import Reach, portal_client

log = logging.getLogger(__name__)

AT_ONCE = 50
MOST_PEOPLE = 500  # of departments that approve: those who may be told
# A role in a group comes with the weaker ones, as the portal's own rights have it.
ROLES = {"A": ("A", "E", "K"), "E": ("E", "K"), "K": ("K",)}
Links = set[tuple[str, str]]


def refresh(reach: Reach, portal_id: int) -> None:
    """Reads them anew and keeps them. Where the portal does not answer, or does not let us, what is known stays."""
    with transaction(reach.engine) as tx:
        named = directory.named(tx, portal_id)
    try:
        links, names = _read(portal_client(reach, portal_id), reach, portal_id, named)
    except InstallationRevoked:  # removed since it was asked for
        return
    except (Retryable, Permanent) as error:
        log.warning("portal %s: directory: %s", portal_id, type(error).__name__)
        problem = error.code if isinstance(error, Rejected) else ""
        with transaction(reach.engine) as tx:
            directory.failed(tx, portal_id, problem)
        return
    with transaction(reach.engine) as tx:
        directory.keep(tx, portal_id, links, names, reach.clock())


def _read(client: PortalClient, reach: Reach, portal_id: int, named: Named) -> tuple[Links, dict[str, str]]:
    links, names = set[tuple[str, str]](), dict[str, str]()
    above: dict[int, int | None] = {}
    if named.departments:
        rows = list(departments(client))
        above = {number: parent for number, parent, _ in rows}
        names = {f"{kind}{number}": name for number, _, name in rows for kind in ("D", "DR")}
        links = {(f"D{number}", f"DR{one}") for number in above for one in _ancestors(number, above)}
    links |= _members(client, named.groups)
    _meet_deciders(client, reach, portal_id, named, links)
    return links, names


def departments(client: PortalClient) -> Iterator[tuple[int, int | None, str]]:
    """(calls) Number, number of the one it is a part of, name."""
    for row in client.list_all("department.get"):
        one = as_map(row)
        if number := whole(one.get("ID")):
            yield number, whole(one.get("PARENT")), text(one.get("NAME"))[:LONGEST_NAME]


def _ancestors(number: int, above: Mapping[int, int | None]) -> list[int]:
    """Those that it is a part of, the nearest first; a circle in what the portal says ends where it closes."""
    found: list[int] = []
    at = above.get(number)
    while at is not None and at != number and at not in found:
        found.append(at)
        at = above.get(at)
    return found


def _members(client: PortalClient, groups: Collection[int]) -> Links:
    """Who is in these groups. One that is gone, or hidden from the administrator whose pair we use, has nobody: to be
    in it is then nothing that we could know."""
    links: Links = set()
    for some in _slices(sorted(groups), AT_ONCE):
        commands = {str(group): Command("sonet_group.user.get", {"ID": group}) for group in some}
        answer = client.batch(commands)
        for group, error in answer.errors.items():
            if not isinstance(error, Rejected) or "scope" in error.code:
                raise error
            log.warning("portal group %s: %s", group, error.code)
        for group, rows in answer.results.items():
            links |= {link for row in as_map(rows).values() for link in _links(group, as_map(row))}
    return links


def _links(group: str, row: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    user_id, roles = whole(row.get("USER_ID")), ROLES.get(str(row.get("ROLE")), ())
    for wider in (f"SG{group}", *(f"SG{group}_{role}" for role in roles)) if user_id and roles else ():
        yield f"U{user_id}", wider


def _meet_deciders(client: PortalClient, reach: Reach, portal_id: int, named: Named, links: Links) -> None:
    """Whoever may approve is told of requests, also if he has never opened the application: so he is read about."""
    users = {int(code[1:]) for code, wider in links if code.startswith("U") and wider in named.decides}
    users |= {one for one in named.users if f"U{one}" in named.decides}
    learn(client, reach.engine, portal_id, users, reach.clock())
    inside = {f"D{number}" for number in named.departments} & named.decides
    inside |= {code for code, wider in links if code.startswith("D") and wider in named.decides}
    inside |= {f"D{one[2:]}" for one in named.decides if one.startswith("DR")}
    if not inside:
        return
    wanted = {"ACTIVE": True, "USER_TYPE": "employee", "UF_DEPARTMENT": sorted(int(one[1:]) for one in inside)}
    rows = islice(client.list_all("user.get", {"FILTER": wanted, "SORT": "ID"}), MOST_PEOPLE)
    found = [one for row in rows if (one := employee(as_map(row))) is not None]
    with transaction(reach.engine) as tx:
        people.keep(tx, portal_id, found, reach.clock())


def _slices(numbers: Iterable[int], size: int) -> Iterator[list[int]]:
    left = iter(numbers)
    while some := list(islice(left, size)):
        yield some

"""Rights in words: on what, and to whom."""

from __future__ import annotations

from collections.abc import Mapping

from b24app import texts
from b24app.ledger import directory, queries, tenancy
from b24app.ledger.access import EMPLOYEES, EVERYTHING
from b24app.ledger.session import Session
from b24app.web import kinds
from b24app.web.visit import current_visit

ROLES = {"A": "group_owner", "E": "group_moderators"}


def scope(said: str, resources: Mapping[int, str]) -> str:
    """«Всё в Перми»; `resources`: names by id, of what is not among them it is only said that it is one."""
    language = current_visit().language
    family, _, what = said.partition(":")
    if said == EVERYTHING:
        return texts.say(language, "everything")
    if family == "kind":
        return kinds.many(language, what)
    if family == "location":
        return texts.say(language, "everything_in", city=what)
    return resources.get(int(what)) or texts.say(language, "one_resource")


def right(code: str) -> str:
    """«бронировать и подтверждать»."""
    return texts.say(current_visit().language, f"right.{code}")


def who(code: str, names: Mapping[str, str]) -> str:
    """«Отдел «Москва» со всеми внутри»; `names`: by code, without one the code itself is said."""
    language, name = current_visit().language, names.get(code, "")
    if code == EMPLOYEES:
        return texts.say(language, "employees")
    if code.startswith("SG"):
        group, _, role = code.partition("_")
        words = ROLES.get(role, "group")
        return texts.say(language, words, name=name or names.get(group) or code)
    if code.startswith("D"):
        return texts.say(language, "department" if code.startswith("DR") else "department_alone", name=name or code)
    return name or code


def known_names(tx: Session, portal_id: int) -> dict[str, str]:
    """What the ledger knows the codes of this portal by."""
    people = {f"U{user}": name for user, name in tenancy.user_names(tx, portal_id).items()}
    return people | dict(directory.known(tx, portal_id).names)


def resource_names(tx: Session, portal_id: int) -> dict[int, str]:
    """The names of all resources that this visitor may know of, archived ones too."""
    viewer = current_visit().viewer
    both = (queries.resources(tx, portal_id, viewer, archived=archived) for archived in (False, True))
    return {one.id: one.name for some in both for one in some}

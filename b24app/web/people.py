"""Whom a form names: employees that we know."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from b24app.errors import InvalidInput
from b24app.ledger import tenancy
from b24app.ledger.session import Session
from b24app.web.visit import Visit


def check_known(tx: Session, portal_id: int, visit: Visit, named: Mapping[str, Collection[int]]) -> None:
    """Raises InvalidInput for anybody whom we do not know; `named` are the people by the field that names them."""
    asked = {person for people in named.values() for person in people} - {0, visit.viewer.user_id}
    if not asked:
        return
    strangers = asked - set(tenancy.user_names(tx, portal_id, sorted(asked)))
    if wrong := {name: "unknown_user" for name, people in named.items() if strangers.intersection(people)}:
        raise InvalidInput(wrong)

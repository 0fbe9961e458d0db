"""Looking into the ledger of an application that is installed in the emulated portal."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.orm import Session

from b24app.ledger.models import AdminToken, Base, Installation, Portal
from b24app.ledger.session import Engine, transaction
from b24app.sync import install
from b24app.web.crm import forget_everything
from emulator import placement
from emulator.state import AppCard
from tests.kept import Kept, take
from tests.stand import ADMIN, Frame, Stand


def run_installer(frame: Frame) -> None:
    """Every step, as the page asks for them."""
    for step in install.STEPS:
        answer = frame.post(f"/install/steps/{step.name}", open="Y")
        assert 'data-state="done"' in answer.text, answer.text


@dataclass
class Installed:
    """The stand, the card that was installed, and what the ledger holds of it."""

    stand: Stand
    card: AppCard

    @property
    def engine(self) -> Engine:
        engine: Engine = self.stand.app.extensions["b24"].engine
        return engine

    @contextmanager
    def tx(self) -> Iterator[Session]:
        with transaction(self.engine) as tx:
            yield tx

    def open(self, user_id: int = ADMIN, place: str = "DEFAULT", **changed: Any) -> Frame:
        options = changed.pop("options", None)
        return self.stand.open(self.card, user_id, place, options, **changed)

    def installation(self) -> Installation:
        """The living one."""
        with self.tx() as tx:
            return tx.scalars(select(Installation).where(Installation.state != "deleted")).one()

    def portal(self) -> Portal:
        with self.tx() as tx:
            return tx.scalars(select(Portal)).one()

    def pairs(self) -> dict[int, AdminToken]:
        """Administrators' pairs by user."""
        with self.tx() as tx:
            return {row.user_id: row for row in tx.scalars(select(AdminToken))}

    def change(self, **values: Any) -> None:
        """Sets fields of the living installation."""
        with self.tx() as tx:
            row = tx.scalars(select(Installation).where(Installation.state != "deleted")).one()
            for name, value in values.items():
                setattr(row, name, value)


def install_and_keep(stand: Stand) -> Kept:
    """Installs in this stand and keeps what has come of it."""
    card = stand.add_card()
    run_installer(stand.open(card))
    assert placement.finish_install(stand.portal, stand.portal.users[ADMIN], card)
    stand.deliver()
    forget_everything()
    services = stand.app.extensions["b24"]
    services.calls.flush()
    return take(services.engine, stand.world)


def put_back(kept: Kept, stand: Stand) -> Installed:
    """The same in another test's stand."""
    kept.put_back(stand.app.extensions["b24"].engine, stand.world)
    (card,) = stand.portal.apps.values()
    return Installed(stand, card)


# How fast the portal may be called and what was called lately: changed by every call, whatever it was about.
OF_CALLS = {"portal_pace", "method_pace", "request_log"}


def everything(engine: Engine) -> dict[str, list[str]]:
    """Every row of every table but those, as text: two of them are equal when nothing was changed."""
    with engine.connect() as connection:
        return {
            table.name: sorted(map(str, connection.execute(text(f'SELECT * FROM "{table.name}"'))))
            for table in Base.metadata.sorted_tables
            if table.name not in OF_CALLS
        }

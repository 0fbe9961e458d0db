"""What an administrator does to our smart processes: renamed or recoloured is his affair, deleted has to be mended.

A stage, or the funnel, is laid down again at once. A whole process that was deleted is not: that may be meant, so the
pictures wait until somebody connects the CRM again in the settings, and are then drawn anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from b24app.bitrix.client import Command
from b24app.bitrix.loose import as_map, whole
from b24app.errors import Rejected
from b24app.ledger import decided, refs, sightings, tenancy
from b24app.ledger.portal_models import Sighting
from b24app.ledger.session import transaction
from b24app.sync.deciding import Desk
from b24app.sync.laid import LaidCrm
from b24app.sync.lay_funnel import lay_stages
from b24app.sync.owned import Owned
from b24app.sync.reconcile import UNSEEN, Halted, Missing, Visited
from b24app.sync.site import Site
from b24app.sync.tokens import AdminClient
from b24app.sync.verdict import settled


@dataclass(frozen=True, slots=True)
class Standing:
    """What of ours is not there any more: smart processes by our names; `mended`: stages were laid down again, in
    another funnel (`elsewhere`) where ours was deleted."""

    gone: tuple[str, ...]
    mended: bool = False
    elsewhere: bool = False


Found = Standing | Missing


class SeeTypes:
    """Both smart processes, their funnel and its stages, whichever of them was told of."""

    kinds: tuple[str, ...] = (sightings.TYPE,)

    def __init__(self, visited: Visited) -> None:
        self._desk = Desk(visited)

    def read(self, client: AdminClient, seen: Sequence[Sighting]) -> Mapping[int, Found]:
        """(calls) One batch; more only to lay down stages again."""
        crm = self._desk.visited.place.crm
        if crm is None or not crm.complete:
            return {one.id: UNSEEN for one in seen}
        found = self._standing(client, crm)
        return {one.id: found for one in seen}

    def _standing(self, client: AdminClient, crm: LaidCrm) -> Standing:
        types = {key: laid for key in ("resources", "bookings") if (laid := crm.type(key)) is not None}
        commands = {key: Command("crm.type.get", {"id": laid.id}) for key, laid in types.items()}
        number = crm.need("bookings").entity_type_id
        commands["funnels"] = Command("crm.category.list", {"entityTypeId": number})
        directory = f"DYNAMIC_{number}_STAGE_{crm.category_id}"
        commands["stages"] = Command("crm.status.list", {"filter": {"ENTITY_ID": directory}})
        answer = client.batch(commands)
        errors = {key: answer.errors.get(key) for key in types}
        gone = tuple(key for key, error in errors.items() if _is_not_found(error))
        for error in answer.errors.values():
            if not _is_not_found(error):
                raise error
        if gone:
            return Standing(gone)
        funnels = as_map(as_map(answer.results.get("funnels")).get("categories")).values()
        stages = {str(as_map(row).get("STATUS_ID")) for row in as_map(answer.results.get("stages")).values()}
        there = crm.category_id in {whole(as_map(row).get("id")) for row in funnels}
        if there and stages.issuperset(crm.stages.values()):
            return Standing(())
        return self._mended(client, elsewhere=not there)

    def _mended(self, client: AdminClient, *, elsewhere: bool) -> Standing:
        visited = self._desk.visited
        site = Site(self._desk.engine, client, self._desk.portal_id, "", visited.place.language, False, self._desk.now)
        lay_stages(site)
        return Standing((), mended=True, elsewhere=elsewhere)

    def owned(self, found: Found) -> Owned | None:
        """Nothing here is a picture of ours."""
        return None

    def settle(self, sighting: Sighting, found: Found) -> None:
        """Forgets what has gone; what could not be drawn without its stage may be drawn again.

        Raises Halted after any change: whatever else works in this round knows the process as it was.
        """
        if not isinstance(found, Standing) or found == Standing(()):
            return
        for key in found.gone:
            self._forget(key)
        with transaction(self._desk.engine) as tx:
            if found.elsewhere:  # that the items stand in another funnel is nobody's wish
                decided.forgive(tx, self._desk.portal_id)
                refs.redraw_all(tx, self._desk.portal_id, self._desk.now, self._desk.now)
            refs.try_again(tx, self._desk.portal_id)
        raise Halted

    def _forget(self, key: str) -> None:
        """Its items have gone with it. The next one may have the same number, and counts its items from 1."""
        now = self._desk.now
        with transaction(self._desk.engine) as tx:
            refs.hold(tx, self._desk.portal_id)
            portal = tenancy.lock_tenant(tx, self._desk.portal_id).portal
            crm = LaidCrm.from_json(portal.crm)
            if crm.type(key) is None:
                return
            after = crm.with_type(key, None)
            portal.crm = (replace(after, category_id=None, stages={}) if key == "bookings" else after).to_json()
            refs.forget_items(tx, portal.id, key, {"at": settled(now), "type": "item"}, now)


def _is_not_found(error: object) -> bool:
    """Its code is a numeric 0 for types."""
    return isinstance(error, Rejected) and error.code.upper() in ("0", "NOT_FOUND")

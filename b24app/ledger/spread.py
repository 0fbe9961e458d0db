"""What stands on which lane of a board: a booking of a composite on its parts too, and the other way round.

Computes only; `board` reads what goes in. Who may not see a booking gets a block that says no more than "taken".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from b24app.ledger.access import RIGHTS

BUSY, SEE = RIGHTS.index("busy"), RIGHTS.index("see")


class BoardResource(NamedTuple):
    """A resource as the board reads it.

    `week`, `days` (special hours) and `closures` (JSON) are texts as they were read: most resources share theirs, and
    who computes with them does it once for each different text. `units` only where there are several. `user_id`: the
    person that it is, where his calendar has a say; `busy`: his other business, [start, end, how] in epoch seconds.
    """

    id: int
    kind: str
    name: str
    city: str
    capacity: int
    time_zone: str
    step_minutes: int
    holidays: str
    is_archived: bool
    week: str | None
    days: str | None
    closures: str | None
    units: Sequence[int] | None
    parts: Sequence[int] | None
    user_id: int | None = None
    busy: Sequence[tuple[int, int, str]] | None = None


@dataclass(frozen=True, slots=True)
class Offered:
    """`shown`: what he may see at least as busy or free, in the order of the board. `every`: also what that is made of.

    `rights`: his strength on each.
    """

    shown: Sequence[BoardResource]
    every: Mapping[int, BoardResource]
    rights: Mapping[int, int]

    def may(self, right: str, resource_id: int) -> bool:
        """Whether he has `right` on this resource."""
        return self.rights.get(resource_id, -1) >= RIGHTS.index(right)

    def only(self, resource_ids: Collection[int]) -> Offered:
        """The same with fewer resources shown."""
        return Offered([one for one in self.shown if one.id in resource_ids], self.every, self.rights)

    def below(self, resource_id: int) -> set[int]:
        """What it is made of, at any depth."""
        parts = self.every[resource_id].parts or ()
        return set(parts).union(*(self.below(part) for part in parts))

    @property
    def leaves(self) -> set[int]:
        """The resources whose units may be taken by something that is shown."""
        return {one for lane in self.shown for one in (lane.id, *self.below(lane.id))}

    def composites(self) -> dict[int, set[int]]:
        """What each composite is made of, at any depth."""
        return {one.id: self.below(one.id) for one in self.every.values() if one.parts}


class More(NamedTuple):
    """What only some bookings have: `booked_as` another resource than the one whose unit is taken, times without the
    buffers, a hold's end, a portal that is `behind`."""

    booked_as: int
    start: int
    end: int
    until: int | None
    behind: int


class BoardBlock(NamedTuple):
    """What stands on the lane of a resource; times are epoch seconds, buffers included.

    `stage` is the booking's, or "busy" (masked: no number and no label), "within" (taken as part of `label`), "part"
    (a part of it, `label`, is taken) or "request" (competes, holds nothing). The last three have no number where he
    may not see the booking.
    """

    resource_id: int
    unit_id: int
    start: int
    end: int
    stage: str
    payment: str = ""
    number: int | None = None
    label: str | None = None
    more: More | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands on each lane in the order of time, and until when that is so if nobody does anything."""

    held: dict[int, list[BoardBlock]]
    requests: dict[int, list[BoardBlock]]
    until: int | None = None


class Lanes:
    """The lanes that are being filled. `plain`: those on which a booking stands as it is read, unless it has more."""

    def __init__(self, of: Offered) -> None:
        self._of = of
        self._below = of.composites()
        self._above: dict[int, list[int]] = {}
        for composite, below in self._below.items():
            for one in below:
                self._above.setdefault(one, []).append(composite)
        self._merged: dict[tuple[int, int | None], int] = {}
        self.held: dict[int, list[BoardBlock]] = {one.id: [] for one in of.shown}
        self.requests: dict[int, list[BoardBlock]] = {one.id: [] for one in of.shown}
        self.plain: Mapping[int, list[Any]] = {
            one.id: self.held[one.id] for one in of.shown if of.rights[one.id] >= SEE and one.id not in self._above
        }
        self.until: int | None = None

    def add(self, block: BoardBlock) -> None:
        """Puts a booking wherever it has to be seen."""
        if block.more and block.stage == "prebooked":
            self._ends(block.more.until)
        booked = block.more.booked_as if block.more else block.resource_id
        for here, other in self._everywhere(block, booked):
            if here.resource_id in self.held:
                self._put(here.number, self._masked(here, other, booked))

    def ask(self, block: BoardBlock, until: int | None) -> None:
        """Puts a request on the lane that it would like to have; who may not see bookings there sees none of it."""
        lane = self.requests.get(block.resource_id)
        if lane is not None and self._may_see(block.resource_id):
            self._ends(until)
            lane.append(block)

    def _ends(self, at: int | None) -> None:
        if at is not None and (self.until is None or at < self.until):
            self.until = at

    def _may_see(self, resource_id: int) -> bool:
        return self._of.rights.get(resource_id, -1) >= SEE

    def _everywhere(self, block: BoardBlock, booked: int) -> Iterator[tuple[BoardBlock, int]]:
        """The block on every lane it concerns, with the resource that is to be named there."""
        leaf = block.resource_id
        yield (block if booked == leaf else block._replace(stage="within")), booked
        for composite in self._above.get(leaf, ()):
            here = block._replace(resource_id=composite, unit_id=0)
            if composite == booked:
                yield here, booked
            elif composite in self._below.get(booked, ()):
                yield here._replace(stage="within"), booked
            else:
                yield here._replace(stage="part"), booked if booked in self._below[composite] else leaf

    def _masked(self, block: BoardBlock, other: int, booked: int) -> BoardBlock:
        """As much of it as he may see there."""
        if not self._may_see(block.resource_id):
            return BoardBlock(*block[:4], "busy")
        if block.stage not in ("within", "part"):
            return block
        named = self._of.rights.get(other, -1) >= BUSY
        return block._replace(
            label=self._of.every[other].name if named else "",
            number=block.number if self._may_see(booked) else None,
        )

    def _put(self, number: int | None, block: BoardBlock) -> None:
        """Adds it to its lane; a composite, which has no units of its own, has one block a booking."""
        lane, key = self.held[block.resource_id], (block.resource_id, number)
        if block.resource_id not in self._below:
            lane.append(block)
        elif key in self._merged:
            lane[self._merged[key]] = _joined(lane[self._merged[key]], block)
        else:
            self._merged[key] = len(lane)
            lane.append(block)


def _joined(first: BoardBlock, second: BoardBlock) -> BoardBlock:
    """One block for what a booking takes of a composite; names of several parts stand side by side."""
    start, end = min(first.start, second.start), max(first.end, second.end)
    label = first.label
    if first.stage == "part" and second.label and second.label not in (label or "").split(", "):
        label = f"{label}, {second.label}" if label else second.label
    return first._replace(start=start, end=end, label=label)

"""Findings of `sync.health` in words: the same on the page and on the command line."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from b24app import texts
from b24app.messages import MESSAGES
from b24app.sync.health import Finding


def words(language: str, found: Finding, zone: ZoneInfo, now: datetime) -> str:
    """What was found, in one sentence."""
    said = dict(found.params)
    if "minutes" in said:
        said["minutes"] = texts.term(language, said["minutes"])
    if "time" in said:
        said["time"] = texts.moment(language, said["time"], zone, now)
    if "outcome" in said:
        said["why"] = _why(language, said.pop("outcome"))
    return texts.say(language, f"health.{found.code}", **said)


def _why(language: str, outcome: str) -> str:
    known = f"outcome.{outcome}"
    return texts.say(language, known) if known in MESSAGES else texts.say(language, "outcome", outcome=outcome)

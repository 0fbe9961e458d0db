"""What a tester may turn: one flat dataclass, shown on the page of knobs and set by ``/_knobs``."""

from __future__ import annotations

import typing
from dataclasses import dataclass

Json = dict[str, typing.Any]


@dataclass
class Knobs:
    """What a tester may turn. ``profile`` "cloud" sets delays and limits as the bench measures them."""

    profile: str = "plain"
    request_ms: int = 0
    write_ms: int = 0
    rate_limit: bool = False
    rate_per_second: float = 2.0
    rate_threshold: int = 50
    operating_limit: bool = False
    operating_limit_s: float = 480.0
    event_delay_s: float = 0.0
    event_tokens: bool = True
    event_copies: int = 1
    event_loss: float = 0.0
    event_double: float = 0.0
    event_hold: float = 0.0
    event_jitter_s: float = 0.0
    event_shuffle: bool = False
    wrong_application_token: bool = False
    token_family: str = "two"
    access_ttl_s: int = 3600
    refresh_ttl_s: int = 180 * 86400
    code_ttl_s: int = 30
    old_portal: bool = False
    plan_smart_processes: bool = True
    plan_rest: bool = True
    unsaved_id: str = "0"
    lang: str = ""  # language of frames for everybody; empty: each user's own
    company_calendar_write: str = "admins"  # admins, everybody, nobody
    decline_event: bool = True
    offline_extended: bool = False
    scope_status: int = 403
    check_mandatory: bool = False
    bin_new_ids: bool = False
    restore_silent: bool = False
    import_silent: bool = False
    merge_silent: bool = False
    plan_automation: bool = True
    robots_stop_on_move: bool = True
    robot_auth: bool = True

    def change(self, values: Json) -> None:
        """Set the named knobs; raises KeyError for an unknown name and ValueError for a value of another type."""
        if "profile" in values:
            self._apply_profile(str(values["profile"]))
        for name, value in values.items():
            setattr(self, name, self._converted(name, value))

    def _apply_profile(self, name: str) -> None:
        cloud = {"plain": False, "cloud": True}[name]
        self.request_ms, self.write_ms = (100, 150) if cloud else (0, 0)
        self.rate_limit = self.operating_limit = cloud

    def _converted(self, name: str, value: typing.Any) -> typing.Any:
        default = getattr(Knobs(), name, None)
        if default is None:
            raise KeyError(name)
        if isinstance(default, bool) and isinstance(value, str):
            return value.lower() in ("1", "true", "y", "yes", "on")
        return type(default)(value)

"""What a portal says about itself and an application: ``app.info``, ``scope``, ``method.get``, ``server.time``…

Facts: "api-reference/common/system" of the documentation.
"""

from __future__ import annotations

from typing import Any

from emulator.call import REGISTER, Call, method, truth
from emulator.errors import RestError

ALL_SCOPES = (
    "basic", "crm", "userfieldconfig", "calendar", "placement", "user", "user_brief", "user_basic", "department", "im",
    "task", "bizproc", "entity", "pull", "sonet_group", "booking",
)  # fmt: skip
FEATURES = {"rest_offline_extended": "N", "rest_auth_connector": "N"}


@method("app.info")
def app_info(call: Call) -> Any:
    """The portal's own answer; the authorization server's of the same name has another shape."""
    if call.card is None:
        raise RestError("ACCESS_DENIED", "Access denied! Application context required", 400)
    family = call.portal.plan.partition("_")[2]
    return {
        "ID": call.card.id,
        "CODE": call.card.client_id,
        "VERSION": call.card.version,
        "STATUS": call.card.status,
        "INSTALLED": call.card.installed,
        "PAYMENT_EXPIRED": "Y" if call.card.payment_expired else "N",
        "DAYS": call.card.days,
        "LANGUAGE_ID": call.portal.lang,
        "LICENSE": call.portal.plan,
        "LICENSE_TYPE": family,
        "LICENSE_FAMILY": family.rstrip("0123456789"),
    }


@method("scope")
def scope(call: Call) -> Any:
    return list(ALL_SCOPES) if truth(call.arg("full")) else sorted(call.scopes)


@method("method.get")
def method_get(call: Call) -> Any:
    name = str(call.arg("name") or "")
    known = REGISTER.get(name)  # only lower case is understood
    batch = name == "batch"
    return {
        "isExisting": batch or known is not None,
        "isAvailable": batch or (known is not None and _granted(call, known.scope)),
    }


def _granted(call: Call, wanted: str) -> bool:
    return all(one == "basic" or any(part in call.scopes for part in one.split("|")) for one in wanted.split("+"))


@method("methods")
def methods(call: Call) -> Any:
    wanted = call.arg("scope")
    return sorted(
        ["batch"]
        + [
            known.name
            for known in REGISTER.values()
            if (wanted in known.scope.split("+") if wanted else truth(call.arg("full")) or _granted(call, known.scope))
        ]
    )


@method("server.time")
def server_time(call: Call) -> Any:
    return call.portal.iso(call.now)


@method("feature.get")
def feature(call: Call) -> Any:
    code = call.arg("CODE")
    if not code:
        raise RestError("CODE_EMPTY", "CODE can't be empty")
    return {"value": FEATURES.get(str(code), "N")}

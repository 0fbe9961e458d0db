"""Settings, read once from the environment and checked at start. Every one is described in docs/settings.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet

from b24app.errors import Misconfigured

DOCUMENTED_AUTH_SERVERS = "https://oauth.bitrix.info,https://oauth.bitrix24.tech"


@dataclass(frozen=True)
class Settings:
    """What differs between two places where the application runs."""

    secret_key: str
    token_keys: tuple[str, ...]
    app_url: str
    database_url: str | None = None
    var_dir: Path = Path("var")
    client_id: str | None = None
    client_secret: str | None = None
    application_kind: str = "local"
    auth_servers: tuple[str, ...] = tuple(DOCUMENTED_AUTH_SERVERS.split(","))
    allow_http: bool = False
    allow_private: bool = False
    longest_booking_hours: int = 24 * 14
    keep_after_uninstall_days: int = 30
    portal_timeout_seconds: float = 20.0
    database_pool: int = 8
    log_level: str = "INFO"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """The settings named in `env`; raises Misconfigured(setting) for the first one missing or wrong."""
        return cls(
            secret_key=_secret(env, "SECRET_KEY"),
            token_keys=_token_keys(env),
            app_url=_base_url(env, "APP_URL"),
            database_url=env.get("DATABASE_URL") or None,
            var_dir=Path(env.get("VAR_DIR") or "var").absolute(),
            client_id=env.get("CLIENT_ID") or None,
            client_secret=env.get("CLIENT_SECRET") or None,
            application_kind=_choice(env, "APPLICATION_KIND", ("local", "market")),
            auth_servers=_urls(env.get("AUTH_SERVERS") or DOCUMENTED_AUTH_SERVERS),
            allow_http=_flag(env, "ALLOW_HTTP"),
            allow_private=_flag(env, "ALLOW_PRIVATE"),
            longest_booking_hours=int(_number(env, "LONGEST_BOOKING_HOURS", cls.longest_booking_hours, 1, 24 * 60)),
            keep_after_uninstall_days=int(
                _number(env, "KEEP_AFTER_UNINSTALL_DAYS", cls.keep_after_uninstall_days, 0, 3650)
            ),
            portal_timeout_seconds=_number(env, "PORTAL_TIMEOUT_SECONDS", cls.portal_timeout_seconds, 1, 60),
            database_pool=int(_number(env, "DATABASE_POOL", cls.database_pool, 1, 100)),
            log_level=_choice(env, "LOG_LEVEL", ("INFO", "DEBUG", "WARNING", "ERROR")),
        )


def _secret(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if len(value) < 32:
        raise Misconfigured(name, "must be set to at least 32 random characters")
    return value


def _token_keys(env: Mapping[str, str]) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in env.get("TOKEN_KEYS", "").split(",") if key.strip())
    if not keys:
        raise Misconfigured("TOKEN_KEYS", "must hold at least one Fernet key")
    for key in keys:
        try:
            Fernet(key)
        except ValueError as error:
            raise Misconfigured("TOKEN_KEYS", "holds something that is not a Fernet key") from error
    return keys


def _base_url(env: Mapping[str, str], name: str) -> str:
    url = env.get(name, "").rstrip("/")
    if not url.startswith(("http://", "https://")):
        raise Misconfigured(name, "must be the public address of the application, https://…")
    return url


def _urls(value: str) -> tuple[str, ...]:
    return tuple(url.strip().rstrip("/") for url in value.split(",") if url.strip())


def _choice(env: Mapping[str, str], name: str, allowed: tuple[str, ...]) -> str:
    """The value of `name`; the first of `allowed` when it is not set."""
    value = env.get(name) or allowed[0]
    if value not in allowed:
        raise Misconfigured(name, f"must be one of {', '.join(allowed)}")
    return value


def _flag(env: Mapping[str, str], name: str) -> bool:
    return _choice(env, name, ("0", "1")) == "1"


def _number(env: Mapping[str, str], name: str, default: float, low: float, high: float) -> float:
    try:
        value = float(env.get(name) or default)
    except ValueError as error:
        raise Misconfigured(name, "must be a number") from error
    if not low <= value <= high:
        raise Misconfigured(name, f"must be between {low} and {high}")
    return value

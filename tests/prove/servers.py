"""The application as it runs in production: gunicorn with several processes, on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import requests
from flask import Flask

from b24app.ledger.access import EMPLOYEES, Viewer
from b24app.ledger.models import Portal
from b24app.web import bearer
from b24app.web.visit import Visit

ROOT = Path(__file__).parents[2]
SECRET = "s" * 40
READY_SECONDS = 40


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def environment(database_url: str, token_key: str, **more: str) -> dict[str, str]:
    """The settings of a process of ours, as environment variables."""
    return {
        **os.environ, "SECRET_KEY": SECRET, "TOKEN_KEYS": token_key, "APP_URL": "http://127.0.0.1:8000",
        "DATABASE_URL": database_url, "DATABASE_POOL": "12", "PYTHONPATH": str(ROOT), "LOG_LEVEL": "WARNING",
        "ALLOW_HTTP": "1", "ALLOW_PRIVATE": "1", **more,
    }  # fmt: skip


@contextmanager
def web(env: dict[str, str], *, wsgi: str = "wsgi:app", workers: int = 2, threads: int = 25) -> Iterator[str]:
    """Its base URL, once it is ready."""
    port = free_port()
    command = [
        sys.executable, "-m", "gunicorn", wsgi, "--bind", f"127.0.0.1:{port}", "--workers", str(workers),
        "--worker-class", "gthread", "--threads", str(threads), "--backlog", "256", "--log-level", "warning",
        # As docs/operations.md has it. A connection kept for some seconds may close just when a form is sent over it.
        "--keep-alive", "0",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=env)
    try:
        yield _ready(f"http://127.0.0.1:{port}", process)
    finally:
        process.terminate()
        process.wait(20)


def _ready(base: str, process: subprocess.Popen[bytes]) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        assert process.poll() is None, "the server ended"
        try:
            if requests.get(f"{base}/readyz", timeout=READY_SECONDS).status_code == 200:
                return base
        except requests.ConnectionError:
            time.sleep(0.1)  # a process that is starting has nothing to wait on
    raise AssertionError("the server did not become ready")


def bearer_of(portal: Portal, installation_id: int, user_id: int, *, is_admin: bool = False) -> str:
    """What a frame of this user would carry while that installation lives."""
    app = Flask("bearer")
    app.config["SECRET_KEY"] = SECRET
    visit = Visit(
        portal_id=portal.id, installation_id=installation_id, member_id=portal.member_id,
        viewer=Viewer(user_id, is_admin, frozenset({f"U{user_id}", EMPLOYEES})), name=f"User {user_id}", language="ru",
        time_zone="Europe/Moscow", place="LEFT_MENU", entity_id=None,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
    )  # fmt: skip
    with app.app_context():
        return bearer.issue(visit)

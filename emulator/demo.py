"""``make demo``: the emulated portal, the application and its workers as processes of their own, with demo data.

The parts are started, waited for, watched and stopped together; their output goes to VAR_DIR/log. The application is
set up as an administrator would do it, through pages and commands (``install_like_a_person``): nothing here reaches
into its code. Settings: PORTAL_PORT, APP_PORT, VAR_DIR, FRESH=1.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import BinaryIO

import requests

from emulator.guide import GuideError, install_like_a_person

ROOT = Path(__file__).resolve().parent.parent
WORKERS = 2
PATIENCE_S = 60.0
STOP_PATIENCE_S = 10.0
POLL_S = 0.1
LOG_TAIL = 15
PYTHON = sys.executable
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class DemoError(Exception):
    """Something a person must put right; the text says what."""


@dataclass(frozen=True)
class Demo:
    """Where the demo runs. The portal is a name and the application a number, so that they are two sites."""

    var: Path
    portal_port: int
    app_port: int
    fresh: bool

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Demo:
        var = Path(env.get("VAR_DIR") or "var").absolute()
        portal, app = (int(env.get(name) or default) for name, default in (("PORTAL_PORT", 8024), ("APP_PORT", 8000)))
        return cls(var, portal, app, fresh=env.get("FRESH", "") in ("1", "yes", "true"))

    @property
    def portal_url(self) -> str:
        return f"http://localhost:{self.portal_port}"

    @property
    def app_url(self) -> str:
        return f"http://127.0.0.1:{self.app_port}"

    @property
    def state_file(self) -> Path:
        return self.var / "portal.json"

    @property
    def ready_mark(self) -> Path:
        """Exists once the portal has been laid out; a start that was cut short before lays it out again."""
        return self.var / "demo.ready"


@dataclass
class Part:
    """A process of the demo; ``health`` is the address that answers 200 when it is up."""

    name: str
    command: Sequence[str]
    health: str = ""
    process: subprocess.Popen[bytes] | None = None


def main() -> int:
    """Run the demo until Ctrl-C; the exit code is 1 when it could not start or a part of it died."""
    demo = Demo.from_env(os.environ)
    for number in STOPPING:
        signal.signal(number, _interrupt)
    try:
        with ExitStack() as stack:
            run(demo, stack)
    except KeyboardInterrupt:
        print("\nStopping.")
        return 0
    except (DemoError, GuideError) as error:
        print(f"\n{error}", file=sys.stderr)
        return 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Stop; a second Ctrl-C does not interrupt the stopping."""
    for one in STOPPING:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


def run(demo: Demo, stack: ExitStack) -> None:
    """Start everything, say where it is, and watch it; what is pushed on ``stack`` ends it again."""
    check_ports(demo)
    if demo.fresh:
        forget(demo)
    (demo.var / "log").mkdir(parents=True, exist_ok=True)
    env = environment(demo)
    start_database(demo, env, stack)
    command(demo, env, "db upgrade", [*FLASK, "db", "upgrade"])
    parts = the_parts(demo)
    stack.callback(stop_all, parts)
    for part in parts:
        start(demo, env, part)
    for part in parts:
        wait_until_up(demo, part, parts)
    lay_out(demo, env)
    announce(demo)
    watch(demo, parts)


# The parts ------------------------------------------------------------------------------------------------------

FLASK = (PYTHON, "-m", "flask", "--app", "wsgi")


def the_parts(demo: Demo) -> list[Part]:
    portal = (
        PYTHON,
        "-m",
        "emulator",
        "--host",
        "localhost",
        "--port",
        str(demo.portal_port),
        "--state",
        str(demo.state_file),
        "--app-url",
        demo.app_url,
    )
    web = (
        PYTHON,
        "-m",
        "gunicorn",
        "wsgi:app",
        "--bind",
        f"127.0.0.1:{demo.app_port}",
        "--workers",
        "2",
        "--threads",
        "4",
        "--access-logfile",
        "-",
        "--no-control-socket",
    )
    workers = [Part(f"worker-{number}", (*FLASK, "worker")) for number in range(1, WORKERS + 1)]
    return [
        Part("portal", portal, f"{demo.portal_url}/_users"),
        Part("web", web, f"{demo.app_url}/readyz"),
        *workers,
    ]


def environment(demo: Demo) -> dict[str, str]:
    """What every part is started with: this demo's addresses, and secrets made on its first start."""
    return {
        **os.environ,
        **keys(demo.var / "demo.env"),
        "VAR_DIR": str(demo.var),
        "APP_URL": demo.app_url,
        "AUTH_SERVERS": f"http://127.0.0.1:{demo.portal_port}",
        "ALLOW_HTTP": "1",
        "ALLOW_PRIVATE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def keys(file: Path) -> dict[str, str]:
    """The secrets of the demo's file, which is made when it is missing and which only we may read."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        made = {"SECRET_KEY": secrets.token_hex(32), "TOKEN_KEYS": urlsafe_b64encode(os.urandom(32)).decode()}
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as out:
            out.writelines(f"{name}={value}\n" for name, value in made.items())
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def start_database(demo: Demo, env: dict[str, str], stack: ExitStack) -> None:
    """Use DATABASE_URL when it is set; otherwise start the application's own server and stop it at the end."""
    if env.get("DATABASE_URL"):
        return
    embedded = (PYTHON, "-m", "b24app.ledger.embedded")
    env["DATABASE_URL"] = command(demo, env, "database", [*embedded, "start"]).strip().splitlines()[-1]
    stack.callback(command, demo, env, "database", [*embedded, "stop"])


def forget(demo: Demo) -> None:
    """FRESH=1: throw away what an earlier demo left in VAR_DIR, its database included."""
    if os.environ.get("DATABASE_URL"):
        raise DemoError(
            "FRESH=1 would have to empty the database of DATABASE_URL. Empty it yourself, or unset one of them."
        )
    if (demo.var / "postgres").exists():
        command(
            demo,
            {**os.environ, "VAR_DIR": str(demo.var)},
            "database",
            [PYTHON, "-m", "b24app.ledger.embedded", "remove"],
        )
    for file in (demo.state_file, demo.ready_mark, demo.var / "demo.env"):
        file.unlink(missing_ok=True)
    shutil.rmtree(demo.var / "log", ignore_errors=True)


def check_ports(demo: Demo) -> None:
    """Raises DemoError for a port that somebody else uses."""
    for setting, port in (("PORTAL_PORT", demo.portal_port), ("APP_PORT", demo.app_port)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                hint = f"Stop what uses it, or choose another one: make demo {setting}={port + 100}"
                raise DemoError(f"Port {port} is taken. {hint}") from None


# Processes ------------------------------------------------------------------------------------------------------


def log_file(demo: Demo, name: str) -> Path:
    return demo.var / "log" / f"{name}.log"


def command(demo: Demo, env: Mapping[str, str], name: str, arguments: Sequence[str]) -> str:
    """Run a command to its end and return what it printed; raises DemoError with its last words when it fails."""
    done = subprocess.run(arguments, cwd=ROOT, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-LOG_TAIL:])
        raise DemoError(f"{name} failed:\n{last}")
    return done.stdout


def start(demo: Demo, env: Mapping[str, str], part: Part) -> None:
    """Start a part in a session of its own: Ctrl-C reaches only us, and we stop the parts in order."""
    out: BinaryIO
    with log_file(demo, part.name).open("ab") as out:
        part.process = subprocess.Popen(
            part.command, cwd=ROOT, env=dict(env), stdout=out, stderr=subprocess.STDOUT, start_new_session=True
        )


def wait_until_up(demo: Demo, part: Part, parts: Sequence[Part]) -> None:
    """Wait for a part's health address; raises DemoError when any part dies or patience ends."""
    deadline = time.monotonic() + PATIENCE_S
    while part.health and not _answers(part.health):
        complain_of_dead(demo, parts)
        if time.monotonic() > deadline:
            raise DemoError(f"{part.name} does not answer at {part.health}.\n{tail(log_file(demo, part.name))}")
        time.sleep(POLL_S)


def _answers(url: str) -> bool:
    with requests.Session() as session:
        session.trust_env = False
        try:
            return session.get(url, timeout=5).status_code == 200
        except requests.RequestException:
            return False


def complain_of_dead(demo: Demo, parts: Sequence[Part]) -> None:
    """Raises DemoError with the end of its log when a part has ended."""
    for part in parts:
        if part.process is not None and part.process.poll() is not None:
            words = f"{part.name} ended with code {part.process.returncode}"
            raise DemoError(f"{words}:\n{tail(log_file(demo, part.name))}")


def tail(file: Path) -> str:
    lines = file.read_text(errors="replace").splitlines() if file.exists() else []
    return "\n".join(lines[-LOG_TAIL:])


def watch(demo: Demo, parts: Sequence[Part]) -> None:
    """Until Ctrl-C; raises DemoError when a part dies."""
    while True:
        complain_of_dead(demo, parts)
        time.sleep(0.5)


def stop_all(parts: Sequence[Part]) -> None:
    """End the parts, the portal last: workers and web may still be telling it something."""
    running = [part.process for part in reversed(parts) if part.process is not None]
    for process in running:
        _signal_group(process, signal.SIGTERM)
    deadline = time.monotonic() + STOP_PATIENCE_S
    for process in running:
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            _signal_group(process, signal.SIGKILL)
            process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """To the whole session of a part: gunicorn's workers belong to it."""
    if process.poll() is None:
        os.killpg(process.pid, number)


# What it shows --------------------------------------------------------------------------------------------------


def lay_out(demo: Demo, env: dict[str, str]) -> None:
    """On the first start, install the application and fill it; FRESH leaves both to the person."""
    if demo.ready_mark.exists():
        return
    if not demo.fresh:
        print("The first start: installing the application in the portal and filling it with examples…", flush=True)
    install_like_a_person(demo.portal_url, demo.app_url, _flask_command(demo, env), run_installer=not demo.fresh)
    if not demo.fresh:
        command(demo, env, "demo data", [PYTHON, "-m", "demo.fill"])
    demo.ready_mark.touch()


def _flask_command(demo: Demo, env: Mapping[str, str]) -> Callable[..., str]:
    """``flask --app wsgi …`` with this demo's settings, as an operator types it."""
    return lambda *arguments: command(demo, env, " ".join(arguments[:2]), [*FLASK, *arguments])


def announce(demo: Demo) -> None:
    print(f"\n  The portal:  {demo.portal_url}")
    print(f"  Logs:        {demo.var / 'log'}")
    if demo.fresh:
        print("  The application is not installed yet: Разработчикам → Локальные приложения → Установить")
    print("  Ctrl-C stops everything.\n", flush=True)


if __name__ == "__main__":
    sys.exit(main())

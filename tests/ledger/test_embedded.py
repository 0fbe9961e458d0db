"""The server that the application starts for itself: several processes, crashes, closed folders."""

import os
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest

from b24app.errors import Misconfigured
from b24app.ledger import embedded


@pytest.fixture
def var_dir() -> Iterator[Path]:
    """A folder that the server's user can reach; pytest's own are closed to everybody else."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "var"
        embedded.remove(Path(folder) / "var")


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[0]


def postmaster(var_dir: Path) -> psutil.Process:
    return psutil.Process(int((var_dir / "postgres/data/postmaster.pid").read_text().split()[0]))


def kill(process: psutil.Process) -> None:
    process.send_signal(signal.SIGKILL)
    psutil.wait_procs([process], timeout=10)


def test_server_is_durable_utf8_and_local(var_dir: Path) -> None:
    url = embedded.ensure(var_dir)
    assert embedded.running(var_dir)
    assert ask(url, "SELECT current_database()") == "b24app"
    settings = {
        "fsync": "on",
        "listen_addresses": "127.0.0.1",
        "server_encoding": "UTF8",
        "timezone": "UTC",
        "unix_socket_directories": "",
    }
    assert {name: ask(url, f"SHOW {name}") for name in settings} == settings
    assert ask(url, "SELECT lower('ЁЖИК Ä')") == "ёжик ä"


def test_url_needs_the_password_that_only_the_owner_can_read(var_dir: Path) -> None:
    url = embedded.ensure(var_dir)
    password = (var_dir / "postgres/password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url.replace(password, "guess"))
    assert stat.S_IMODE((var_dir / "postgres/password").stat().st_mode) == 0o600
    assert stat.S_IMODE((var_dir / "postgres/data").stat().st_mode) == 0o700


def test_data_and_url_survive_stop_and_start(var_dir: Path) -> None:
    url = embedded.ensure(var_dir)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    embedded.stop(var_dir)
    assert not embedded.running(var_dir)
    assert embedded.ensure(var_dir) == url
    assert ask(url, "SELECT answer FROM kept") == 42


def test_many_who_ask_at_once_get_one_server(var_dir: Path) -> None:
    command = [sys.executable, "-m", "b24app.ledger.embedded", "start", "--var-dir", str(var_dir)]

    def start(_: int) -> str:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    with ThreadPoolExecutor(4) as pool:
        urls = set(pool.map(start, range(4)))
    assert len(urls) == 1
    assert ask(urls.pop().strip(), "SELECT 1") == 1, "the server outlives the processes that asked for it"


def test_killed_server_starts_again_with_its_data(var_dir: Path) -> None:
    url = embedded.ensure(var_dir)
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    kill(postmaster(var_dir))
    assert not embedded.running(var_dir)
    assert ask(embedded.ensure(var_dir), "SELECT answer FROM kept") == 42


def test_process_with_a_dead_servers_id_is_not_taken_for_it(var_dir: Path) -> None:
    embedded.ensure(var_dir)
    pid_file = var_dir / "postgres/data/postmaster.pid"
    lines = pid_file.read_text().splitlines()
    kill(postmaster(var_dir))
    same_user: dict[str, Any] = {"user": pid_file.stat().st_uid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **same_user) as stranger:
        pid_file.write_text("\n".join([str(stranger.pid), *lines[1:], ""]))
        try:
            assert not embedded.running(var_dir)
            assert ask(embedded.ensure(var_dir), "SELECT 1") == 1
        finally:
            stranger.kill()


def test_another_port_is_taken_when_somebody_else_has_ours(var_dir: Path) -> None:
    url = embedded.ensure(var_dir)
    embedded.stop(var_dir)
    port = int((var_dir / "postgres/port").read_text())
    with socket.create_server(("127.0.0.1", port)):
        other = embedded.ensure(var_dir)
        assert other != url
        assert ask(other, "SELECT 1") == 1


def test_checkout_in_a_closed_home_folder_works(tmp_path: Path) -> None:
    """Root's server runs as another user, who cannot enter a folder of mode 700."""
    closed = tmp_path / "home"
    closed.mkdir(mode=0o700)
    url = embedded.ensure(closed / "var")
    where = (closed / "var/postgres").resolve()
    assert ask(url, "SELECT 1") == 1
    assert where.is_relative_to(embedded.REACHABLE if os.geteuid() == 0 else closed)
    embedded.remove(closed / "var")
    assert not where.exists()
    assert not embedded.running(closed / "var")


def test_programs_that_the_servers_user_cannot_enter_are_copied(var_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    can_enter = embedded._can_enter
    monkeypatch.setattr(
        embedded, "_can_enter", lambda path, *user: "site-packages" not in path.parts and can_enter(path, *user)
    )
    assert ask(embedded.ensure(var_dir), "SELECT 1") == 1
    program = postmaster(var_dir).exe()
    assert Path(program).is_relative_to(var_dir / "postgres")


def test_interrupted_first_start_is_begun_anew(var_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as broken:
        broken.setitem(embedded.CONFIGURATION, "shared_buffers", "nonsense")
        with pytest.raises(Misconfigured, match="initdb"):
            embedded.ensure(var_dir)
    assert ask(embedded.ensure(var_dir), "SELECT 1") == 1

"""Fetch the files that static/VENDORED.md lists into static/vendor/, byte for byte as their npm packages hold them.

    python install/vendor.py           fetch what is missing or different
    python install/vendor.py --check   only compare, without the network

Both fail when a file's SHA-256 is not the listed one. To move to another version, change the row in
static/VENDORED.md, run this, read what changed upstream, and only then put in the SHA-256 that it names.
Needs npm on the PATH, with whatever registry it is set up for.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

STATIC = Path(__file__).resolve().parent.parent / "static"
CELLS = [rf"`(?P<{cell}>[^`]*)`" for cell in ("name", "package", "member", "sha256")]
ROW = re.compile(r"^\| {} \| {} \| {} \| [^|]* \| {} \|$".format(*CELLS))


@dataclass(frozen=True)
class Vendored:
    """One file: its name in static/vendor/, and where it comes from (`package` as name@version)."""

    name: str
    package: str
    member: str
    sha256: str

    @property
    def path(self) -> Path:
        return STATIC / "vendor" / self.name


def listed() -> list[Vendored]:
    """The rows of the table in static/VENDORED.md."""
    lines = (STATIC / "VENDORED.md").read_text(encoding="utf-8").splitlines()
    return [Vendored(**row.groupdict()) for line in lines if (row := ROW.match(line))]


def wrong(file: Vendored) -> str | None:
    """What is wrong with the file in static/vendor/, or None."""
    if not file.path.exists():
        return f"{file.name} is missing"
    found = hashlib.sha256(file.path.read_bytes()).hexdigest()
    return None if found == file.sha256 else f"{file.name} has SHA-256 {found}, listed is {file.sha256 or 'none'}"


def fetch(file: Vendored) -> None:
    """Write the file from its package."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", "--pack-destination", folder, file.package]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        (archive,) = Path(folder).glob("*.tgz")
        with tarfile.open(archive) as package:
            member = package.extractfile(f"package/{file.member}")
            assert member is not None, f"{file.package} has no file {file.member}"
            file.path.parent.mkdir(parents=True, exist_ok=True)
            file.path.write_bytes(member.read())


def main() -> None:
    """Fetch unless told to check; exit with the list of files that are not as listed."""
    if "--check" not in sys.argv[1:]:
        for file in listed():
            if wrong(file):
                fetch(file)
    problems = [problem for file in listed() if (problem := wrong(file))]
    if problems:
        sys.exit("\n".join(problems))
    print(f"All {len(listed())} files are as listed in static/VENDORED.md")


if __name__ == "__main__":
    main()

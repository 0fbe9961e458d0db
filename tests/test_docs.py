"""Documentation that can be checked is: settings, links, commands, the application's card, vendored files."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from b24app.config import Settings
from install import vendor

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "static/VENDORED.md", *sorted((ROOT / "docs").glob("*.md"))]


class Asked(Mapping[str, str]):
    """An environment that remembers what it was asked for."""

    def __init__(self, values: dict[str, str]) -> None:
        self.values_, self.names = values, set[str]()

    def __getitem__(self, name: str) -> str:
        self.names.add(name)
        return self.values_[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values_)

    def __len__(self) -> int:
        return len(self.values_)


def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8")


def settings_that_are_read() -> set[str]:
    environment = Asked(
        {"SECRET_KEY": "s" * 48, "TOKEN_KEYS": Fernet.generate_key().decode(), "APP_URL": "https://booking.example.com"}
    )
    Settings.from_env(environment)
    return environment.names


def settings_table() -> dict[str, str]:
    """Every documented setting with its default cell."""
    table, _, _ = read("docs/settings.md").partition("## For developers")
    return dict(re.findall(r"^\| `([A-Z_]+)` \| ([^|]*) \|", table, re.MULTILINE))


def test_every_setting_is_documented_and_no_other() -> None:
    assert sorted(settings_table()) == sorted(settings_that_are_read())


def test_documented_defaults_are_the_real_ones() -> None:
    real = Settings(secret_key="", token_keys=(), app_url="")
    for name, cell in settings_table().items():
        default = getattr(real, name.lower())
        shown = {tuple: ",".join, bool: int, float: int}.get(type(default), str)(default)  # type: ignore[operator]
        assert cell == f"`{shown}`" or not default, name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_between_pages_lead_somewhere(page: Path) -> None:
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.+)$", linked.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_readme_names_every_make_target() -> None:
    (phony,) = re.findall(r"^\.PHONY: (.+)$", read("Makefile"), re.MULTILINE)
    targets = set(phony.split()) - {"browser"}
    assert targets == set(re.findall(r"^\| `make (\w+)` \|", read("README.md"), re.MULTILINE))


@pytest.mark.parametrize("page", ["README.md", "docs/local-application.md"])
def test_card_to_fill_in_agrees_with_the_manifest(page: str) -> None:
    text, manifest = read(page), json.loads(read("app.manifest.json"))
    handlers = [manifest["handlers"]["main"], manifest["handlers"]["installer"]]
    assert re.findall(r"`https://[^/`]+(/b24/\w+)`", text) == handlers
    rows = [line for line in text.splitlines() if "Assign permissions" in line or line.count("|") == 5]
    assert sorted(re.findall(r"`([a-z_]+)`", "".join(rows))) == sorted(manifest["scopes"])


def test_vendored_files_are_as_listed() -> None:
    listed = vendor.listed()
    assert [problem for file in listed if (problem := vendor.wrong(file))] == []
    assert {file.name for file in listed} == {path.name for path in (ROOT / "static/vendor").iterdir()}


def test_changed_vendored_file_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (file, *_) = vendor.listed()
    copy = tmp_path / "vendor" / file.name
    copy.parent.mkdir()
    copy.write_bytes(file.path.read_bytes() + b"\n")
    monkeypatch.setattr(vendor, "STATIC", tmp_path)
    assert "has SHA-256" in (vendor.wrong(file) or "")
    copy.unlink()
    assert vendor.wrong(file) == f"{file.name} is missing"


def test_every_package_is_pinned_exactly() -> None:
    pin = re.compile(r"[\w.-]+(\[[\w,]+\])?==[\w.]+")
    for name in ("requirements.txt", "requirements-dev.txt", "constraints.txt"):
        lines = [line for line in read(name).splitlines() if line and not line.startswith(("#", "-r", "-c"))]
        assert [line for line in lines if not pin.fullmatch(line)] == [], name

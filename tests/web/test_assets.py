"""Our scripts and sheets on their way to a browser: one file each, small, named after what is in it."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest

from b24app.web import assets
from tests.stand import MANAGER
from tests.web.conftest import Installed

STATIC = Path(__file__).parents[2] / "static"
ALONE = {"install.js", "again.js", "print.js", "install.css", "print.css"}  # of pages that have nothing else
GZIPPED_AT_MOST = 25_000


@pytest.fixture
def addresses(installed: Installed) -> dict[str, str]:
    """Where the page has them, by kind."""
    text = installed.open(MANAGER).page.text
    return {one.rpartition(".")[2]: one for one in re.findall(r'"(/assets/[^"]+)"', text)}


def test_a_page_has_one_script_and_one_sheet_of_ours(installed: Installed) -> None:
    text = installed.open(MANAGER).page.text
    ours = [one for one in re.findall(r'<(?:script|link)[^>]*(?:src|href)="([^"]+)"', text) if "vendor" not in one]
    assert sorted(one.rpartition(".")[2] for one in ours if one.startswith("/assets/")) == ["css", "js"]
    assert [one.partition("?")[0] for one in ours if not one.startswith("/assets/")] == ["/static/again.js"]


def test_every_source_is_in_it_or_stands_alone() -> None:
    ours = {f"{name}.js" for name in assets.SCRIPTS} | {f"{name}.css" for name in assets.SHEETS}
    there = {file.name for kind in ("js", "css") for file in STATIC.glob(f"*.{kind}")}
    assert there == ours | ALONE


def test_it_is_what_the_sources_say_in_their_order(installed: Installed, addresses: dict[str, str]) -> None:
    script = installed.stand.client.get(addresses["js"])
    assert script.content_type == "text/javascript; charset=utf-8"
    given = [script.text.index(f"window.{name}=") for name in ("page", "board", "drag")]
    assert given == sorted(given)
    assert "//" not in re.sub(r"https?://", "", re.sub(r"'[^'\n]*'|\"[^\"\n]*\"|`[^`]*`", "", script.text))
    sheet = installed.stand.client.get(addresses["css"])
    assert sheet.content_type == "text/css; charset=utf-8"
    assert "/*" not in sheet.text


def test_it_is_small_and_kept_for_good(installed: Installed, addresses: dict[str, str]) -> None:
    answer = installed.stand.client.get(addresses["js"])
    assert "immutable" in answer.headers["Cache-Control"]
    assert len(gzip.compress(answer.data, 6)) <= GZIPPED_AT_MOST


def test_another_version_is_answered_and_not_kept(installed: Installed) -> None:
    """A page of the new version may ask a process that still runs the old one."""
    answer = installed.stand.client.get("/assets/0123456789abcdef.js")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert installed.stand.client.get("/assets/0123456789abcdef.txt").status_code == 404


def test_its_name_changes_with_what_is_in_it(tmp_path: Path) -> None:
    source = tmp_path / "one.js"
    names = set()
    for text in ("let a = 1;", "let a = 2;", "let a = 2; // said"):
        source.write_text(text)
        names.add(assets.bundle([source], str.strip, "", "text/javascript").version)
    assert len(names) == 3


def test_a_space_before_a_colon_selects_what_is_inside_also_in_a_container() -> None:
    small = assets.sheet("@container (max-width:9px){.day[aria-pressed=true] :is(b, i){color:#fff}}")
    assert small == "@container (max-width:9px){.day[aria-pressed=true] *:is(b,i){color:#fff}}"

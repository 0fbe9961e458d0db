"""Keeps the Russian catalogue in step with the texts of the source.

    python install/translations.py            adds new texts to messages.po, drops old ones, compiles messages.mo
    python install/translations.py --check    says what is missing, and whether messages.mo is that of messages.po

Texts are English and stand in `_()`, `gettext()`, `ngettext()` and, in b24app/messages.py, in `N_()` and `NN_()`.
Whoever adds one runs this, fills in the empty `msgstr` in b24app/translations/ru/LC_MESSAGES/messages.po and runs it
again.
"""

from __future__ import annotations

import io
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).resolve().parent.parent
RUSSIAN = ROOT / "b24app" / "translations" / "ru" / "LC_MESSAGES" / "messages.po"
SOURCES = (("b24app", [("**.py", "python")]), ("templates", [("**.html", "jinja2")]))
DATE = datetime(2026, 1, 1, tzinfo=UTC)  # goes into messages.mo, which must not change with the clock
KEYWORDS = {**DEFAULT_KEYWORDS, "N_": None, "NN_": (1, 2)}


def extracted() -> Catalog:
    """Every text of the source, untranslated."""
    catalog = Catalog(charset="utf-8")
    for folder, methods in SOURCES:
        options: dict[str, Any] = {pattern: {"silent": "false"} for pattern, _ in methods}
        found = extract_from_dir(str(ROOT / folder), methods, options, keywords=KEYWORDS)
        for _, _, message, _, _ in found:
            catalog.add(message)
    return catalog


def kept() -> Catalog:
    """The Russian catalogue as it stands in the repository."""
    catalog = read_po(io.BytesIO(RUSSIAN.read_bytes()), locale="ru")
    catalog.creation_date = catalog.revision_date = DATE
    return catalog


def merged(texts: Catalog, known: Catalog) -> Catalog:
    """All texts of the source, with the translations that are known."""
    result = Catalog(locale="ru", project="b24app", version="1", charset="utf-8", fuzzy=False)
    for message in sorted((one for one in texts if one.id), key=key):
        old = known.get(message.id)
        result.add(message.id, old.string if old else "", flags=message.flags)
    return result


def key(message: Message) -> str:
    return message.id if isinstance(message.id, str) else message.id[0]


def untranslated(catalog: Catalog) -> list[str]:
    """The texts without a complete Russian one."""
    return [key(one) for one in catalog if one.id and not all(forms(one))]


def forms(message: Message) -> tuple[str, ...]:
    """What is said: one text, or one for each plural form."""
    return (message.string,) if isinstance(message.string, str) else tuple(message.string or ("",))


def as_po(catalog: Catalog) -> str:
    """The file, without dates: they would change with every run."""
    file = io.BytesIO()
    write_po(file, catalog, width=116, no_location=True)
    lines = file.getvalue().decode().splitlines()
    dropped = ('"POT-Creation', '"PO-Revision', '"Report-Msgid', '"Last-Translator', '"Generated-By', '"Language-Team')
    words = [line for line in lines if not line.startswith((*dropped, "# "))]
    return "# Russian words of the application; English, the source, is in the code and the templates.\n" + "\n".join(
        line for line in words if line != "#"
    )


def as_mo(catalog: Catalog) -> bytes:
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def problems() -> list[str]:
    """What is wrong with the files in the repository."""
    known = kept()
    found = [f"no Russian for: {text}" for text in untranslated(merged(extracted(), known))]
    if as_mo(known) != RUSSIAN.with_suffix(".mo").read_bytes():
        found.append("messages.mo was not made from messages.po")
    return found


def main() -> int:
    if "--check" not in sys.argv[1:]:
        RUSSIAN.write_text(as_po(merged(extracted(), kept())) + "\n", encoding="utf-8")
        RUSSIAN.with_suffix(".mo").write_bytes(as_mo(kept()))
    found = problems()
    print("\n".join(found) or "complete")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())

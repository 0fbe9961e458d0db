"""How long a table of two thousand resources takes: looking at it, saying yes, having it."""

from __future__ import annotations

import io
import re
import time

from flask import Flask

from b24app.booking.importing_xlsx import write_workbook

ROWS = 2000
WRONG = 40
AGREED = re.compile(r'data-agreed="([^"]+)"')


def table(first: int) -> bytes:
    """A workbook with forty cells that are wrong; `first` makes its names others than those of the one before."""
    heading = ["Название", "Вид", "Город", "Вместимость", "Часы", "Шаг"]
    rows = [
        [f"Комната {first + n}", "Переговорная", "Москва", "6" if n % (ROWS // WRONG) else "много", "Пн–Пт 9–18", "30"]
        for n in range(ROWS)
    ]
    return write_workbook({"Ресурсы": [heading, *rows]})


def seconds(app: Flask, headers: dict[str, str], first: int) -> float:
    """From the first byte of the file to the last of the answer, both requests."""
    client, data = app.test_client(), table(first)
    began = time.perf_counter()
    seen = client.post("/app/import/preview", data={"file": (io.BytesIO(data), "table.xlsx")}, headers=headers)
    agreed = AGREED.search(seen.text)
    assert agreed, seen.text[:500]
    form = {"file": (io.BytesIO(data), "table.xlsx"), "agreed": agreed[1]}
    done = client.post("/app/import/write", data=form, headers=headers).text
    assert "import-done" in done, done[-500:]
    return time.perf_counter() - began

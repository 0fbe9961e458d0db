// The month and the week of several: a click on a day opens it, a cell that is pointed at tells what is free.
(() => {
  "use strict";

  const { $, load, send } = window.page;
  const LINGER = 150; // ms that a pointer stays before anything is asked for

  const dayOf = (cell) => {
    if (cell.dataset.day) return cell.dataset.day;
    const row = cell.closest(".mrow"), first = row?.parentElement.closest(".month")?.dataset.first;
    const number = row ? [...row.children].indexOf(cell) - 1 : -1;
    return first && number >= 0 && cell.matches("a") ? window.board.shifted(first, number) : null;
  };

  function go(address, name, value, row) {
    const url = new URL(address, location.href);
    url.searchParams.set(name, value);
    load(url.pathname + url.search, "#board", "outerMorph").then(() => {
      if (row) document.getElementById(`r${row}`)?.scrollIntoView({ block: "nearest" });
    });
  }

  document.addEventListener("click", (event) => {
    const grid = event.target.closest?.("#board [data-go]");
    if (!grid || event.target.closest("a.b, button[hx-get]")) return;
    const name = event.target.closest(".wname"), row = event.target.closest("[role=row]");
    hide();
    if (name && grid.dataset.one) return go(grid.dataset.one, "resource", row.dataset.r);
    const cell = event.target.closest(".month a[role=gridcell], [data-day]"), day = cell && dayOf(cell);
    if (day) go(grid.dataset.go, "day", day, row?.dataset.r || row?.id.slice(1));
  });

  // ── what a cell of the month tells ────────────────────────────────────────────────────────────────────────────────

  const told = new Map();
  let waiting = 0, shown = null;

  function hide() {
    clearTimeout(waiting);
    shown = null;
    const tip = $("#cell-tip");
    if (tip) tip.hidden = true;
  }

  async function tell(cell) {
    const row = cell.closest(".mrow"), tip = $("#cell-tip"), day = dayOf(cell);
    if (!row?.dataset.r || !tip || !day) return;
    const url = new URL(row.closest(".month").dataset.cell, location.href), tag = $("#board").dataset.tag;
    url.searchParams.set("resource", row.dataset.r);
    url.searchParams.set("day", day);
    const key = tag + url;
    shown = cell;
    if (!told.has(key)) {
      if (told.size > 500) told.clear();
      const answer = await send(url, { headers: {} }).catch(() => null);
      if (!answer?.ok) return;
      told.set(key, await answer.text());
    }
    if (shown !== cell || !cell.isConnected) return;
    tip.innerHTML = told.get(key); // our own fragment: what people wrote is escaped in it
    tip.hidden = false;
    place(tip, cell.getBoundingClientRect());
    cell.setAttribute("aria-describedby", "cell-tip");
  }

  // Below the cell, above it where there is no room; never outside of the frame.
  function place(tip, at) {
    const width = tip.offsetWidth, height = tip.offsetHeight;
    const left = Math.max(8, Math.min(at.left + at.width / 2 - width / 2, document.documentElement.clientWidth - width - 8));
    const below = at.bottom + 6;
    tip.style.setProperty("left", `${left}px`);
    tip.style.setProperty("top", `${below + height < innerHeight - 4 || at.top < height ? below : at.top - height - 6}px`);
  }

  const cellAt = (event) => event.target.closest?.("#board .month a[role=gridcell]");
  document.addEventListener("pointerover", (event) => {
    const cell = cellAt(event);
    if (cell === shown) return;
    hide();
    if (cell) waiting = setTimeout(tell, LINGER, cell);
  });
  document.addEventListener("focusin", (event) => {
    const cell = cellAt(event);
    hide();
    if (cell) waiting = setTimeout(tell, LINGER, cell);
  });
  document.addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });

  // ── today is in sight, where days go beyond the edge ──────────────────────────────────────────────────────────────

  let seen = "";
  function showToday() {
    const board = $("#board"), grid = $("#grid"), today = grid && $("[role=columnheader][aria-current=date]", grid);
    const key = board && `${board.dataset.view} ${board.dataset.previous}`;
    if (!today || key === seen) return;
    seen = key;
    const rail = today.parentElement.firstElementChild.offsetWidth;
    grid.scrollLeft = today.offsetLeft - rail;
  }
  document.addEventListener("htmx:after:swap", showToday);
  showToday();
  document.addEventListener("scroll", hide, true);
})();

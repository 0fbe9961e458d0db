// Keeps the board up to date without disturbing anybody: asks again, shows what is new, lets the clock walk on.
(() => {
  "use strict";

  const { $, MINUTE, refresh, visible } = window.page;
  const { clock, minuteNow, clear } = window.board;

  const idle = () => visible() && !window.drag.busy && !$("#panel").open;
  setInterval(() => idle() && refresh(["tab"]), 30_000);
  setInterval(() => idle() && refresh(["board"]), 5000); // usually answered with 304
  setInterval(() => idle() && $("#board [data-calendars]") && htmx.trigger($("#board [data-calendars]"), "b24:calendars"), 120_000);

  // ── what changes with the clock and with answers ──────────────────────────────────────────────────────────────────

  // "Now" is drawn by the server; here it only walks on.
  setInterval(() => {
    if (!visible() || !$(".nowline")) return;
    const minute = minuteNow();
    for (const mark of document.querySelectorAll(".nowline,.nowt")) {
      mark.style.setProperty("--s", minute / 15);
      mark.style.setProperty("--m", 0);
    }
    $(".nowt").textContent = clock(minute).padStart(5, "0");
  }, MINUTE);

  // A board that came anew shows which bookings were not on it a moment ago.
  let seen = null;
  const bookings = () => [...document.querySelectorAll("#board a.b:not(.cnt-u)")];
  document.addEventListener("htmx:before:swap", () => {
    const numbers = new Set(bookings().map((block) => block.hash));
    seen = $("#board .board") ? { board: $("#board").getAttribute("hx-get"), numbers } : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    const input = $("#day-input");
    if (input) input.value = input.getAttribute("value");
    if (seen && $("#board")?.getAttribute("hx-get") === seen.board) {
      for (const block of bookings()) {
        if (seen.numbers.has(block.hash)) continue;
        block.classList.add("is-new");
        setTimeout(() => block.classList.remove("is-new"), 8000);
      }
    }
    for (const block of document.querySelectorAll("#board .b[title]")) block.removeAttribute("title");
  });

  document.addEventListener("b24:changed", (event) => {
    if (event.detail?.number) clear();
    refresh();
  });
})();

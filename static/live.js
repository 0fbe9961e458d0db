// Keeps the board up to date without disturbing anybody: asks again, shows what is new, lets the clock walk on.
(() => {
  "use strict";

  const { $, words, MINUTE, refresh, visible, state } = window.page;
  const { grid, interval, clock, minuteNow, settle } = window.board;

  // ── asking again: every 5 s while somebody looks, ever more seldom while nobody answers ──────────────────────────

  const PACE = 5000, SLOWEST = MINUTE, STALE = 3 * MINUTE;
  let pace = PACE, fresh = Date.now(), next = 0;

  const due = (ids) => visible() && !window.drag.busy && refresh(ids);
  function look() {
    clearTimeout(next);
    next = setTimeout(look, pace);
    due(["board"]); // usually answered with 304
  }
  const soon = () => { pace = PACE; look(); };
  next = setTimeout(look, PACE);
  setInterval(() => pace === PACE && due(["tab"]), 30_000);
  setInterval(() => {
    const calendars = $("#board [data-calendars]");
    if (visible() && calendars) htmx.trigger(calendars, "b24:calendars");
  }, 120_000);
  document.addEventListener("visibilitychange", () => visible() && soon());
  // Where somebody wanted to go while there was no connection: there he goes when it is back.
  let missed = "";
  document.addEventListener("htmx:error", (event) => {
    const { sourceElement, target, request } = event.detail.ctx ?? {};
    if (target?.id === "board" && sourceElement.id !== "board") missed = request.action;
  });
  document.addEventListener("b24:online", () => {
    if (missed) htmx.ajax("GET", missed, { target: "#board", swap: "outerMorph" });
    missed = "";
    soon();
  });

  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement, target, response, status } = event.detail.ctx;
    if (sourceElement.id !== "board" && target?.id !== "board") return;
    if (response?.status < 400) {
      [pace, fresh] = [PACE, Date.now()];
      state("", ["stale"]);
    } else if (!/Abort/.test(status)) {
      pace = Math.min(SLOWEST, pace * 2);
      if (Date.now() - fresh > STALE) state("stale", undefined, { num: Math.floor((Date.now() - fresh) / MINUTE) });
    }
  });

  // What arrives while a block is being dragged waits: the next look brings it. And what was asked for before somebody
  // went to another day comes too late.
  document.addEventListener("htmx:before:response", (event) => {
    const { sourceElement, request } = event.detail.ctx;
    if (sourceElement.id !== "board") return;
    const { pathname, search } = new URL(sourceElement.getAttribute("hx-get"), location.href);
    if (window.drag.busy || request.action !== pathname + search) event.preventDefault();
  });
  document.addEventListener("b24:let-go", look);

  // ── what changes with the clock ───────────────────────────────────────────────────────────────────────────────────

  // "Now" is drawn by the server; here it only walks on.
  function walk() {
    for (const mark of document.querySelectorAll("#board :is(.nowline,.nowt,.nowv)")) {
      const minute = minuteNow(mark.closest(".lane"));
      mark.style.setProperty("--s", minute / 15);
      mark.style.setProperty("--m", 0);
      if (mark.matches(".nowt")) mark.textContent = clock(minute).padStart(5, "0");
    }
  }

  // Which bookings are running, and how far they are.
  function progress() {
    const today = [...document.querySelectorAll("#board .lane")].filter((lane) => minuteNow(lane) >= 0 && minuteNow(lane) < 1500);
    for (const lane of today) {
      const now = minuteNow(lane);
      for (const block of lane.querySelectorAll(".b:is(.conf,.paid)")) {
        const { start, end } = interval(block), runs = start <= now && now < end;
        if (runs !== block.classList.contains("runs")) block.classList.toggle("runs", runs);
        if (runs) block.style.setProperty("--past", `${Math.round(100 * (now - start) / (end - start))}%`);
      }
    }
  }

  // A hold says until when; in its last ten minutes how many are left. At the end the next look brings what it became.
  function countdown() {
    const pills = document.querySelectorAll("#board .b.hold i");
    if (!pills.length) return;
    const now = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: grid()?.dataset.zone });
    const [hour, minute] = now.format(new Date()).split(":").map(Number);
    for (const pill of pills) {
      pill.dataset.until ||= pill.textContent;
      const [till, minutes] = pill.dataset.until.split(":").map(Number);
      const left = till * 60 + minutes - hour * 60 - minute;
      if (!(left >= 0 && left <= 10)) continue;
      pill.classList.add("soon");
      pill.textContent = words.left.replace("{num}", Math.max(1, left));
    }
  }

  function tick() {
    if (!visible() || !grid()?.dataset.zone) return;
    walk();
    progress();
    countdown();
  }
  setInterval(tick, MINUTE / 4);
  tick();

  // ── a board that came anew ────────────────────────────────────────────────────────────────────────────────────────

  // It shows which bookings were not on it a moment ago.
  let seen = null, focused = null;
  const bookings = () => [...document.querySelectorAll("#board a.b:not(.cnt-u)")];
  const ofBoard = (event) => event.detail.ctx?.target?.matches?.("#board,#view");
  document.addEventListener("htmx:before:swap", (event) => {
    const active = document.activeElement, box = active?.closest("#board,#tab,#view,#panel");
    focused = box && { id: active.id, box: box.id };
    if (!ofBoard(event)) return;
    const numbers = new Set(bookings().map((block) => block.hash));
    seen = grid() ? { board: $("#board").getAttribute("hx-get"), numbers } : null;
  });
  document.addEventListener("htmx:after:swap", (event) => {
    keepFocus(grid());
    if (ofBoard(event)) came();
  });

  function came() {
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
    tick();
    document.dispatchEvent(new CustomEvent("b24:boarded"));
  }

  // Where the focus stood is gone: its successor takes it, or the board.
  function keepFocus(successor) {
    if (document.activeElement === document.body && focused && !$("#panel").open) successor?.focus?.({ preventScroll: true });
  }
  document.addEventListener("htmx:after:swap", () => keepFocus(document.getElementById(focused?.id || "-")), true);
  $("#panel").addEventListener("close", () => setTimeout(() => {
    if (document.activeElement === document.body) grid()?.focus({ preventScroll: true });
  }));

  // A menu that somebody has opened stays open when the board below it comes anew.
  htmx.registerExtension("opened", {
    htmx_before_morph_attr: (element, { attrName }) => !(attrName === "open" && element.matches("details,dialog")),
  });

  // An open form is told again whether its time is free: before it is sent, and without touching what is typed in it.
  document.addEventListener("b24:boarded", () => {
    const choice = $("#panel-body form:not(.htmx-request) #choice");
    if (choice) htmx.trigger(choice, "change", {}, false);
  });

  document.addEventListener("b24:changed", (event) => {
    if (event.detail?.number) settle(event.detail.number);
    if (!window.drag.busy) refresh();
  });
})();

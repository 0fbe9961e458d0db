// What the pages do beyond htmx: the portal's token and our bearer on every request, the board under pointer and
// keyboard, the panel beside it. No build step, no inline code: the content security policy forbids it.
(() => {
  "use strict";

  const words = JSON.parse(document.body.dataset.words);
  const $ = (selector, root = document) => root.querySelector(selector);
  const bearer = { value: "", until: 0 };
  const MINUTE = 60_000;

  // ── the portal: its SDK, its token, our bearer ────────────────────────────────────────────────────────────────────

  const meta = $('meta[name="b24-bearer"]');
  bearer.value = meta.content;
  bearer.until = Date.now() + Number(meta.dataset.expiresIn) * 1000;

  // Outside of a portal (no window.name) there is no SDK: the board still shows what our bearer allows.
  const portal = window.B24Js.initializeB24Frame().catch(() => null);
  let renewing = null;

  async function token() {
    const frame = await portal;
    if (!frame) return null;
    return frame.auth.getAuthData() || (await frame.auth.refreshAuth());
  }

  // The portal gives a fresh token, the server verifies it anew and signs a new bearer.
  async function renew() {
    const frame = await portal;
    if (!frame) return;
    const auth = await frame.auth.refreshAuth();
    const form = new URLSearchParams({ refresh_token: auth.refresh_token, expires_in: auth.expires_in || "" });
    const answer = await fetch(document.body.dataset.renew, {
      method: "POST", body: form, headers: { Authorization: `Bearer ${bearer.value}`, "X-B24-Token": auth.access_token },
    });
    if (!answer.ok) throw new Error(`renew: ${answer.status}`);
    const fresh = await answer.json();
    bearer.value = fresh.bearer;
    bearer.until = Date.now() + fresh.expires_in * 1000;
  }

  function fresh() {
    if (Date.now() < bearer.until - 2 * MINUTE) return Promise.resolve();
    renewing ||= renew().finally(() => { renewing = null; });
    return renewing.catch(() => {
      if (Date.now() >= bearer.until) toast(words.expired, { bad: true });
    });
  }

  async function send(url, request) {
    await fresh();
    const auth = await token().catch(() => null);
    request.headers = { ...request.headers, Authorization: `Bearer ${bearer.value}` };
    if (auth) request.headers["X-B24-Token"] = auth.access_token;
    return fetch(url, request);
  }

  // The board carries its own tag: when it would look the same, the server answers 304, and it is left as it is.
  document.addEventListener("htmx:config:request", (event) => {
    const ctx = event.detail.ctx;
    ctx.fetch = send;
    if (ctx.sourceElement.id === "board") ctx.request.headers["If-None-Match"] = `"${ctx.sourceElement.dataset.tag}"`;
  });
  document.addEventListener("htmx:before:response", (event) => {
    if (event.detail.ctx.response.status !== 304) return;
    event.preventDefault();
    if ($("#updated")) $("#updated").textContent = clock((Date.now() / 1000 - Number(grid().dataset.origin)) / 60);
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) toast(words.offline, { bad: true, once: "offline" });
  });

  const visible = () => document.visibilityState === "visible";
  const beat = () => visible() && send(document.body.dataset.beat, { method: "POST", headers: {} }).catch(() => {});
  setInterval(beat, 20_000);
  setTimeout(beat, 1500);
  setInterval(() => visible() && fresh(), MINUTE);

  // ── size of the frame ─────────────────────────────────────────────────────────────────────────────────────────────

  // The board scrolls inside itself: it takes what the frame has left, or what a screen can show beside the portal's
  // own parts, whichever is more. So there is one scrollbar, and the hours stay in sight.
  function capBoard() {
    const left = grid() ? window.innerHeight - grid().getBoundingClientRect().top - 44 : 0;
    document.documentElement.style.setProperty("--cap", `${Math.max(420, screen.availHeight - 330, left)}px`);
  }
  let fits = false;

  async function start() {
    capBoard();
    const frame = await portal;
    if (!frame) return;
    if (frame.placement.isSliderMode) {
      document.body.firstElementChild.classList.add("own-scroll");
      document.documentElement.style.removeProperty("--cap");
    } else {
      fits = true;
      fit();
      new ResizeObserver(fit).observe(document.body.firstElementChild);
    }
    if (document.body.dataset.place === "CALENDAR_GRIDVIEW") followCalendar(frame);
  }

  let fitting = 0;
  function fit() {
    if (!fits) return;
    clearTimeout(fitting);
    fitting = setTimeout(async () => {
      await (await portal).parent.fitWindow().catch(() => {});
      // A pixel lost by rounding is no reason for a scrollbar.
      const lost = document.documentElement.scrollHeight - window.innerHeight;
      document.documentElement.classList.toggle("fitted", lost <= 2);
    }, 50);
  }

  // The calendar keeps our frame when the period changes and only tells us.
  function followCalendar(frame) {
    const go = (step) => () => goTo(shifted($("#board").dataset.day, step));
    const events = {
      decreaseViewRangeDate: go(-1), increaseViewRangeDate: go(1), refreshEntries: () => refresh(),
      adjustToDate: (day) => /^\d{4}-\d\d-\d\d$/.test(day) && goTo(day),
    };
    for (const [name, act] of Object.entries(events)) {
      // The first event within 900 ms resolves the promise instead of calling back.
      frame.placement.bindEvent(`Calendar.customView:${name}`, act)
        .then((first) => first && first.isSafely !== true && act(first)).catch(() => {});
    }
  }

  // ── the board ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const grid = () => $("#board .board");
  const rows = () => [...document.querySelectorAll("#board .brow[id]")];
  const quarter = (element, name) => Number(getComputedStyle(element).getPropertyValue(name)) || 0;
  const shifted = (day, step) => {
    const date = new Date(`${day}T12:00:00Z`);
    date.setUTCDate(date.getUTCDate() + step);
    return date.toISOString().slice(0, 10);
  };

  // Requests outside of an element's own are sent by the body, after the one before.
  const load = (url, target, swap = "innerHTML") => htmx.ajax("GET", url, { target, swap });
  function goTo(day) {
    const url = new URL($("#board").getAttribute("hx-get"), location.href);
    url.searchParams.set("day", day);
    load(url.pathname + url.search, "#board", "outerMorph");
  }

  function refresh(ids = ["board", "tab"]) {
    for (const id of ids) {
      const element = document.getElementById(id);
      if (element) htmx.trigger(element, "b24:refresh");
    }
  }

  const idle = () => visible() && !drag && !$("#panel").open;
  setInterval(() => idle() && refresh(["tab"]), 30_000);
  setInterval(() => idle() && refresh(["board"]), 5000); // usually answered with 304
  setInterval(() => idle() && $("#board [data-calendars]") && htmx.trigger($("#board [data-calendars]"), "b24:calendars"), 120_000);

  // Minutes after the axis' midnight: elements say quarters in --s and --n, odd minutes in --m and --p.
  const interval = (element) => {
    const start = Math.round((quarter(element, "--s") + quarter(element, "--m")) * 15);
    return { start, end: start + Math.round((quarter(element, "--n") + quarter(element, "--p")) * 15), element };
  };
  // What keeps free time from being offered: not a request, which holds nothing; of several places only when all are taken.
  function obstacles(lane) {
    const closed = [...lane.querySelectorAll(".shut,.clos,.full")].map(interval);
    const taken = [...lane.querySelectorAll(".b:not(.req,.clos,.cnt-u),.buf")].map(interval);
    const places = Number(lane.dataset.places || 1);
    return [...closed, ...(places > 1 ? together(taken, places) : taken)].sort((a, b) => a.start - b.start);
  }
  function together(taken, places) {
    const edges = [...new Set(taken.flatMap((one) => [one.start, one.end]))].sort((a, b) => a - b);
    return edges.slice(1).map((end, n) => ({ start: edges[n], end }))
      .filter((part) => taken.filter((one) => one.start < part.end && part.start < one.end).length >= places);
  }
  const epoch = (minutes) => Number(grid().dataset.origin) + minutes * 60;

  function clock(minutes) {
    const format = new Intl.DateTimeFormat("ru", { hour: "numeric", minute: "2-digit", timeZone: grid().dataset.zone });
    return format.format(new Date(epoch(minutes) * 1000)).replace(/^0/, "");
  }
  const spell = (from, to) => `${clock(from)}–${clock(to)}`;

  // The free stretch around a minute of a lane, from now on; null where nothing can be booked.
  function stretch(lane, minute) {
    let start = 0, end = 25 * 60;
    for (const one of obstacles(lane)) {
      if (one.start <= minute && minute < one.end) return null;
      if (one.end <= minute) start = Math.max(start, one.end);
      else end = Math.min(end, one.start);
    }
    const passed = (Date.now() / 1000 - Number(grid().dataset.origin)) / 60;
    if (passed >= end || minute < Math.floor(passed / 5) * 5 - stepOf(lane)) return null;
    return { start: passed > start ? snap(lane, passed, Math.ceil) : start, end };
  }
  const stepOf = (lane) => Number(lane.dataset.step);
  // Steps are counted on the resource's own clock, which may be ahead of the axis.
  function snap(lane, minute, round) {
    const step = stepOf(lane), ahead = Number(lane.dataset.ahead || 0);
    return round((minute + ahead) / step) * step - ahead;
  }

  function minuteAt(lane, x) {
    const box = lane.getBoundingClientRect(), board = grid().dataset;
    return Number(board.from) * 15 + ((x - box.left) / box.width) * Number(board.span) * 15;
  }

  // The selection: a lane, from and to in minutes, drawn as a ghost.
  let chosen = null, drag = null;

  function choose(lane, from, to, say = false) {
    if (chosen && chosen.lane !== lane) clear();
    const ghost = chosen?.ghost?.isConnected ? chosen.ghost : document.createElement("span");
    ghost.className = "ghost";
    ghost.style.setProperty("--s", from / 15);
    ghost.style.setProperty("--n", (to - from) / 15);
    ghost.textContent = spell(from, to);
    if (!ghost.isConnected) lane.append(ghost);
    chosen = { lane, from, to, ghost };
    if (say) announce(`${nameOf(lane)}, ${spell(from, to)}, ${words.free}`);
  }

  function clear() {
    chosen?.ghost?.remove();
    document.querySelectorAll(".b.is-focus").forEach((block) => block.classList.remove("is-focus"));
    chosen = null;
  }

  const nameOf = (lane) => $(".res b", lane.parentElement).textContent;
  const announce = (text) => { $("#said").textContent = text; };

  function bookChosen() {
    const { lane, from, to } = chosen;
    const url = new URL($("#board").dataset.new, location.href);
    const chosenTime = { resource: lane.dataset.r, start: epoch(from), end: epoch(to), day: $("#board").dataset.day };
    for (const [name, value] of Object.entries(chosenTime)) url.searchParams.set(name, value);
    load(url.pathname + url.search, "#panel-body");
  }

  // A press takes an hour, or what is free of it; dragging sets the length.
  const usual = (lane, free, from) => Math.min(free.end, from + Math.max(stepOf(lane), 60));

  document.addEventListener("pointerdown", (event) => {
    const lane = event.target.closest?.("#board .lane[data-r]");
    if (!lane || event.button || event.target.closest(".b")) return;
    const minute = minuteAt(lane, event.clientX), free = stretch(lane, minute);
    if (!free) return;
    const from = Math.max(free.start, snap(lane, minute, Math.floor));
    if (from + stepOf(lane) > free.end) return;
    drag = { lane, free, from, x: event.clientX, moved: false, touch: event.pointerType === "touch" };
    if (!drag.touch) { event.preventDefault(); grid().focus({ preventScroll: true }); }
    choose(lane, from, usual(lane, free, from));
  });

  document.addEventListener("pointermove", (event) => {
    if (!drag || drag.touch || (!drag.moved && Math.abs(event.clientX - drag.x) < 6)) return;
    drag.moved = true;
    const { lane, free, from } = drag, step = stepOf(lane), at = minuteAt(lane, event.clientX);
    const to = at >= from ? Math.min(free.end, Math.max(from + step, snap(lane, at, Math.ceil))) : from + step;
    const start = at >= from ? from : Math.max(free.start, snap(lane, at, Math.floor));
    choose(lane, start, to);
  });

  document.addEventListener("pointerup", (event) => {
    if (!drag) return;
    const scrolled = drag.touch && Math.abs(event.clientX - drag.x) > 10;
    drag = null;
    if (scrolled) clear();
    else if (chosen) bookChosen();
  });
  document.addEventListener("pointercancel", () => { drag = null; clear(); });

  document.addEventListener("click", (event) => {
    const block = event.target.closest?.("#board a.b");
    if (block) {
      event.preventDefault();
      load(addressOf(block.hash.slice(1)), "#panel-body");
    }
  });

  // A block leads to a booking by its number, one of a large pool to who has its places: at-resource-start-end.
  function addressOf(target) {
    const board = $("#board").dataset, [at, resource, start, end] = target.split("-");
    if (at !== "at") return board.number + target;
    return `${board.places}?${new URLSearchParams({ resource, start, end, day: board.day })}`;
  }

  // A block tells its time when pointed at: 2,000 titles would cost more than the board.
  document.addEventListener("pointerover", (event) => {
    const block = event.target.closest?.("#board .b");
    if (block && !block.title) {
      const { start, end } = interval(block);
      block.title = `${spell(start, end)} ${block.textContent}`;
    }
  });

  // ── the board by keyboard: one stop, arrows inside ────────────────────────────────────────────────────────────────

  const moves = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

  function keyed(event) {
    if (event.target !== grid() || event.ctrlKey || event.metaKey || event.altKey) return;
    const key = event.key;
    if (key in moves) event.shiftKey ? stretchTo(moves[key][1]) : step(...moves[key]);
    else if (key === "Home" || key === "End") edge(key === "End");
    else if (key === "PageUp" || key === "PageDown") goTo(shifted($("#board").dataset.day, key === "PageUp" ? -1 : 1));
    else if (key === "Enter") open();
    else if (key === "Escape") clear();
    else return;
    event.preventDefault();
  }

  function step(down, right) {
    const all = rows().map((row) => $(".lane", row));
    if (!all.length) return;
    const lane = chosen ? all[Math.min(all.length - 1, Math.max(0, all.indexOf(chosen.lane) + down))] : all[0];
    const from = chosen ? chosen.from : beginning();
    const length = Math.max(5, Number(lane.dataset.step) || 30);
    let to = from;
    if (right > 0) to = chosen?.block ? chosen.to : from + length;
    if (right < 0) to = from - length;
    point(lane, Math.min(last() - 5, Math.max(first(), to)));
  }

  const first = () => Number(grid().dataset.from) * 15;
  const last = () => first() + Number(grid().dataset.span) * 15;
  function beginning() {
    const passed = (Date.now() / 1000 - Number(grid().dataset.origin)) / 60;
    return passed > first() && passed < last() ? Math.floor(passed / 30) * 30 : first();
  }
  const edge = (end) => chosen && point(chosen.lane, end ? last() - (Number(chosen.lane.dataset.step) || 30) : first());

  // Stands on a booking, on free time or on closed time, and says which.
  function point(lane, minute) {
    clear();
    const on = [...lane.querySelectorAll(".b,.shut,.buf")].map(interval).find((one) => one.start <= minute && minute < one.end);
    if (on) {
      chosen = { lane, from: on.start < first() ? first() : on.start, to: on.end, block: on.element };
      if (on.element.matches(".b")) on.element.classList.add("is-focus");
      announce(`${nameOf(lane)}, ${spell(on.start, on.end)}, ${on.element.textContent || on.element.title}`);
    } else if (lane.dataset.r) {
      const from = snap(lane, minute, Math.floor), free = stretch(lane, minute);
      choose(lane, free ? Math.max(from, free.start) : from, Math.min(from + stepOf(lane), last()), Boolean(free));
      chosen.ghost.classList.toggle("no", !free);
      if (!free) announce(`${nameOf(lane)}, ${spell(chosen.from, chosen.to)}, ${words.past}`);
    } else {
      chosen = { lane, from: minute, to: minute + 30 };
      announce(`${nameOf(lane)}, ${clock(minute)}`);
    }
    (chosen.block || chosen.ghost || lane).scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function stretchTo(right) {
    if (!chosen?.ghost || !right) return;
    const free = stretch(chosen.lane, chosen.from), step = stepOf(chosen.lane);
    if (!free) return;
    choose(chosen.lane, chosen.from, Math.min(free.end, Math.max(chosen.from + step, chosen.to + right * step)), true);
  }

  function open() {
    if (chosen?.block?.matches("a")) chosen.block.click();
    else if (chosen?.ghost && !chosen.ghost.classList.contains("no")) bookChosen();
  }

  document.addEventListener("keydown", keyed);

  // ── what changes with the clock and with answers ──────────────────────────────────────────────────────────────────

  // "Now" is drawn by the server; here it only walks on.
  setInterval(() => {
    if (!visible() || !$(".nowline")) return;
    const minute = (Date.now() / 1000 - Number(grid().dataset.origin)) / 60;
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
    seen = grid() ? { board: $("#board").getAttribute("hx-get"), numbers } : null;
  });
  document.addEventListener("htmx:after:swap", () => {
    if (chosen && !chosen.lane.isConnected) chosen = null;
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
    showPanel();
  });

  document.addEventListener("b24:changed", (event) => {
    if (event.detail?.number) clear();
    refresh();
  });
  document.addEventListener("b24:saved", (event) => {
    closePanel();
    toast(words.saved.replace("{name}", event.detail.name));
  });

  // ── the panel ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const panel = $("#panel"), body = $("#panel-body");
  let shown = null, typed = false;

  async function showPanel() {
    const content = body.firstElementChild;
    if (!content || content === shown) return;
    shown = content;
    typed = false;
    document.body.classList.add("has-panel");
    if (!panel.open) {
      await place();
      if (!panel.open) panel.showModal();
    }
    const target = $("#problems", body) || $("[data-first]", body) || $("#panel-title", body);
    if (target && !target.matches("[tabindex],input,select,button")) target.tabIndex = -1;
    target?.focus({ preventScroll: true });
    if (target?.id === "problems") target.scrollIntoView({ block: "nearest" });
  }

  // A fitted frame may be taller than the window of the portal that shows it. An observer tells which part is in sight,
  // even from another site; the panel and the toasts stay inside of it.
  const inSight = () => new Promise((resolve) => {
    const observer = new IntersectionObserver(([entry]) => { observer.disconnect(); resolve(entry.intersectionRect); });
    observer.observe(document.documentElement);
  });

  async function place() {
    const sight = await inSight(), floats = sight.height < window.innerHeight - 4;
    const tall = Math.min(window.innerHeight, Math.max(sight.height, 480));
    const top = Math.max(0, Math.min(sight.top, window.innerHeight - tall));
    panel.classList.toggle("floats", floats);
    panel.style.setProperty("--top", `${top}px`);
    panel.style.setProperty("--tall", `${tall}px`);
  }
  addEventListener("resize", () => panel.open && place());

  const closePanel = () => panel.open && panel.close();
  panel.addEventListener("close", () => {
    body.replaceChildren();
    shown = null;
    document.body.classList.remove("has-panel");
    clear();
  });
  // A click beside the panel closes it, unless that would throw away what was typed.
  panel.addEventListener("input", () => { typed = true; });
  panel.addEventListener("mousedown", (event) => { if (event.target === panel && !typed) closePanel(); });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-close],[data-show],[data-hide],[data-fill],[data-set],[data-open],.why a,.nav a");
    if (!button) return;
    const act = button.dataset;
    if ("close" in act) closePanel();
    else if (act.show) reveal(act.show, true);
    else if (act.hide) reveal(act.hide, false);
    else if (act.fill) { fill(JSON.parse(act.fill), button.closest("form")); $("[type=submit]", button.closest("form")).focus(); }
    else if (act.set) fill(JSON.parse(act.set), button.closest("form"));
    else if (act.open) openInPortal(act.open);
    else if (button.matches(".why a")) { event.preventDefault(); focusField(button.hash.slice(1)); }
    else goToSection(button);
  });

  function goToSection(link) {
    $("[aria-current]", link.parentElement)?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "page");
  }

  function reveal(id, on) {
    const part = document.getElementById(id);
    part.hidden = !on;
    if (on) { part.scrollIntoView({ block: "nearest" }); ($("[data-first]", part) || $("button", part)).focus(); }
    else $(`[data-show="${id}"]`).focus();
  }

  // Puts a free time into the form; whatever is told about it hears of the change as if it had been typed.
  function fill(values, form) {
    const fields = Object.entries(values).filter(([name]) => form.elements[name]);
    for (const [name, value] of fields) form.elements[name].value = value;
    form.elements.start.dispatchEvent(new Event("change", { bubbles: true }));
  }

  function focusField(id) {
    const field = document.getElementById(id);
    field?.closest("details")?.setAttribute("open", "");
    field?.focus();
  }

  async function openInPortal(path) {
    const frame = await portal;
    if (frame) await frame.slider.openPath(frame.slider.getUrl(path)).catch(() => {});
  }

  document.addEventListener("change", (event) => {
    const field = event.target;
    if (field.id === "f-kind") {
      for (const part of document.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== field.value;
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.id === "day-input") event.target.showPicker?.();
  });

  // A button names the amount that was proposed; once another one is typed, it names none.
  panel.addEventListener("input", (event) => {
    const field = event.target;
    if (!field.matches("[data-amount]")) return;
    const button = $("[data-says]", field.form);
    if (button) button.textContent = field.value === field.defaultValue ? `${button.dataset.says} ${button.dataset.was}` : button.dataset.says;
  });

  // A time is plain text: the browser's own field would speak the browser's language. Arrows go by the step.
  document.addEventListener("keydown", (event) => {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    if (!way || !event.target.matches?.("[data-clock]")) return;
    const [hours, minutes] = event.target.value.split(/[:.]/).map(Number);
    if (Number.isNaN(hours)) return;
    event.preventDefault();
    const step = Number(event.target.dataset.clock) || 15;
    const day = 24 * 60, at = (hours * 60 + (minutes || 0) + way * step + day) % day;
    event.target.value = `${Math.floor(at / 60)}:${String(at % 60).padStart(2, "0")}`;
    event.target.dispatchEvent(new Event("change", { bubbles: true }));
  });

  // One more row like the last, which came empty from the server; in every name its number is the next one.
  document.addEventListener("click", (event) => {
    const rows = event.target.closest?.("[data-add]")?.previousElementSibling;
    if (!rows) return;
    const last = rows.lastElementChild, name = rows.dataset.rows, n = Number(last.dataset.row);
    const next = last.outerHTML.replaceAll(`${name}-${n}-`, `${name}-${n + 1}-`);
    last.insertAdjacentHTML("afterend", next.replace(`data-row="${n}"`, `data-row="${n + 1}"`));
    (rows.lastElementChild.matches("select") ? rows.lastElementChild : $("input,select", rows.lastElementChild)).focus();
  });

  // ── toasts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  // Good news leaves by itself, bad news stays until it is closed.
  function toast(text, { bad = false, once = "" } = {}) {
    if (once && $(`#toasts [data-once="${once}"]`)) return;
    const box = document.createElement("div"), button = document.createElement("button");
    box.className = bad ? "toast bad" : "toast";
    box.setAttribute("role", bad ? "alert" : "status");
    if (once) box.dataset.once = once;
    box.append(text, button);
    button.type = "button";
    button.textContent = "×";
    button.setAttribute("aria-label", words.close);
    button.addEventListener("click", () => box.remove());
    $("#toasts").append(box);
    inSight().then((sight) => $("#toasts").style.setProperty("bottom", `${innerHeight - sight.bottom + 16}px`));
    if (!bad) setTimeout(() => box.remove(), 8000);
  }

  start();
})();

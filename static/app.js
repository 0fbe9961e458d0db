// What every page of ours shares: the portal's token and our bearer on each request, the size of the frame, what is said
// to people. The other scripts take it from window.page. No build step, no inline code: the content security policy
// forbids it.
(() => {
  "use strict";

  const words = JSON.parse(document.body.dataset.words);
  const $ = (selector, root = document) => root.querySelector(selector);
  const bearer = { value: "", until: 0, tried: 0 };
  const MINUTE = 60_000, PATIENCE = 10_000;
  // While an administrator looks as somebody else: the ticket that says so, sent with everything but the renewal.
  let looking = "";
  document.addEventListener("b24:look", (event) => {
    looking = event.detail.ticket;
    document.addEventListener("htmx:after:swap", () => $(".app").scrollIntoView(), { once: true });
  });

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

  // The portal's window may be asleep and never answer.
  const within = (promise, ms) => Promise.race([promise, new Promise((_, fail) => setTimeout(fail, ms, new Error("no answer")))]);

  // The portal gives a fresh token, the server verifies it anew and signs a new bearer.
  async function renew() {
    const frame = await portal;
    if (!frame) return;
    const auth = await within(frame.auth.refreshAuth(), PATIENCE);
    const form = new URLSearchParams({ refresh_token: auth.refresh_token, expires_in: auth.expires_in || "" });
    const answer = await fetch(document.body.dataset.renew, {
      method: "POST", body: form, headers: { Authorization: `Bearer ${bearer.value}`, "X-B24-Token": auth.access_token },
    });
    if (!answer.ok) throw Object.assign(new Error(`renew: ${answer.status}`), { status: answer.status });
    const fresh = await answer.json();
    bearer.value = fresh.bearer;
    bearer.until = Date.now() + fresh.expires_in * 1000;
  }

  // Whether our bearer is good. While it still is, a portal that does not answer is nobody's trouble.
  function renewed() {
    renewing ||= renew().then(() => { state("", ["asleep"]); return true; }, refused).finally(() => { renewing = null; });
    return renewing;
  }
  function refused(error) {
    bearer.tried = Date.now();
    if (bearer.tried < bearer.until) return true;
    const ended = error.status && error.status < 500;
    state(ended ? "expired" : error instanceof TypeError ? "offline" : "asleep");
    return false;
  }
  const fresh = () => Date.now() < bearer.until - 2 * MINUTE || Date.now() < bearer.tried + 5000 || renewed();

  async function send(url, request) {
    await fresh();
    let answer = await ask(url, request);
    if (answer.status === 401 && Date.now() > bearer.tried + 5000) {
      bearer.until = 0;
      if (await renewed()) answer = await ask(url, request);
    }
    return answer;
  }

  async function ask(url, request) {
    const auth = await within(token(), PATIENCE).catch(() => null);
    request.headers = { ...request.headers, Authorization: `Bearer ${bearer.value}` };
    if (looking) request.headers["X-Look-As"] = looking;
    if (auth) request.headers["X-B24-Token"] = auth.access_token;
    try {
      const answer = await fetch(url, request);
      if (answer.status < 500) state("", ["offline", "failing"]);
      return answer;
    } catch (error) {
      if (error instanceof TypeError) state("offline");
      throw error;
    }
  }

  // ── what is the matter, as long as it is ──────────────────────────────────────────────────────────────────────────

  // One line, the gravest of them; it is in the panel while that is open, because everything else is out of reach then.
  const MATTERS = ["", "stale", "failing", "offline", "refused", "asleep", "expired"];
  const helps = { stale: "update", failing: "update", asleep: "check", refused: "close" };
  const bar = document.createElement("div"), help = document.createElement("button");
  bar.id = "state";
  bar.className = "statebar";
  bar.setAttribute("role", "alert");
  bar.hidden = true;
  help.type = "button";
  help.className = "link";
  help.addEventListener("click", async () => {
    if (bar.dataset.kind === "refused") state("");
    else if (bar.dataset.kind !== "asleep" || (await renewed())) online();
  });
  const online = () => document.dispatchEvent(new CustomEvent("b24:online"));
  addEventListener("online", online);

  // Says what is the matter, unless something graver is; "" that nothing is any more, or nothing of `kinds`.
  function state(kind, kinds = MATTERS, values = {}) {
    const now = bar.dataset.kind ?? "";
    if (!kind) {
      if (!now || !kinds.includes(now)) return;
      bar.hidden = true;
      bar.dataset.kind = "";
      if (!["stale", "refused"].includes(now)) online();
    } else if (MATTERS.indexOf(kind) >= MATTERS.indexOf(now)) {
      const time = now === kind && bar.dataset.since || new Date().toLocaleTimeString("ru", { hour: "numeric", minute: "2-digit" });
      const text = Object.entries({ time, ...values }).reduce((said, [name, value]) => said.replace(`{${name}}`, value), values.said || words[kind]);
      bar.hidden = false;
      if (bar.firstChild?.textContent === text) return;
      Object.assign(bar.dataset, { kind, since: time });
      help.textContent = words[helps[kind]] ?? "";
      bar.replaceChildren(text, ...(helps[kind] ? [help] : []));
      shelve();
    }
  }
  function shelve() {
    ($("#panel").matches(":modal") ? $("#panel") : document.body).append(bar);
    inSight().then((sight) => bar.style.setProperty("top", `${sight.top + 8}px`));
  }

  // ── answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

  // The board carries its own tag: when it would look the same, the server answers 304, and it is left as it is.
  document.addEventListener("htmx:config:request", (event) => {
    const ctx = event.detail.ctx;
    ctx.fetch = send;
    if (ctx.sourceElement.id === "board") ctx.request.headers["If-None-Match"] = `"${ctx.sourceElement.dataset.tag}"`;
    else state("", ["refused"]);
  });

  // What was typed and what is shown stay where they are when an answer is only about what went wrong.
  document.addEventListener("htmx:before:response", (event) => {
    const { response, sourceElement, target } = event.detail.ctx, { status } = response;
    const unseen = sourceElement.matches("#board,#tab,[data-calendars]"), lost = status === 401 || status === 410;
    if (status === 304 && $("#updated")) $("#updated").textContent = window.board.clock(window.board.minuteNow());
    if (status === 410) state("expired");
    // Asked by a part of the panel that was closed meanwhile: it must not open again.
    if (target?.id === "panel-body" && !sourceElement.isConnected && event.detail.ctx.request.method === "GET") return event.preventDefault();
    // Into an open panel panel.js writes it, above what is there.
    if (status >= 400 && !lost && $("#panel").open && response.headers.get("HX-Retarget") === "#panel-body") return;
    if (status !== 304 && !lost && status < 500 && !(status >= 400 && (unseen || target?.matches("#board,#view,#tab")))) return;
    event.preventDefault();
    if (status >= 400 && !unseen && status !== 410 && bearer.until > Date.now()) tell(response.raw);
  });

  async function tell(answer) {
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const said = [...page.querySelectorAll("p")].map((one) => one.textContent.trim()).filter(Boolean).join(" ");
    if ($("#panel").open || !said) state(said ? "refused" : "failing", MATTERS, { said });
    else toast(said, { bad: true });
  }

  document.addEventListener("htmx:error", (event) => {
    const { ctx, error } = event.detail;
    if (ctx && !(error instanceof TypeError) && ctx.sourceElement.id !== "board") state("failing");
  });

  const visible = () => document.visibilityState === "visible";
  const beat = () => visible() && send(document.body.dataset.beat, { method: "POST", headers: {} }).catch(() => {});
  setInterval(beat, 20_000);
  setTimeout(beat, 1500);
  setInterval(() => visible() && fresh(), MINUTE);

  // ── requests of the scripts ───────────────────────────────────────────────────────────────────────────────────────

  // Requests outside of an element's own are sent by the body, after the one before.
  const load = (url, target, swap = "innerHTML") => htmx.ajax("GET", url, { target, swap });

  function refresh(ids = ["board", "tab"]) {
    for (const id of ids) {
      const element = document.getElementById(id);
      if (element) htmx.trigger(element, "b24:refresh");
    }
  }

  async function openInPortal(path) {
    const frame = await portal;
    if (frame) await frame.slider.openPath(frame.slider.getUrl(path)).catch(() => {});
  }

  // ── size of the frame ─────────────────────────────────────────────────────────────────────────────────────────────

  // The board scrolls inside itself: it takes what the frame has left, or what a screen can show beside the portal's
  // own parts, whichever is more. So there is one scrollbar, and the hours stay in sight.
  function capBoard() {
    const board = $("#board .board");
    const left = board ? window.innerHeight - board.getBoundingClientRect().top - 44 : 0;
    document.documentElement.style.setProperty("--cap", `${Math.max(420, screen.availHeight - 330, left)}px`);
  }
  let fits = false;

  async function start() {
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

  // The calendar keeps our frame when the period changes and only tells us; how much it shows was said at the start.
  function followCalendar(frame) {
    const { goTo, turn, shifted } = window.board, isDay = (text) => /^\d{4}-\d\d-\d\d$/.test(text);
    const { viewRangeFrom: from, viewRangeTo: to } = frame.placement.options ?? {}, ranged = isDay(from) && isDay(to) && from <= to;
    const days = ranged ? Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000) + 1 : 0;
    const go = (step) => () => {
      const { view } = $("#board").dataset, day = window.board.heading || $("#board").dataset.day;
      if (days <= ({ week: 7, month: 31 }[view] ?? 1)) turn(step);
      else goTo(days > 7 ? monthFrom(day, step) : shifted(day, step * days));
    };
    const events = {
      decreaseViewRangeDate: go(-1), increaseViewRangeDate: go(1), refreshEntries: () => refresh(),
      adjustToDate: (day) => isDay(day) && goTo(day),
    };
    for (const [name, act] of Object.entries(events)) {
      // The first event within 900 ms resolves the promise instead of calling back.
      frame.placement.bindEvent(`Calendar.customView:${name}`, act)
        .then((first) => first && first.isSafely !== true && act(first)).catch(() => {});
    }
    // A month's sheet begins with days of the one before.
    const shown = $("#board").dataset.day;
    if (ranged && (shown < from || shown > to)) goTo(days > 7 ? `${shifted(from, 10).slice(0, 8)}01` : from);
  }
  function monthFrom(day, step) {
    const [year, month, date] = day.split("-").map(Number);
    const last = new Date(Date.UTC(year, month + step, 0)).getUTCDate();
    return new Date(Date.UTC(year, month - 1 + step, Math.min(date, last))).toISOString().slice(0, 10);
  }

  // A fitted frame may be taller than the window of the portal that shows it. An observer tells which part is in sight,
  // even from another site; the panel and the toasts stay inside of it.
  const inSight = () => new Promise((resolve) => {
    const observer = new IntersectionObserver(([entry]) => { observer.disconnect(); resolve(entry.intersectionRect); });
    observer.observe(document.documentElement);
  });

  // ── toasts ────────────────────────────────────────────────────────────────────────────────────────────────────────

  const SHOWN = 8; // seconds
  const button = (text, act) => {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: text, onclick: act });
    return made;
  };

  // Good news leaves by itself after eight seconds, unless somebody is at it; bad news stays until it is closed.
  // `reasons`: lines below a heading; `acts`: buttons, each with its `words` and what it does; `about`: what is said of the
  // same thing later takes its place; `undo`: the address that takes it back. While the panel is open nothing beside it
  // can be pressed, so what can waits.
  function toast(text, { bad = false, once = "", about = "", reasons = [], acts = [], undo } = {}) {
    if (once && $(`#toasts [data-once="${once}"]`)) return;
    const tell = (url) => document.dispatchEvent(new CustomEvent("b24:undo", { detail: url }));
    if (undo) acts = [{ words: undo.words ?? words.back, act: () => tell(undo.url ?? undo) }];
    if (acts.length && !bad && $("#panel").matches(":modal")) {
      return $("#panel").addEventListener("close", () => toast(text, { once, about, acts }), { once: true });
    }
    if (about) $(`#toasts [data-about="${about}"]`)?.remove();
    const box = document.createElement("div"), said = document.createElement("div");
    box.className = bad ? "toast bad" : "toast";
    box.setAttribute("role", bad ? "alert" : "status");
    Object.assign(box.dataset, { once, about });
    said.append(text, ...reasons.map((one) => Object.assign(document.createElement("p"), { textContent: one })));
    if (reasons.length) said.className = "why";
    const row = document.createElement("span");
    row.append(...acts.map((one) => button(one.words, () => { box.remove(); one.act(); })));
    const close = button("×", () => box.remove());
    close.setAttribute("aria-label", words.close);
    box.append(said, ...(acts.length ? [row] : []), close);
    $("#toasts").append(box);
    settle();
    if (!bad) leave(box, close);
  }
  const settle = () => inSight().then((sight) => $("#toasts").style.setProperty("bottom", `${innerHeight - sight.bottom + 16}px`));
  addEventListener("resize", () => $(".toast") && settle());

  // The button that closes counts down; a pointer over the toast, or the focus in it, holds the time.
  function leave(box, close) {
    let left = SHOWN;
    if ($("span", box)) Object.assign(close, { className: "ring", textContent: left });
    const clock = setInterval(() => {
      if (box.matches(":hover,:focus-within")) return;
      left -= 1;
      if (close.matches(".ring")) close.textContent = left;
      close.style.setProperty("--left", left / SHOWN);
      if (left > 0 && box.isConnected) return;
      clearInterval(clock);
      box.remove();
    }, 1000);
  }
  const announce = (text) => { $("#said").textContent = text; };

  window.page = { $, words, MINUTE, portal, send, state, load, refresh, visible, inSight, openInPortal, toast, announce };
  capBoard();
  new MutationObserver(() => bar.dataset.kind && shelve()).observe($("#panel"), { attributeFilter: ["open"] });
  addEventListener("DOMContentLoaded", start);
})();

// What every page of ours shares: the portal's token and our bearer on each request, the size of the frame, what is said
// to people. The other scripts take it from window.page. No build step, no inline code: the content security policy
// forbids it.
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
    if ($("#updated")) $("#updated").textContent = window.board.clock(window.board.minuteNow());
  });
  document.addEventListener("htmx:error", (event) => {
    if (event.detail.ctx) toast(words.offline, { bad: true, once: "offline" });
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

  // The calendar keeps our frame when the period changes and only tells us.
  function followCalendar(frame) {
    const { goTo, shifted } = window.board;
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

  // A fitted frame may be taller than the window of the portal that shows it. An observer tells which part is in sight,
  // even from another site; the panel and the toasts stay inside of it.
  const inSight = () => new Promise((resolve) => {
    const observer = new IntersectionObserver(([entry]) => { observer.disconnect(); resolve(entry.intersectionRect); });
    observer.observe(document.documentElement);
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
  const announce = (text) => { $("#said").textContent = text; };

  window.page = { $, words, MINUTE, portal, send, load, refresh, visible, inSight, openInPortal, toast, announce };
  capBoard();
  addEventListener("DOMContentLoaded", start);
})();

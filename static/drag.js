// The pointer over the board. Free time is chosen by a press or a drag, and a small dialog beside it books it; a booking is
// dragged elsewhere, its end to another time. What the rules say stands beside it before it is let go; the server decides.
(() => {
  "use strict";

  const { $, words, send, load, refresh, toast, inSight } = window.page;
  const board = window.board;
  const { grid, lanes, vertical, interval, spell, obstacles, stretch, stepOf, snap, minuteAt, minuteNow, nameOf, epoch, choose, clear } = board;
  const SLACK = 5, HELD = 500, EDGE = 36, QUIET = 120, GAP = 8;

  let drag = null, sending = 0;

  // ── what the server says ──────────────────────────────────────────────────────────────────────────────────────────

  // What a booking was when it was picked up: somebody else's change in the meantime is not overwritten.
  const revisions = new Map();

  async function verdict(number, resource = "", start = "", end = "", lane = "") {
    const query = new URLSearchParams({ booking: number, resource, start, end, lane });
    const answer = await send(`/app/board/may?${query}`, { headers: {} });
    const said = { ok: false, words: words.offline, ...await answer.json() };
    if (said.revision && !revisions.has(`${number}`)) revisions.set(`${number}`, said.revision);
    return said;
  }

  async function post(url, data) {
    sending += 1;
    try {
      const answer = await send(url, { method: "POST", body: new URLSearchParams(data), headers: { Accept: "application/json" } });
      const said = await answer.json().catch(() => ({ words: words.offline }));
      return { reasons: [], offers: [], ...said, ok: answer.ok };
    } finally {
      sending -= 1;
    }
  }

  // The same drop sent twice is done once: it names the revision that it changes.
  async function drop(number, resource, start, end, lane = "") {
    const revision = revisions.get(`${number}`) ?? "";
    revisions.delete(`${number}`);
    const said = await post("/app/board/move", { booking: number, resource, start, end, lane, revision }).catch(() => null);
    const repeat = (begins, ends) => { if (revision) revisions.set(`${number}`, revision); drop(number, resource, begins, ends, lane); };
    if (!said) toast(words.stays, { bad: true, acts: [{ words: words.again, act: () => repeat(start, end) }] });
    else if (!said.ok) refuse({ ...said, number }, (offer) => repeat(offer.start, offer.end));
    else if (said.words) done(said);
    refresh();
    return said?.ok ? said : null;
  }

  const done = ({ number, words: text, undo }) => toast(text, { about: number, undo });
  const refuse = (said, take) =>
    toast(said.words, { bad: true, about: said.number, reasons: said.reasons, acts: said.offers.map((one) => ({ words: one.words, act: () => take(one) })) });

  // What a toast offers to take back, done here or in the panel.
  document.addEventListener("b24:undo", async ({ detail: url }) => {
    const said = await post(url).catch(() => null);
    if (said?.ok) toast(said.words);
    else toast(said ? said.words : words.offline, { bad: true, reasons: said?.reasons });
    refresh();
  });

  // ── where everything is ───────────────────────────────────────────────────────────────────────────────────────────

  // Measured once when something is picked up: while the pointer moves nothing is asked of the layout. `start` and `size`
  // run with the time, `low` and `high` across the lanes, all from the corner of what scrolls. Of a row only its own box is
  // asked for: what is in it may not be laid out as long as nobody sees it.
  function measure() {
    const scroller = grid(), box = scroller.getBoundingClientRect(), hours = $(".hours", scroller)?.getBoundingClientRect();
    const map = { scroller, box, left: scroller.scrollLeft, top: scroller.scrollTop, places: [] };
    const x = map.left - box.left, y = map.top - box.top;
    map.upright = Boolean($(".lane.v", scroller));
    map.rail = map.upright ? 52 : hours.left + x;
    for (const lane of lanes().filter((one) => one.dataset.r)) {
      const around = (map.upright ? lane : lane.parentElement).getBoundingClientRect();
      const { from, span } = { ...scroller.dataset, ...lane.dataset };
      const time = { lane, first: from * 15, minutes: span * 15 };
      map.places.push(map.upright
        ? { ...time, start: around.top + y, size: around.height, low: around.left + x, high: around.right + x }
        : { ...time, start: hours.left + x, size: hours.width, low: around.top + y, high: around.bottom + y });
    }
    return map;
  }

  function under({ box, left, top, upright, places }, x, y) {
    const point = [x - box.left + left, y - box.top + top], [across, along] = upright ? point : point.reverse();
    const place = places.find((one) => across < one.high) ?? places.at(-1);
    return { place, minute: place.first + ((along - place.start) / place.size) * place.minutes };
  }

  // A pointer at the edge of the board pulls it along; whether it did.
  function pull() {
    const { map, x, y } = drag, { scroller, box, rail } = map;
    const push = (at, low, high) => (at < low + EDGE ? at - low - EDGE : at > high - EDGE ? at - high + EDGE : 0) / 3;
    const by = [push(x, box.left + rail, box.right), push(y, box.top + EDGE, box.bottom)];
    if (!by.some(Boolean)) return false;
    scroller.scrollBy(...by);
    const was = map.left + map.top;
    [map.left, map.top] = [scroller.scrollLeft, scroller.scrollTop];
    return map.left + map.top !== was;
  }

  // ── picking up ────────────────────────────────────────────────────────────────────────────────────────────────────

  const movable = (block) => /^#\d+$/.test(block.hash) && !block.matches(".part,.done,.nosh,.cnt-u") && !(block.matches(".req") && $("i", block));

  function atEnd(block, { clientX, clientY, pointerType }) {
    const box = block.getBoundingClientRect(), upright = vertical(block);
    const [long, left] = upright ? [box.height, box.bottom - clientY] : [box.width, box.right - clientX];
    return long > 24 && left < (pointerType === "touch" ? 14 : 7);
  }

  document.addEventListener("pointerdown", (event) => {
    if (dialog && !event.target.closest?.("#chosen,#toasts")) clear();
    const lane = event.target.closest?.("#board .lane[data-r]"), block = event.target.closest?.(".b");
    if (!lane || event.button || !event.isPrimary || drag || sending || board.moving) return;
    const touch = event.pointerType === "touch", { clientX: x, clientY: y, pointerId: id } = event;
    const made = { id, lane, block, touch, x, y, from: [x, y], started: false };
    if (block) {
      if (!movable(block)) return;
      Object.assign(made, { kind: atEnd(block, event) ? "end" : "move" }, timesOf(block));
    } else {
      const minute = minuteAt(lane, x, y), free = stretch(lane, minute);
      if (!free) return;
      const start = Math.max(free.start, snap(lane, minute, Math.floor));
      if (start + stepOf(lane) > free.end) return;
      Object.assign(made, { kind: "new", free, start });
    }
    drag = made;
    if (touch) drag.held = setTimeout(begin, HELD);
    else if (!block) {
      event.preventDefault();
      grid().focus({ preventScroll: true });
      press();
    }
  });

  const timesOf = (block) => { const { start, end } = interval(block); return { start, end, number: block.hash.slice(1) }; };

  // A press takes an hour, or what is free of it; dragging sets the length.
  function press() {
    const { lane, free, start } = drag;
    choose(lane, start, Math.min(free.end, start + Math.max(stepOf(lane), 60)));
  }

  function begin() {
    const { kind, lane, block, number } = drag;
    drag.started = true;
    drag.map = measure();
    if (drag.touch) navigator.vibrate?.(10);
    grid().setPointerCapture(drag.id);
    if (kind === "new") return press();
    const at = under(drag.map, ...drag.from), mine = drag;
    Object.assign(drag, { at: at.minute, taken: new Map(), own: ownOf(block), ghost: document.createElement("span") });
    drag.ghost.className = "ghost move";
    drag.own.forEach((one) => one.classList.add("away"));
    revisions.delete(number);
    // Its true times: a block is cut where the day ends.
    drag.known = verdict(number).catch(() => null).then((known) => {
      if (!known?.start) return;
      Object.assign(mine, { start: (known.start - epoch(0, lane)) / 60, end: (known.end - epoch(0, lane)) / 60 });
      if (!known.ok) mine.never = known.words;
      if (drag === mine) { mine.aim = null; soon(); }
    });
    soon();
  }

  // The blocks of a booking, on all its lanes, with the buffers beside them: they are in nobody's way when it moves.
  function ownOf(block) {
    const blocks = [...document.querySelectorAll(`#board a.b[href="${block.hash}"]`)];
    return blocks.flatMap((one) => {
      const { start, end } = interval(one);
      return [one, ...[...one.parentElement.querySelectorAll(".buf")].filter((buffer) => {
        const around = interval(buffer);
        return around.end === start || around.start === end;
      })];
    });
  }

  // ── on the way ────────────────────────────────────────────────────────────────────────────────────────────────────

  document.addEventListener("pointermove", (event) => {
    if (!drag) return hover(event);
    if (event.pointerId !== drag.id) return;
    [drag.x, drag.y] = [event.clientX, event.clientY];
    if (!drag.started) {
      if (Math.hypot(drag.x - drag.from[0], drag.y - drag.from[1]) < SLACK) return;
      if (drag.touch) return cancel(); // it scrolls
      begin();
    }
    soon();
  });

  function hover(event) {
    const block = event.pointerType === "mouse" && event.target.closest?.("#board .lane[data-r] a.b");
    if (block) block.classList.toggle("edge", movable(block) && atEnd(block, event));
  }

  // A finger that has picked something up does not scroll.
  document.addEventListener("touchmove", (event) => { if (drag?.started) event.preventDefault(); }, { passive: false });
  document.addEventListener("contextmenu", (event) => { if (drag?.touch) event.preventDefault(); });
  document.addEventListener("dragstart", (event) => { if (event.target.closest?.("#board")) event.preventDefault(); });

  const soon = () => { if (drag) drag.frame ||= requestAnimationFrame(frame); };

  function frame() {
    if (!drag?.started) return;
    drag.frame = 0;
    const pulled = pull(), { place, minute } = under(drag.map, drag.x, drag.y);
    if (drag.kind === "new") widen(minute);
    else carry(place, minute);
    if (pulled) soon();
  }

  function widen(at) {
    const { lane, free, start } = drag, step = stepOf(lane);
    if (Math.hypot(drag.x - drag.from[0], drag.y - drag.from[1]) < SLACK) return;
    if (at >= start) choose(lane, start, Math.min(free.end, Math.max(start + step, snap(lane, at, Math.ceil))));
    else choose(lane, Math.max(free.start, snap(lane, at, Math.floor)), start + step);
  }

  function carry(under_, minute) {
    const { kind, map, start, end, at } = drag, step = stepOf(drag.lane);
    const place = kind === "end" ? map.places.find((one) => one.lane === drag.lane) : under_, { lane, first, minutes } = place;
    let from = start, to = end;
    if (kind === "end") to = Math.max(from + step, snap(lane, end + minute - at, Math.round));
    else if (lane === drag.lane && Math.abs(minute - at) < stepOf(lane) / 2) from = start;
    else from = Math.max(Math.min(first, start), Math.min(first + minutes - step, snap(lane, start + minute - at, Math.round)));
    if (kind === "move") to = from + end - start;
    const { aim } = drag;
    if (aim?.lane === lane && aim.from === from && aim.to === to) return beside();
    drag.aim = { place, lane, from, to };
    draw();
  }

  const unmoved = ({ aim, lane, start, end }) => !aim || (aim.lane === lane && aim.from === start && aim.to === end);

  function draw() {
    const { ghost, aim } = drag, { lane, from, to } = aim;
    ghost.style.setProperty("--s", from / 15);
    ghost.style.setProperty("--n", (to - from) / 15);
    ghost.textContent = spell(from, to, lane);
    if (ghost.parentElement !== lane) lane.append(ghost);
    if (unmoved(drag)) return judged({ ok: true, words: "" });
    const no = drag.never || (isTaken(lane, from, to) && words.taken) || (from !== drag.start && from < minuteNow(lane) && words.past);
    judged({ ok: !no, words: no || "" });
    clearTimeout(drag.asking);
    if (!drag.never) drag.asking = setTimeout(judge, QUIET, drag, aim);
  }

  function isTaken(lane, from, to) {
    const { taken, own } = drag;
    if (!taken.has(lane)) taken.set(lane, obstacles(lane, own));
    return taken.get(lane).some((one) => one.start < to && from < one.end);
  }

  async function judge(mine, aim) {
    const { lane, from, to } = aim;
    const said = await verdict(mine.number, lane.dataset.r, epoch(from, lane), epoch(to, lane), mine.lane.dataset.r).catch(() => null);
    if (drag === mine && mine.aim === aim && said) judged(said);
  }

  // The verdict on where it is now: the ghost turns grey, words stand beside it.
  const tip = document.createElement("div");
  tip.className = "tip";
  tip.hidden = true;
  document.body.append(tip);

  function judged({ ok, words: why, price }) {
    const text = [why, price].filter(Boolean).join(" · ");
    drag.ghost.classList.toggle("no", !ok);
    tip.classList.toggle("bad", !ok);
    tip.hidden = !text;
    tip.textContent = text;
    if (text) beside();
  }

  function beside() {
    const { aim, map: { box, left, top, upright } } = drag, { place, from, to } = aim;
    const at = (minute) => place.start + ((minute - place.first) / place.minutes) * place.size;
    const [x, y] = upright ? [place.low, at(to)] : [at(from), place.high];
    tip.style.left = `${Math.max(box.left, Math.min(x + box.left - left, box.right - 300))}px`;
    tip.style.top = `${Math.min(y + box.top - top + 4, box.bottom - 30)}px`;
  }

  // ── letting go ────────────────────────────────────────────────────────────────────────────────────────────────────

  document.addEventListener("pointerup", (event) => {
    if (!drag || event.pointerId !== drag.id) return;
    const { kind, touch, started, frame: asked } = drag;
    if (started && asked) { cancelAnimationFrame(asked); frame(); }
    if (kind === "new") {
      if (touch && !started) press();
      end();
      offer();
    } else if (!started || unmoved(drag)) cancel();
    else letGo(end());
  });

  function end() {
    const was = drag;
    clearTimeout(was.held);
    clearTimeout(was.asking);
    cancelAnimationFrame(was.frame);
    tip.hidden = true;
    drag = null;
    document.dispatchEvent(new CustomEvent("b24:let-go"));
    return was;
  }

  function cancel() {
    const was = end();
    if (was.kind === "new") clear();
    else putBack(was);
  }
  function putBack({ ghost, own = [] }) {
    ghost?.remove();
    own.forEach((one) => one.classList.remove("away"));
  }

  async function letGo(was) {
    const { number, lane, aim, kind, start } = was, shift = aim.from - start;
    was.ghost.classList.add("wait");
    sending += 1; // the board stays as it is
    await was.known;
    sending -= 1;
    const from = kind === "end" ? was.start : was.start + shift, to = kind === "end" ? aim.to : was.end + shift;
    const gone = await drop(number, aim.lane.dataset.r, epoch(from, aim.lane), epoch(to, aim.lane), lane.dataset.r);
    if (!gone) return putBack(was);
    const put = () => putBack(was);
    document.addEventListener("b24:boarded", put, { once: true });
    setTimeout(put, 4000);
  }

  const giveUp = () => { if (drag) cancel(); };
  document.addEventListener("pointercancel", giveUp);
  addEventListener("blur", giveUp);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !(drag || dialog)) return;
    event.preventDefault();
    event.stopPropagation();
    if (drag) return cancel();
    clear();
    grid()?.focus({ preventScroll: true });
  }, true);

  // ── the dialog beside what was chosen ─────────────────────────────────────────────────────────────────────────────

  let dialog = null;

  async function offer(service) {
    const { chosen } = board;
    if (!chosen) return;
    const { lane, from, to } = chosen, asked = new URL($("#board").dataset.new, location.href).searchParams;
    const query = { resource: lane.dataset.r, start: epoch(from, lane), end: epoch(to, lane), service: service ?? asked.get("service") ?? "", zone: grid().dataset.zone };
    const mine = open(`${nameOf(lane)}, ${spell(from, to, lane)}`);
    place();
    const answer = await send(`/app/board/chosen?${new URLSearchParams(query)}`, { headers: {} }).catch(() => null);
    if (dialog !== mine) return;
    if (!answer?.ok) {
      clear();
      const said = await answer?.json().catch(() => null);
      return toast(said?.words ?? words.offline, { bad: true, reasons: said?.reasons, once: "offline" });
    }
    const text = await answer.text();
    if (dialog !== mine) return;
    mine.innerHTML = text;
    const { start, end } = $("form", mine).dataset, zero = epoch(0, lane);
    choose(lane, (start - zero) / 60, (end - zero) / 60);
    await place();
    ($("[name=title]", mine) || $(".pri", mine) || $("[data-more]", mine)).focus({ preventScroll: true });
  }

  function open(title) {
    if (!dialog) {
      dialog = document.createElement("div");
      dialog.id = "chosen";
      dialog.className = "pop";
      dialog.setAttribute("role", "dialog");
      document.body.append(dialog);
    }
    dialog.setAttribute("aria-label", title);
    if (!dialog.firstChild) dialog.append(Object.assign(document.createElement("b"), { textContent: title }));
    return dialog;
  }
  function close() {
    dialog?.remove();
    dialog = null;
  }
  document.addEventListener("b24:cleared", close);
  // Somebody else may have taken it meanwhile: the dialog says so before anything is sent.
  document.addEventListener("b24:boarded", () => { if (dialog && board.chosen?.ghost?.matches(".no")) offer(); });
  addEventListener("scroll", () => { if (dialog) place(); }, true);

  // Below what was chosen, or above, or beside it: never over it, and inside of what is seen of the frame.
  async function place() {
    const sight = await inSight(), ghost = board.chosen?.ghost?.getBoundingClientRect();
    if (!dialog || !ghost) return;
    const { offsetWidth: wide, offsetHeight: tall } = dialog;
    const x = (left) => Math.max(sight.left + GAP, Math.min(left, sight.right - wide - GAP));
    const y = (top) => Math.max(sight.top + GAP, Math.min(top, sight.bottom - tall - GAP));
    const below = [x(ghost.left), ghost.bottom + GAP], above = [x(ghost.left), ghost.top - GAP - tall];
    const right = [ghost.right + GAP, y(ghost.top)], left = [ghost.left - GAP - wide, y(ghost.top)];
    const fits = ([one, other]) => one === x(one) && other === y(other);
    const spots = vertical(board.chosen.lane) ? [right, left, below, above] : [below, above, right, left];
    const [at, down] = spots.find(fits) ?? below;
    dialog.style.left = `${at}px`;
    dialog.style.top = `${down}px`;
    dialog.classList.add("placed");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("#chosen button");
    if (!button) return;
    const { drop: away, service, more } = button.dataset;
    if (away !== undefined) clear();
    else if (service !== undefined) offer(service);
    else if (more) { close(); load(`${more}&day=${$("#board").dataset.day}`, "#panel-body"); }
  });
  document.addEventListener("submit", (event) => {
    if (event.target.id !== "chosen-form") return;
    event.preventDefault();
    const intent = event.submitter?.value || $("[name=intent]", event.target)?.value;
    if (intent && !sending) book(event.target, { intent });
  });

  async function book(form, values) {
    const data = { ...Object.fromEntries(new FormData(form)), ...values };
    const said = await post("/app/board/book", data).catch(() => null);
    if (!said) return toast(words.unbooked, { bad: true, acts: [{ words: words.again, act: () => book(form, values) }] });
    if (said.ok) done(said);
    else refuse(said, (other) => book(form, { ...values, ...other.values }));
    clear();
    document.dispatchEvent(new CustomEvent("b24:changed", { detail: { number: said.number } }));
  }

  window.drag = { get busy() { return drag !== null || sending > 0; }, verdict, drop, offer };
})();

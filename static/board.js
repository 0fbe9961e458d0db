// The board: which minute is where, what is free, what is chosen; clicks on bookings, and everything by keyboard.
// drag.js moves the pointer over it, live.js keeps it up to date.
(() => {
  "use strict";

  const { $, words, load, announce } = window.page;

  // ── the board ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const grid = () => $("#board .board");
  const rows = () => [...document.querySelectorAll("#board .brow[id]")];
  const lanes = () => [...document.querySelectorAll("#board .lane")];
  const vertical = (lane) => Boolean(lane.closest(".v"));
  const shifted = (day, step) => {
    const date = new Date(`${day}T12:00:00Z`);
    date.setUTCDate(date.getUTCDate() + step);
    return date.toISOString().slice(0, 10);
  };

  // Whoever presses an arrow again before the day is there wants the one after it.
  let heading = "";
  async function goTo(day) {
    const underway = heading;
    heading = day;
    for (let asked = ""; !underway && asked !== heading;) {
      asked = heading;
      const url = new URL($("#board").getAttribute("hx-get"), location.href);
      url.searchParams.set("day", asked);
      await load(url.pathname + url.search, "#board", "outerMorph");
    }
    if (!underway) heading = "";
  }
  function turn(step) {
    const { day, previous, next } = $("#board").dataset, target = step < 0 ? previous : next;
    goTo(heading ? shifted(heading, (Date.parse(target) - Date.parse(day)) / 86_400_000) : target);
  }

  // A lane may have an axis of its own: a column of the week has another midnight than its neighbour.
  const axis = (lane, name) => Number(lane?.dataset[name] ?? grid()?.dataset[name] ?? 0);
  const first = (lane) => axis(lane, "from") * 15;
  const last = (lane) => first(lane) + axis(lane, "span") * 15;

  // Minutes after the axis' midnight: classes say quarters (s, n) and odd minutes (m, p). Styles are not asked: it would
  // lay out 200 rows that nobody sees.
  function interval(element) {
    const at = { s: 0, n: 0, m: 0, p: 0 };
    for (const name of element.classList) if (/^[snmp]\d+$/.test(name)) at[name[0]] = Number(name.slice(1));
    const start = at.s * 15 + at.m;
    return { start, end: start + at.n * 15 + at.p, element };
  }
  // What keeps free time from being offered: not a request, which holds nothing; of several places only when all are taken.
  // `own`: elements of the booking that is being moved.
  function obstacles(lane, own = []) {
    const closed = [...lane.querySelectorAll(".shut,.clos,.full")].map(interval);
    const others = [...lane.querySelectorAll(".b:not(.req,.clos,.cnt-u,.perh),.buf")].filter((one) => !own.includes(one));
    const taken = others.map(interval);
    const places = Number(lane.dataset.places || 1);
    return [...closed, ...(places > 1 ? together(taken, places) : taken)].sort((a, b) => a.start - b.start);
  }
  function together(taken, places) {
    const edges = [...new Set(taken.flatMap((one) => [one.start, one.end]))].sort((a, b) => a - b);
    return edges.slice(1).map((end, n) => ({ start: edges[n], end }))
      .filter((part) => taken.filter((one) => one.start < part.end && part.start < one.end).length >= places);
  }
  const minuteNow = (lane) => (Date.now() / 1000 - axis(lane, "origin")) / 60;
  const epoch = (minutes, lane) => axis(lane, "origin") + minutes * 60;

  function clock(minutes, lane) {
    const format = new Intl.DateTimeFormat("ru", { hour: "numeric", minute: "2-digit", timeZone: grid()?.dataset.zone });
    return format.format(new Date(epoch(minutes, lane) * 1000)).replace(/^0(?=\d)/, "");
  }
  const spell = (from, to, lane) => `${clock(from, lane)}–${clock(to, lane)}`;

  // The free stretch around a minute of a lane, from now on; null where nothing can be booked.
  function stretch(lane, minute) {
    let start = 0, end = 25 * 60;
    for (const one of obstacles(lane)) {
      if (one.start <= minute && minute < one.end) return null;
      if (one.end <= minute) start = Math.max(start, one.end);
      else end = Math.min(end, one.start);
    }
    const passed = minuteNow(lane);
    if (passed >= end || minute < Math.floor(passed / 5) * 5 - stepOf(lane)) return null;
    return { start: passed > start ? snap(lane, passed, Math.ceil) : start, end };
  }
  const stepOf = (lane) => Number(lane.dataset.step) || 30;
  // Steps are counted on the resource's own clock, which may be ahead of the axis.
  function snap(lane, minute, round) {
    const step = stepOf(lane), ahead = Number(lane.dataset.ahead || 0);
    return round((minute + ahead) / step) * step - ahead;
  }

  function minuteAt(lane, x, y) {
    const box = lane.getBoundingClientRect();
    const part = vertical(lane) ? (y - box.top) / box.height : (x - box.left) / box.width;
    return first(lane) + part * axis(lane, "span") * 15;
  }

  // ── the selection: a lane, from and to in minutes, drawn as a ghost or standing on a block ────────────────────────

  let chosen = null;
  const place = (from, to, lane) => `${nameOf(lane)}, ${spell(from, to, lane)}`;
  const nameOf = (lane) => $(".res b", lane.parentElement)?.textContent ?? lane.getAttribute("aria-label");

  function choose(lane, from, to, say = false) {
    if (chosen && (chosen.lane !== lane || chosen.block)) clear();
    const ghost = chosen?.ghost?.isConnected ? chosen.ghost : document.createElement("span");
    ghost.className = "ghost";
    ghost.style.setProperty("--s", from / 15);
    ghost.style.setProperty("--n", (to - from) / 15);
    ghost.textContent = spell(from, to, lane);
    if (!ghost.isConnected) lane.append(ghost);
    chosen = { lane, from, to, ghost, keys: chosen?.keys };
    if (say) announce(`${place(from, to, lane)}, ${words.free}`);
  }

  function clear() {
    chosen?.ghost?.remove();
    document.querySelectorAll(".b.is-focus").forEach((block) => block.classList.remove("is-focus"));
    chosen = null;
    document.dispatchEvent(new CustomEvent("b24:cleared"));
  }

  function bookChosen() {
    const { lane, from, to } = chosen;
    const url = new URL($("#board").dataset.new, location.href);
    const chosenTime = { resource: lane.dataset.r, start: epoch(from, lane), end: epoch(to, lane), day: $("#board").dataset.day };
    for (const [name, value] of Object.entries(chosenTime)) url.searchParams.set(name, value);
    load(url.pathname + url.search, "#panel-body");
  }

  document.addEventListener("click", (event) => {
    const block = event.target.closest?.("#board a.b");
    if (!block) return;
    event.preventDefault();
    if (document.activeElement === block) grid().focus({ preventScroll: true });
    load(addressOf(block.hash.slice(1)), "#panel-body");
  });

  // Free time that this person may not book says why.
  document.addEventListener("click", (event) => {
    if (event.target.matches?.(".lane:not([data-r])")) $(".why", event.target.parentElement)?.click();
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
      const { start, end } = interval(block), lane = block.closest(".lane");
      if (lane) block.title = `${spell(start, end, lane)} ${block.textContent}`;
    }
  });

  // ── a board that came anew: what was chosen is found again ────────────────────────────────────────────────────────

  const rowOf = (lane) => lane.dataset.r || lane.parentElement.id;

  function spot() {
    if (!chosen) return null;
    const { lane, from, to, block, hash = block?.hash, ghost, keys, waits } = chosen;
    const same = lanes().filter((one) => rowOf(one) === rowOf(lane));
    return { row: rowOf(lane), origin: axis(lane, "origin"), nth: same.indexOf(lane), from, to, hash, ghost, keys, waits };
  }

  function back({ row, origin, nth, from, to, hash, ghost, keys, waits }) {
    const same = grid() ? lanes().filter((one) => rowOf(one) === row) : [];
    const lane = same.find((one) => axis(one, "origin") === origin) ?? same[nth] ?? same[0];
    if (!lane) return clear();
    chosen = { lane, from, to, keys, hash, waits };
    const block = hash && axis(lane, "origin") === origin && find(hash, lane);
    if (moving) { find(`#${moving.number}`, lane)?.classList.add("away"); aim(lane, from, to); }
    else if (block) stand(block);
    else if (ghost && lane.dataset.r) mark(lane, from, to);
    else if (keys && !waits) point(lane, from, false);
    else if (!waits) clear();
  }
  const find = (hash, lane) => $(`a.b[href="${hash}"]`, lane) || $(`#board .lane a.b[href="${hash}"]`);

  // What has just been booked or moved: who came by keyboard stands on it as soon as it is there.
  function settle(number) {
    if (!chosen?.keys) return clear();
    const { lane, from, to } = chosen, hash = `#${number}`, block = find(hash, lane);
    clear();
    if (block) stand(block);
    else chosen = { lane, from, to, hash, keys: true, waits: true };
  }

  // A chosen time that somebody else has taken meanwhile is shown as it is: taken.
  function mark(lane, from, to) {
    const free = stretch(lane, from), taken = !free || free.end < to;
    choose(lane, from, to);
    chosen.ghost.classList.toggle("no", taken);
    if (taken) {
      chosen.ghost.textContent = words.taken;
      announce(`${place(from, to, lane)}, ${words.taken}`);
    }
  }

  // The answer to a form may bring a row of the board as well: that is his own doing, and no news to him.
  let left = null;
  const ofBoard = (event) => event.detail.ctx?.target?.matches?.("#board,#view");
  document.addEventListener("htmx:before:swap", (event) => {
    left = spot();
    if (!ofBoard(event)) return;
    chosen?.ghost?.remove();
    chosen?.block?.classList.remove("is-focus");
  });
  document.addEventListener("htmx:after:swap", (event) => {
    if (!chosen) return;
    const was = left ?? spot();
    if (ofBoard(event)) back(was);
    else if (!(chosen.ghost || chosen.block || chosen.lane).isConnected) back({ ...was, ghost: null });
  });

  // The panel clears the selection as it closes; who came by keyboard goes on from where he was.
  $("#panel").addEventListener("close", () => {
    const was = chosen?.keys && { ...spot(), ghost: null };
    if (was) setTimeout(back, 0, was);
  });

  // ── the board by keyboard: one stop, arrows inside ────────────────────────────────────────────────────────────────

  const ARROWS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
  const PAGES = { PageUp: -1, PageDown: 1 };

  function keyed(event) {
    const { target } = event, board = target.closest?.("#board .board");
    if (!board || event.ctrlKey || event.metaKey || event.altKey) return;
    const mine = target === board || target.matches(lanes().length ? ".lane a.b" : "[role=row] :is(a,button)");
    if (mine && (lanes().length ? walked(event) : stepped(event))) event.preventDefault();
  }

  const page = (key) => turn(PAGES[key]);

  // In a column time runs downwards: the arrows change their places.
  function ways(key) {
    const [down, right] = ARROWS[key];
    return lanes()[0].matches(".v,.v *") ? [right, down] : [down, right];
  }

  // Whether the key was one of the board's.
  function walked({ key, code, shiftKey, target }) {
    const act = { Home: () => edge(false), End: () => edge(true), PageUp: page, PageDown: page }[key]
      ?? { Enter: moving ? drop : open, Escape: moving ? giveUp : clear }[chosen && key]
      ?? (code === "KeyM" && (chosen || target !== grid()) && !moving && take);
    if (!(key in ARROWS || act) || (key === "Enter" && target !== grid())) return false;
    if (target !== grid()) { grid().focus({ preventScroll: true }); stand(target); }
    if (!act) shiftKey ? lengthen(ways(key)[1]) : step(...ways(key));
    else act(key);
    return true;
  }
  function step(across, along) {
    const all = lanes();
    if (!chosen?.lane.isConnected) return point(all[0], beginning(all[0]));
    if (moving) return shove(across, along);
    const { block, from, to } = chosen, lane = neighbour(chosen.lane, across), length = stepOf(lane);
    const minute = along > 0 ? (block ? to : from + length) : from + along * length;
    point(lane, Math.min(last(lane) - 5, Math.max(first(lane), minute)));
  }

  function neighbour(lane, across) {
    const all = moving ? lanes().filter((one) => one.dataset.r) : lanes();
    return all[Math.min(all.length - 1, Math.max(0, all.indexOf(lane) + across))];
  }

  function beginning(lane) {
    const passed = minuteNow(lane);
    return passed > first(lane) && passed < last(lane) ? Math.floor(passed / 30) * 30 : first(lane);
  }
  const edge = (end) => {
    const lane = chosen?.lane;
    if (lane && !moving) point(lane, end ? last(lane) - stepOf(lane) : first(lane));
  };

  // Stands on a booking, on free time or on closed time, and says which.
  function point(lane, minute, say = true) {
    clear();
    const on = [...lane.querySelectorAll(".b,.shut,.buf")].map(interval).find((one) => one.start <= minute && minute < one.end);
    if (on) {
      stand(on.element, lane);
      if (say) announce(`${place(on.start, on.end, lane)}, ${told(on.element)}`);
    } else if (lane.dataset.r) {
      const from = snap(lane, minute, Math.floor), free = stretch(lane, minute);
      const length = Math.max(stepOf(lane), free ? 60 : 0); // as a press takes it: an hour, or what is free of it
      choose(lane, free ? Math.max(from, free.start) : from, Math.min(from + length, free?.end ?? last(lane)), say && Boolean(free));
      chosen.ghost.classList.toggle("no", !free);
      if (!free && say) announce(`${place(chosen.from, chosen.to, lane)}, ${words.past}`);
    } else {
      chosen = { lane, from: minute, to: minute + 30 };
      if (say) announce(`${nameOf(lane)}, ${clock(minute, lane)}`);
    }
    chosen.keys = true;
    (chosen.block || chosen.ghost || lane).scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  function stand(block, lane = block.closest(".lane")) {
    const { start, end } = interval(block);
    clear();
    chosen = { lane, from: Math.max(start, first(lane)), to: end, block, keys: true };
    if (block.matches(".b")) block.classList.add("is-focus");
  }

  // What stands there, with its state: for the eye an icon says it, a word of the style sheet names it.
  function told(element) {
    const style = getComputedStyle(element), word = (name) => style.getPropertyValue(name).replace(/^\s*"|"$/g, "");
    const marks = ["lag", "flag"].filter((name) => element.classList.contains(name)).map((name) => word(`--${name}`));
    return (element.matches(".b") ? word("--alt") : "") + (element.textContent || element.title) + marks.join("");
  }

  function lengthen(along) {
    if (!chosen?.ghost || !along) return;
    const { lane, from, to } = chosen, step = stepOf(lane), end = Math.max(from + step, to + along * step);
    if (moving) return aim(lane, from, end);
    const free = stretch(lane, from);
    if (free) choose(lane, from, Math.min(free.end, end), true);
  }

  function open() {
    if (chosen?.block?.matches("a")) chosen.block.click();
    else if (chosen?.ghost && !chosen.ghost.classList.contains("no")) bookChosen();
  }

  // ── a booking on its way to another time or place: M takes it, Enter puts it down ─────────────────────────────────

  let moving = null, asked = 0;

  function take() {
    const { block, lane } = chosen, number = block?.hash?.slice(1);
    if (!/^\d+$/.test(number) || !lane.dataset.r || block.matches(".part")) return announce(words.fixed);
    const { start, end } = interval(block);
    moving = { number, start };
    block.classList.add("away");
    choose(lane, start, end);
    chosen.ghost.classList.add("move");
    announce(words.moving);
  }

  function shove(across, along) {
    const { lane, from, to } = chosen, target = neighbour(lane, across);
    const shift = along * stepOf(target), room = Math.max(first(target) - from, Math.min(last(target) - to, shift));
    aim(target, from + (along ? room : 0), to + (along ? room : 0));
  }

  // Says where it would stand, and what the server thinks of that once the arrows rest.
  function aim(lane, from, to) {
    choose(lane, from, to);
    chosen.keys = true;
    chosen.ghost.classList.add("move");
    chosen.ghost.scrollIntoView({ block: "nearest", inline: "nearest" });
    announce(place(from, to, lane));
    clearTimeout(asked);
    asked = setTimeout(judge, 200, chosen);
  }

  async function judge(aimed) {
    const { lane, from, to } = aimed;
    const verdict = await window.drag.verdict(moving.number, lane.dataset.r, epoch(from, lane), epoch(to, lane)).catch(() => null);
    if (!moving || chosen !== aimed || !verdict) return;
    aimed.ghost.classList.toggle("no", !verdict.ok);
    const said = [verdict.words || (verdict.ok && words.free), verdict.ok && verdict.price];
    announce([place(from, to, lane), ...said].filter(Boolean).join(", "));
  }

  async function drop() {
    const { number } = moving, { lane, from, to } = chosen;
    if (moving.sent) return;
    clearTimeout(asked);
    moving.sent = true;
    const done = await window.drag.drop(number, lane.dataset.r, epoch(from, lane), epoch(to, lane)).catch(() => null);
    if (!moving) return;
    moving.sent = false;
    if (!done) return;
    put();
    chosen = { lane, from, to, keys: true };
    settle(number);
  }

  function giveUp() {
    const { number, start } = moving, { lane } = chosen;
    put();
    announce(words.kept);
    const block = find(`#${number}`, lane);
    if (block) stand(block);
    else point(lane, start, false);
  }

  function put() {
    clearTimeout(asked);
    document.querySelectorAll(".b.away").forEach((block) => block.classList.remove("away"));
    moving = null;
    clear();
  }

  // ── grids without lanes: from cell to cell ────────────────────────────────────────────────────────────────────────

  function stepped({ key, target }) {
    if (key in PAGES) { page(key); return true; }
    if (!(key in ARROWS || key === "Home" || key === "End")) return false;
    const table = [...grid().querySelectorAll("[role=row]")]
      .map((row) => [...row.querySelectorAll(":is([role=gridcell],[role=rowheader]) :is(a,button),:is(a,button):is([role=gridcell],[role=rowheader])")])
      .filter((row) => row.length);
    if (!table.length) return false;
    const [down, right] = ARROWS[key] ?? [0, 0];
    let y = table.findIndex((row) => row.includes(target)), x = y < 0 ? 0 : table[y].indexOf(target);
    if (y >= 0) [y, x] = [y + down, x + right];
    const row = table[Math.min(table.length - 1, Math.max(0, y))];
    if (key === "Home") x = 0;
    if (key === "End") x = row.length - 1;
    row[Math.min(row.length - 1, Math.max(0, x))].focus();
    return true;
  }

  document.addEventListener("keydown", keyed);

  window.board = {
    grid, rows, lanes, vertical, interval, clock, spell, minuteNow, minuteAt, obstacles, stretch, stepOf, snap, nameOf, epoch, goTo, turn, shifted,
    choose, clear, settle, bookChosen, get heading() { return heading; }, get chosen() { return chosen; }, get moving() { return moving; },
  };
})();

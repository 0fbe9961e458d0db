// The board: which minute is where, what is free, what is chosen; clicks on bookings, and everything by keyboard.
// drag.js moves the pointer over it, live.js keeps it up to date.
(() => {
  "use strict";

  const { $, words, load, announce } = window.page;

  // ── the board ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const grid = () => $("#board .board");
  const rows = () => [...document.querySelectorAll("#board .brow[id]")];
  const quarter = (element, name) => Number(getComputedStyle(element).getPropertyValue(name)) || 0;
  const shifted = (day, step) => {
    const date = new Date(`${day}T12:00:00Z`);
    date.setUTCDate(date.getUTCDate() + step);
    return date.toISOString().slice(0, 10);
  };

  function goTo(day) {
    const url = new URL($("#board").getAttribute("hx-get"), location.href);
    url.searchParams.set("day", day);
    load(url.pathname + url.search, "#board", "outerMorph");
  }

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
  const minuteNow = () => (Date.now() / 1000 - Number(grid().dataset.origin)) / 60;
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
    const passed = minuteNow();
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
  let chosen = null;

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

  function bookChosen() {
    const { lane, from, to } = chosen;
    const url = new URL($("#board").dataset.new, location.href);
    const chosenTime = { resource: lane.dataset.r, start: epoch(from), end: epoch(to), day: $("#board").dataset.day };
    for (const [name, value] of Object.entries(chosenTime)) url.searchParams.set(name, value);
    load(url.pathname + url.search, "#panel-body");
  }

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
    const passed = minuteNow();
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

  // What was chosen on a board that is gone is chosen no more.
  document.addEventListener("htmx:after:swap", () => { if (chosen && !chosen.lane.isConnected) chosen = null; });

  window.board = {
    grid, rows, interval, clock, spell, minuteNow, minuteAt, stretch, stepOf, snap, nameOf, epoch, goTo, shifted,
    choose, clear, bookChosen, get chosen() { return chosen; },
  };
})();

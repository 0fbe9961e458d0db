// The pointer over the board: a press or a drag over free time chooses it.
(() => {
  "use strict";

  const { grid, stretch, stepOf, snap, minuteAt, choose, clear, bookChosen } = window.board;
  let drag = null;

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
    else if (window.board.chosen) bookChosen();
  });
  document.addEventListener("pointercancel", () => { drag = null; clear(); });

  window.drag = { get busy() { return drag !== null; } };
})();

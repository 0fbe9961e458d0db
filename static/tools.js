// The tools above the board: where their popovers stand, which chips fit, which section is shown, and what a
// phone sees first.
(() => {
  "use strict";

  const { $, load } = window.page;
  const GAP = 6, LONG = 4000;

  // ── popovers ──────────────────────────────────────────────────────────────────────────────────────────────────────

  // They stand below their button. Where they stand is said on the root, so that a swap of the board leaves it alone.
  function place(pop) {
    const button = pop.id === "filters" ? $("#filters-button") : $(`[popovertarget="${pop.id}"]`);
    const at = button?.getBoundingClientRect();
    if (!at) return;
    const left = Math.min(at.right - pop.offsetWidth, innerWidth - pop.offsetWidth - 8);
    const root = document.documentElement.style;
    root.setProperty("--pop-x", `${Math.max(8, left)}px`);
    root.setProperty("--pop-y", `${at.bottom + GAP}px`);
  }
  const open = () => $(".tpop:popover-open");
  document.addEventListener("toggle", (event) => {
    if (event.newState === "open" && event.target.matches?.(".tpop")) place(event.target);
  }, true);
  // The filters of the last time are not those of now: they come anew each time.
  document.addEventListener("beforetoggle", (event) => {
    if (event.newState === "open" && event.target.id === "filters") event.target.replaceChildren();
  }, true);
  addEventListener("resize", () => { if (open()) place(open()); fitChips(); });

  // ── chips ─────────────────────────────────────────────────────────────────────────────────────────────────────────

  // Those that do not fit into their line are out of sight, so they are out of the way of the keyboard, too.
  function fitChips() {
    const line = $("#chips");
    if (!line) return;
    for (const chip of line.children) chip.inert = chip.offsetTop > line.offsetTop + 4;
  }

  // A filter that was taken away is a list again, and the other way round: the focus stays at what it was about.
  let focused = "";
  document.addEventListener("htmx:before:swap", () => { focused = document.activeElement?.id || ""; });
  function refocus() {
    if (!focused || document.getElementById(focused)) return;
    const [, chip, input] = /^(?:chip-(\w+)|(\w+)-input)$/.exec(focused) || [];
    if (!chip && !input) return;
    const next = chip ? $(`#${chip}-input`) : $(`#chip-${input}`);
    (next && next.offsetParent && !next.inert ? next : $("#filters-button"))?.focus();
  }

  // ── sections ──────────────────────────────────────────────────────────────────────────────────────────────────────

  function markSection() {
    const view = $("#board")?.dataset.view;
    if (!view) return;
    const section = view === "list" || view === "mine" ? "list" : "board";
    for (const link of document.querySelectorAll(".nav a")) {
      if (link.dataset.section === section) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
  }

  // A narrow frame that no phone has asked for begins with the list as well; the sheet hides the board until then.
  function begin() {
    const view = $("#view"), list = view?.dataset.first;
    if (!list) return;
    const show = () => view.removeAttribute("data-first");
    if (!matchMedia("(max-width:640px)").matches) return show();
    load(list, "#board", "outerMorph").finally(show);
    setTimeout(show, LONG); // better the board than nothing
  }

  document.addEventListener("htmx:after:swap", () => {
    fitChips();
    markSection();
    refocus();
    if (open()) place(open());
  });
  fitChips();
  addEventListener("DOMContentLoaded", begin);
})();

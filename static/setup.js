// Setting up: the card of a resource beside the list, bars of hours while they are typed, rows put in order by dragging.
(() => {
  "use strict";

  const { $ } = window.page;
  const panel = $("#panel");
  const beside = () => panel.open && panel.classList.contains("beside");

  // ── the row whose card is open ────────────────────────────────────────────────────────────────────────────────────

  function mark() {
    const card = beside() && $("#resource-form")?.getAttribute("hx-post");
    for (const row of document.querySelectorAll("#rlist .rn")) row.setAttribute("aria-current", row.getAttribute("hx-get") === card);
  }

  // What was saved stays open beside its list, and is not asked for where the list is all that there is room for.
  document.addEventListener("htmx:after:swap", () => {
    const list = $("#resources[data-chosen]");
    // Asked by the list: when somebody has gone on to another page meanwhile, the card is not opened over that.
    if (list && $("#beside")?.checkVisibility()) htmx.ajax("GET", list.dataset.chosen, { source: list, target: "#panel-body", swap: "innerHTML" });
    list?.removeAttribute("data-chosen");
    setTimeout(mark, 0);
  });
  panel.addEventListener("close", mark);

  // Another card would throw away what was typed into this one.
  document.addEventListener("click", (event) => {
    if (!beside() || !panel.hasAttribute("data-typed")) return;
    const asks = event.target.closest?.("#resources :is(button[hx-target='#panel-body'],button[hx-target='#view'],.tabs a)");
    if (!asks || (panel.contains(asks) && !asks.closest("#resource-form"))) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const note = $("#unsaved");
    if (!note) return;
    note.textContent = note.dataset.ask;
    note.classList.add("asked");
    note.focus();
  }, true);

  // ── the bar of a day follows what is typed ────────────────────────────────────────────────────────────────────────

  const HOURS = /^(\d{1,2})(?:[:.](\d{2}))?\s*[-–—]\s*(\d{1,2})(?:[:.](\d{2}))?$/;
  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-bar]")) return;
    const stretches = event.target.value.split(/[,;]/).map((one) => HOURS.exec(one.trim())).filter(Boolean);
    event.target.previousElementSibling.replaceChildren(...stretches.map((found) => {
      const [opens, closes] = [found[1] * 4 + Math.floor((found[2] || 0) / 15), found[3] * 4 + Math.ceil((found[4] || 0) / 15)];
      const bar = document.createElement("i");
      bar.className = `x s${Math.min(95, opens)} n${Math.max(1, Math.min(96 - opens, (closes > opens ? closes : closes + 96) - opens))}`;
      return bar;
    }));
  });

  // ── order by dragging, within a section ───────────────────────────────────────────────────────────────────────────

  let dragged = null;
  const rowOf = (event) => event.target.closest?.("#rlist tr[data-id]");
  document.addEventListener("dragstart", (event) => {
    dragged = rowOf(event);
    dragged?.classList.add("drag");
  });
  document.addEventListener("dragover", (event) => {
    const over = rowOf(event);
    if (!dragged || !over || over.parentElement !== dragged.parentElement) return;
    event.preventDefault();
    const { top, height } = over.getBoundingClientRect();
    if (over !== dragged) over[event.clientY < top + height / 2 ? "before" : "after"](dragged);
  });
  document.addEventListener("dragend", () => {
    if (!dragged) return;
    const section = dragged.parentElement, ids = [...section.querySelectorAll("tr[data-id]")].map((row) => row.dataset.id);
    dragged.classList.remove("drag");
    dragged = null;
    htmx.ajax("POST", section.dataset.order, { target: "#rlist", select: "#rlist", swap: "outerHTML", values: { ids, ...filters() } });
  });
  const filters = () => Object.fromEntries([...new FormData($("#rfilter"))]);
})();

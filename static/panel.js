// The panel beside the board: opens with what is loaded into it, and what its forms do by themselves.
(() => {
  "use strict";

  const { $, words, portal, toast, inSight, openInPortal } = window.page;
  const { clear } = window.board;

  // ── the panel ─────────────────────────────────────────────────────────────────────────────────────────────────────

  const panel = $("#panel"), body = $("#panel-body");
  let shown = null, typed = false;

  async function showPanel() {
    const content = body.firstElementChild;
    if (!content || content === shown) return;
    shown = content;
    type(false);
    if (!panel.open) {
      const beside = $("#beside");
      if (beside?.checkVisibility()) standBeside(beside);
      else {
        document.body.classList.add("has-panel");
        await place();
        if (!panel.open) panel.showModal();
      }
    }
    const target = $("#problems", body) || $("[data-first]", body) || $("#panel-title", body);
    if (target && !target.matches("[tabindex],input,select,button")) target.tabIndex = -1;
    target?.focus({ preventScroll: true });
    if (target?.id === "problems") target.scrollIntoView({ block: "nearest" });
  }

  function type(on) {
    typed = on;
    panel.toggleAttribute("data-typed", on);
  }

  // Beside a list, where there is room, it is a part of the page. It goes home before that part of the page is replaced.
  function standBeside(side) {
    panel.classList.add("beside");
    side.append(panel);
    panel.show();
  }
  function goHome() {
    if (!panel.classList.contains("beside")) return;
    panel.classList.remove("beside");
    document.body.append(panel);
  }
  document.addEventListener("htmx:before:swap", (event) => {
    const goes = ({ target }) => target instanceof Element && target !== panel && target.contains(panel);
    if (panel.classList.contains("beside") && event.detail.tasks.some(goes)) { goHome(); closePanel(); }
  });

  async function place() {
    const sight = await inSight(), floats = sight.height < window.innerHeight - 4;
    const tall = Math.min(window.innerHeight, Math.max(sight.height, 420));
    const top = Math.max(0, Math.min(sight.top, window.innerHeight - tall));
    panel.classList.toggle("floats", floats);
    panel.style.setProperty("--top", `${top}px`);
    panel.style.setProperty("--tall", `${tall}px`);
  }
  addEventListener("resize", () => panel.matches(":modal") && place());

  const closePanel = () => panel.open && panel.close();
  panel.addEventListener("close", () => {
    if (panel.open) return;
    goHome();
    body.replaceChildren();
    shown = null;
    document.body.classList.remove("has-panel");
    clear();
    if (done) toast(done.words, { undo: done.undo });
    done = null;
  });

  // What was done is told, and can be taken back, where the panel says it no more.
  let done = null;
  document.addEventListener("b24:changed", ({ detail }) => { done = panel.open && detail?.undo ? detail : null; });

  // A refusal that is no form again (no right any more, gone) stands above what is there, and takes nothing of it away.
  document.addEventListener("htmx:after:request", (event) => {
    const { ctx } = event.detail, pane = $(".pane:not(.refused) .pbody", body);
    if (!pane || !panel.open || ctx.response.status < 400 || ctx.hx.retarget !== "#panel-body") return;
    const sentences = new DOMParser().parseFromString(ctx.text, "text/html").querySelectorAll(".refused p");
    if (!sentences.length) return;
    event.preventDefault();
    const note = document.createElement("div");
    note.className = "note bad";
    note.id = "problems";
    note.tabIndex = -1;
    note.setAttribute("role", "alert");
    note.append(...sentences);
    $("#problems", pane)?.remove();
    pane.prepend(note);
    note.focus();
  });
  // A click beside the panel closes it, unless that would throw away what was typed.
  panel.addEventListener("input", () => type(true));
  panel.addEventListener("mousedown", (event) => { if (event.target === panel && !typed) closePanel(); });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-close],[data-show],[data-hide],[data-fill],[data-set],[data-open],[data-copy],.why a,.nav a");
    event.target.closest?.(".pmenu .mi")?.closest(".pmenu").hidePopover();
    if (!button) return;
    const act = button.dataset;
    if ("close" in act) closePanel();
    else if (act.show) reveal(act.show, true);
    else if (act.hide) reveal(act.hide, false);
    else if (act.fill) { fill(JSON.parse(act.fill), button.closest("form")); $("[type=submit]", button.closest("form")).focus(); }
    else if (act.set) fill(JSON.parse(act.set), button.closest("form"));
    else if (act.open) openInPortal(act.open);
    else if (act.copy) copy(act.copy);
    else if (button.matches(".why a")) { event.preventDefault(); focusField(button.hash.slice(1)); }
    else goToSection(button);
  });

  // The clipboard is closed to frames of another site unless the portal has opened it; the old way needs no leave.
  async function copy(path) {
    const frame = await portal;
    const field = document.createElement("textarea");
    field.value = String(frame ? frame.slider.getUrl(path) : new URL(path, location.href));
    body.append(field);
    field.select();
    const done = document.execCommand("copy");
    field.remove();
    toast(done ? words.copied : field.value, { bad: !done });
  }

  function goToSection(link) {
    $("[aria-current]", link.parentElement)?.removeAttribute("aria-current");
    link.setAttribute("aria-current", "page");
  }

  function reveal(id, on) {
    const part = document.getElementById(id);
    part.hidden = !on;
    if (on) { part.scrollIntoView({ block: "nearest" }); ($("[data-first]", part) || $("button", part)).focus(); }
    else [...document.querySelectorAll(`[data-show="${id}"]`), $("#panel-title")].find((one) => one.checkVisibility())?.focus();
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

  document.addEventListener("htmx:after:swap", () => { showPanel(); });
  document.addEventListener("b24:saved", (event) => {
    closePanel();
    toast(words.saved.replace("{name}", event.detail.name));
  });
})();

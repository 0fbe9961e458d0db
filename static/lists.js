// Lists: the search field with what it finds, and buttons that open a booking at one part of its panel.
(() => {
  "use strict";

  const { $, portal, send } = window.page;
  const field = () => $("#search-input"), box = () => $("#search-found");
  const options = () => [...box().querySelectorAll("a[role=option]")];

  // ── what was found: the field keeps the focus, arrows walk through the list ───────────────────────────────────────

  function show(on) {
    const shown = on && box().childElementCount > 0;
    box().hidden = !shown;
    field().setAttribute("aria-expanded", shown);
    if (!shown) point(null);
  }

  function point(option) {
    for (const one of options()) one.setAttribute("aria-selected", one === option);
    if (option) { field().setAttribute("aria-activedescendant", option.id); option.scrollIntoView({ block: "nearest" }); }
    else field().removeAttribute("aria-activedescendant");
  }

  function step(by) {
    const all = options(), at = all.findIndex((one) => one.getAttribute("aria-selected") === "true");
    if (all.length) { show(true); point(all[(at + by + (at < 0 && by < 0 ? 1 : 0) + all.length) % all.length]); }
  }

  function enter() {
    const chosen = options().find((one) => one.getAttribute("aria-selected") === "true") || options()[0];
    if (chosen && !box().hidden) chosen.click();
  }

  document.addEventListener("keydown", (event) => {
    if (event.target.id !== "search-input") return;
    if (event.key === "ArrowDown") step(1);
    else if (event.key === "ArrowUp") step(-1);
    else if (event.key === "Enter") enter();
    else if (event.key === "Escape" && !box().hidden) show(false);
    else return;
    event.preventDefault();
  });
  document.addEventListener("focusin", (event) => {
    if (field()) show(Boolean(event.target.closest("#search")) && field().value.trim() !== "");
  });
  document.addEventListener("click", (event) => {
    if (field() && !event.target.closest("#search")) show(false);
    if (event.target.closest?.("#search-found a")) show(false);
  });
  document.addEventListener("htmx:after:swap", () => { if (field() && document.activeElement === field()) show(field().value.trim() !== ""); });

  // ── a booking, opened where something is to be filled in ──────────────────────────────────────────────────────────

  let part = "";
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-part],[data-app],.rowmenu button");
    if (!button) return;
    part = button.dataset.part || "";
    if ("app" in button.dataset) openBoard();
    button.closest("details.rowmenu")?.removeAttribute("open");
  });
  document.addEventListener("htmx:after:swap", () => {
    const opens = part && $(`#panel-body [data-show="${part}"]`);
    if (!opens) return;
    part = "";
    setTimeout(() => opens.click(), 0);
  });

  // A menu closes when something else is pressed, and with Esc, which gives the focus back to its button.
  document.addEventListener("pointerdown", (event) => {
    for (const menu of document.querySelectorAll("details.rowmenu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    const menu = event.key === "Escape" && event.target.closest?.("details.rowmenu[open]");
    if (menu) { menu.open = false; $("summary", menu).focus(); }
  });

  // A list that comes anew keeps what was unfolded, and the free times that were looked for beside it.
  let unfolded = [], times = "", asked = false;
  const looking = () => $("#times .looking");
  function seek() {
    if (!looking()) return;
    if (times) put(times);
    else if (!asked) ask();
  }
  async function ask() {
    asked = true;
    const answer = await send($("#times").dataset.from, { headers: {} }).catch(() => null);
    asked = false;
    if (answer?.ok && $("#times")) put(times = await answer.text());
  }
  function put(text) {
    $("#times").innerHTML = text;
    htmx.process($("#times"));
  }
  addEventListener("DOMContentLoaded", seek);
  document.addEventListener("htmx:before:swap", () => {
    unfolded = [...document.querySelectorAll("details[id][open]")].map((one) => one.id);
  });
  document.addEventListener("htmx:after:swap", () => {
    for (const id of unfolded) { const one = document.getElementById(id); if (one) one.open = true; }
    seek();
  });
  document.addEventListener("b24:changed", () => { if ($("#times")) ask(); });

  // The whole board over the card, in a slider of the portal.
  async function openBoard() {
    const frame = await portal;
    if (frame) await frame.slider.openSliderAppPage({}).catch(() => {});
  }
})();

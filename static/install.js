/* The installer: asks for one step after the other and shows what each of them did. The order and every rule are the
   server's; a step may be asked for again at any time. */
"use strict";

(() => {
  const page = document.getElementById("installer");
  const list = document.getElementById("steps");
  const finish = document.getElementById("finish");
  const again = document.getElementById("again");
  const ask = document.getElementById("ask");
  const bearer = document.querySelector("meta[name=b24-bearer]").content;
  const GOOD = ["done", "unavailable", "skipped"];
  let frame = null;
  let running = false;
  let startedAt = 0;
  let clock = 0;

  const lines = () => [...list.querySelectorAll("[data-step]")];
  const isGood = (line) => GOOD.includes(line.dataset.state);
  const choice = () => ask.querySelector("input[name=open]:checked").value;

  function showProgress() {
    const all = lines().length;
    const done = lines().filter(isGood).length;
    document.getElementById("ready").textContent = page.dataset.ready.replace("{done}", done).replace("{all}", all);
    const bar = document.getElementById("bar");
    if (!bar.firstElementChild) bar.append(document.createElement("i"));
    bar.setAttribute("aria-valuenow", done);
    bar.firstElementChild.style.width = `${(100 * done) / all}%`;
    const complete = done === all;
    finish.disabled = !complete || running;
    finish.setAttribute("aria-disabled", String(finish.disabled));
    finish.classList.toggle("pri", complete);
    again.hidden = running || !lines().some((line) => line.dataset.state !== "wait");
    if (complete && !running) finish.focus();
    frame?.parent.fitWindow().catch(() => {});
  }

  function showTime() {
    const seconds = Math.ceil((performance.now() - startedAt) / 1000);
    document.getElementById("passed").textContent = page.dataset.passed.replace("{s}", seconds);
  }

  function spin(line) {
    line.className = "curd";
    line.querySelector(".is").className = "is spin";
    line.querySelector(".is").textContent = "";
    line.querySelector("[data-note]").textContent = page.dataset.working;
    line.querySelector(".ierr")?.remove();
  }

  function trouble(html) {
    document.getElementById("trouble").innerHTML = html;
  }

  async function token() {
    let auth = frame.auth.getAuthData();
    if (!auth) auth = await frame.auth.refreshAuth();
    return auth.access_token;
  }

  async function askFor(name, skip) {
    const body = new URLSearchParams({ open: choice() });
    if (skip) body.set("skip", "1");
    return fetch(`/install/steps/${name}`, {
      method: "POST",
      body,
      headers: { Authorization: `Bearer ${bearer}`, "X-B24-Token": await token() },
    });
  }

  function replace(line, html) {
    const parsed = new DOMParser().parseFromString(html, "text/html").querySelector("[data-step]");
    if (!parsed) return null;
    line.replaceWith(parsed);
    return parsed;
  }

  function lost(line) {
    line.dataset.state = "failed";
    line.className = "badd";
    line.querySelector(".is").className = "is";
    line.querySelector("[data-note]").textContent = page.dataset.lost;
    const box = document.createElement("div");
    box.className = "ierr";
    const button = document.createElement("button");
    button.type = "button";
    button.className = "btn sm tint";
    button.dataset.do = "retry";
    button.textContent = page.dataset.retry;
    box.append(button);
    line.append(box);
    return line;
  }

  /* One step; true when the next one may begin. */
  async function step(line, skip) {
    spin(line);
    let shown = null;
    try {
      const answer = await askFor(line.dataset.step, skip);
      const html = await answer.text();
      if (answer.ok) shown = replace(line, html);
      else trouble(html);
    } catch (error) {
      console.warn(error);
    }
    shown = shown ?? lost(line);
    showProgress();
    return isGood(shown);
  }

  async function run(names, { skip = false, renew = false } = {}) {
    if (running) return;
    running = true;
    // Permissions that were ticked meanwhile are only in a new token.
    if (renew) await frame.auth.refreshAuth().catch((error) => console.warn(error));
    ask.hidden = true;
    trouble("");
    startedAt = performance.now();
    clock = setInterval(showTime, 1000);
    for (const name of names) {
      const more = await step(list.querySelector(`[data-step="${name}"]`), skip && name === names[0]);
      if (!more) break;
    }
    clearInterval(clock);
    showTime();
    running = false;
    showProgress();
    list.querySelector(".badd [data-do]")?.focus();
  }

  const names = (chosen) => chosen.map((line) => line.dataset.step);
  // What was "not available" below may become available with the step that is tried again.
  const from = (line) => names(lines().slice(lines().indexOf(line)).filter((one) => one.dataset.state !== "done"));

  /* Outside of an installation the portal does not reload us: then again.js, which looks at the same button, does. */
  function openBoard() {
    if (!frame.isInstallMode) return;
    finish.disabled = true;
    frame.installFinish().catch((error) => console.warn(error));
  }

  list.addEventListener("click", (event) => {
    const button = event.target.closest("[data-do]");
    if (!button) return;
    const line = button.closest("[data-step]");
    const skip = button.dataset.do === "skip";
    run(from(line), { skip, renew: !skip });
  });
  ask.addEventListener("submit", (event) => {
    event.preventDefault();
    run(names(lines()));
  });
  finish.addEventListener("click", openBoard);
  again.addEventListener("click", () => run(names(lines()), { renew: true }));

  document.addEventListener("DOMContentLoaded", async () => {
    showProgress();
    try {
      frame = await window.B24Js.initializeB24Frame();
    } catch (error) {
      console.warn(error);
      ask.querySelector("button").disabled = true;
      again.disabled = finish.disabled = true;
      return;
    }
    showProgress();
    if (!frame.isInstallMode) finish.dataset.again = "";
    const open = lines().filter((line) => !isGood(line));
    if (page.dataset.begun === "1" && open.length) run(names(open));
  });
})();

// Importing a table: the file goes to the server once more, and how far it is comes back line by line.
(() => {
  "use strict";

  const { $, send } = window.page;
  let running = false;

  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-import]");
    if (button && !running) carryOut(button);
  });

  async function carryOut(button) {
    const form = $("#import-form"), box = $("#import-preview"), body = new FormData(form);
    body.append("agreed", button.dataset.agreed);
    running = true;
    const bar = drawBar(box, form);
    let html = "";
    try {
      const answer = await send(button.dataset.import, { method: "POST", body, headers: { "HX-Request": "true" } });
      if (!answer.ok) throw new Error(`${answer.status}`);
      for await (const line of lines(answer.body)) {
        if (line.html) html = line.html;
        else show(bar, form, line);
      }
    } catch { /* what was not finished has changed nothing */ }
    running = false;
    if (!box.isConnected) return;
    if (html) box.innerHTML = html;
    else broken(box, form);
    htmx.process(box);
    box.querySelector("[role=alert],[role=status]")?.scrollIntoView({ block: "nearest" });
  }

  async function* lines(stream) {
    const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      const parts = (rest + (value || "")).split("\n");
      rest = parts.pop();
      for (const part of parts) if (part) yield JSON.parse(part);
      if (done) return;
    }
  }

  function drawBar(box, form) {
    const bar = document.createElement("progress"), text = document.createElement("p"), card = document.createElement("div");
    card.className = "card pad fform";
    card.id = "import-progress";
    card.append(text, bar);
    box.replaceChildren(card);
    show(bar, form, { done: 0, of: 0 });
    return bar;
  }

  function show(bar, form, { done, of }) {
    if (of) Object.assign(bar, { max: of, value: done });
    bar.previousSibling.textContent = form.dataset.progress.replace("{done}", done).replace("{of}", of || "…");
  }

  function broken(box, form) {
    const note = document.createElement("div");
    note.className = "note bad";
    note.setAttribute("role", "alert");
    note.textContent = form.dataset.broken;
    box.replaceChildren(note);
  }
})();

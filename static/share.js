// Copies an address. The portal's frame is given no clipboard, so where that is refused the field is selected and copied
// the old way, which a click is enough for.
(() => {
  "use strict";

  const { announce } = window.page;

  async function copy(field) {
    try {
      await navigator.clipboard.writeText(field.value);
      return true;
    } catch {
      field.focus();
      field.select();
      return document.execCommand("copy");
    }
  }

  document.addEventListener("click", async (event) => {
    const button = event.target.closest?.("[data-copy-from]");
    if (!button || !(await copy(document.getElementById(button.dataset.copyFrom)))) return;
    announce(button.dataset.copied);
    button.textContent = button.dataset.copied;
  });
})();

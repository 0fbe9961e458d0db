// A place of ours once more, verified anew: a form, so that neither our bearer nor the portal's token stands in an
// address. Buttons say where to: <button data-again="installer">.
(() => {
  "use strict";

  async function again(where) {
    const frame = await window.B24Js.initializeB24Frame();
    const auth = frame.auth.getAuthData() || (await frame.auth.refreshAuth());
    const bearer = document.querySelector('meta[name="b24-bearer"]').content;
    const form = document.createElement("form");
    form.method = "post";
    form.action = "/b24/again";
    for (const [name, value] of Object.entries({ bearer, where, token: auth.access_token })) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.append(input);
    }
    document.body.append(form);
    form.submit();
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-again]");
    if (button) again(button.dataset.again).catch((error) => console.warn(error));
  });
})();

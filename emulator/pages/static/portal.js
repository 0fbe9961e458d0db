/* The portal around the applications: sliders, dialogs, notices, tabs of a card, parts that refresh themselves. */
'use strict';

(function () {
  const make = (tag, className, text) => {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (text !== undefined) node.textContent = text;
    return node;
  };
  const lang = document.documentElement.lang;
  const WORDS = {
    ru: { slider: 'Страница портала', close: 'Закрыть', choose: 'Выбрать', cancel: 'Отмена', search: 'Найти', nothing: 'Ничего не нашлось' },
    en: { slider: 'Portal page', close: 'Close', choose: 'Select', cancel: 'Cancel', search: 'Search', nothing: 'Nothing found' },
  }[lang === 'ru' ? 'ru' : 'en'];

  /* ── sliders: only the outermost page draws them ────────────────────────── */

  const sliders = [];
  let stale = false;

  /* Menus and cards list their placements when they are loaded: after an installation the page below is out of date. */
  function reloadWhenUncovered() {
    stale = true;
  }

  function openSlider({ url, fields, width, left, label, onClose }) {
    const veil = make('div', 'slider');
    const panel = make('div', 'slider-panel');
    panel.setAttribute('role', 'dialog');
    panel.setAttribute('aria-modal', 'true');
    panel.setAttribute('aria-label', label || WORDS.slider);
    const step = Math.min(sliders.length, 3) * 40;
    panel.style.left = width ? '' : `${Math.max(left || 0, 64) + step}px`;
    if (width) panel.style.width = `min(${width}px, calc(100% - 64px))`;
    const close = make('button', 'slider-label', '×');
    close.setAttribute('aria-label', WORDS.close);
    if (label) close.prepend(make('span', '', label));
    const frame = make('iframe');
    frame.name = `slider-${Date.now()}-${sliders.length}`;
    frame.title = WORDS.slider;
    panel.append(close, frame);
    veil.append(panel);
    document.body.append(veil);
    document.documentElement.style.overflow = 'hidden';
    const slider = { veil, frame, url, fields, onClose, focused: document.activeElement };
    sliders.push(slider);
    close.addEventListener('click', () => dropSlider(slider));
    veil.addEventListener('click', (event) => event.target === veil && dropSlider(slider));
    loadSlider(slider);
    frame.focus();
  }

  function loadSlider({ frame, url, fields }) {
    if (fields) AppLayouts.submitForm(url, fields, frame.name);
    else frame.src = asSlider(url);
  }

  /* Loads a page anew; a slider that was opened by a form gets that form again. */
  function reload(view) {
    const slider = sliders.find((one) => one.fields && one.frame.contentWindow === view);
    if (slider) loadSlider(slider);
    else view.location.reload();
  }

  function asSlider(url) {
    const address = new URL(url, location.origin);
    address.searchParams.set('IFRAME', 'Y');
    address.searchParams.set('IFRAME_TYPE', 'SIDE_SLIDER');
    return address.href;
  }

  function dropSlider(slider) {
    const at = sliders.indexOf(slider);
    if (at < 0) return;
    for (const gone of sliders.splice(at).reverse()) {
      gone.veil.remove();
      if (gone.focused && gone.focused.isConnected) gone.focused.focus();
      if (gone.onClose) gone.onClose();
    }
    if (sliders.length) return;
    document.documentElement.style.overflow = '';
    if (stale) location.reload();
    else refreshParts();
  }

  /* Closes the top slider, if it is the one that shows `view`. */
  function closeSlider(view) {
    const last = sliders[sliders.length - 1];
    if (last && (!view || last.frame.contentWindow === view)) dropSlider(last);
  }

  /* ── notices in the corner ──────────────────────────────────────────────── */

  function toast(text, kind) {
    let corner = document.querySelector('.toasts');
    if (!corner) {
      corner = make('div', 'toasts');
      corner.setAttribute('role', 'status');
      document.body.append(corner);
    }
    const note = make('div', `toast ${kind || ''}`, text);
    corner.append(note);
    setTimeout(() => note.remove(), 8000);
  }

  /* ── dialogs ────────────────────────────────────────────────────────────── */

  function dialog(title) {
    const node = make('dialog');
    node.append(make('h2', '', title));
    document.body.append(node);
    node.addEventListener('close', () => node.remove());
    return node;
  }

  function actions(...buttons) {
    const row = make('div', 'actions');
    row.append(...buttons);
    return row;
  }

  function choiceRow(one, multiple, checked) {
    const row = make('label');
    const input = make('input');
    input.type = multiple ? 'checkbox' : 'radio';
    input.name = 'choice';
    input.checked = checked;
    const text = make('span');
    text.append(make('span', '', one.name || one.title));
    const more = one.desc || one.position;
    if (more) text.append(make('span', 'caption', ` ${more}`));
    row.append(input, text);
    return { row, input, one };
  }

  /* A simple choice from a list; resolves to a list of what was chosen, or to null when cancelled. */
  async function pick({ url, title, multiple, taken, preset }) {
    const found = await (await fetch(url)).json();
    const rows = found.filter((one) => !(taken || []).includes(String(one.id)))
      .map((one) => choiceRow(one, multiple, (preset || []).includes(String(one.id))));
    const node = dialog(title);
    const search = make('input');
    search.type = 'text';
    search.placeholder = WORDS.search;
    search.setAttribute('aria-label', WORDS.search);
    const list = make('div', 'choices');
    list.append(...rows.map((row) => row.row));
    if (!rows.length) list.append(make('p', 'muted', WORDS.nothing));
    search.addEventListener('input', () => {
      const wanted = search.value.toLowerCase();
      for (const row of rows) row.row.hidden = !row.row.textContent.toLowerCase().includes(wanted);
    });
    const choose = make('button', 'btn fill', WORDS.choose);
    const cancel = make('button', 'btn', WORDS.cancel);
    node.append(search, list, actions(choose, cancel));
    node.showModal();
    return new Promise((resolve) => {
      let chosen = null;
      node.addEventListener('close', () => resolve(chosen));
      cancel.addEventListener('click', () => node.close());
      choose.addEventListener('click', () => {
        const marked = rows.filter((row) => row.input.checked).map((row) => row.one);
        if (!marked.length) return;
        chosen = marked;
        node.close();
      });
    });
  }

  /* ── parts of a page that are loaded again while it is looked at ────────── */

  const LIVE_MS = 1000;
  const shown = new WeakMap();
  let held = false; // something is being dragged: what is under the pointer stays as it is

  document.addEventListener('pointerdown', (event) => { held = Boolean(event.target.closest('[draggable], [data-event]')); });
  for (const name of ['pointerup', 'drop', 'dragend']) document.addEventListener(name, () => { held = false; }, true);

  async function refreshPart(part) {
    const answer = await fetch(new URL(part.dataset.refresh || location.href, location.href));
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html').getElementById(part.id);
    if (!fresh || held || fresh.innerHTML === shown.get(part)) return;
    shown.set(part, fresh.innerHTML);
    const scrolled = [...part.querySelectorAll('[data-keep-scroll]')].map((node) => [node.scrollLeft, node.scrollTop]);
    part.innerHTML = fresh.innerHTML;
    part.querySelectorAll('[data-keep-scroll]').forEach((node, at) => {
      if (scrolled[at]) [node.scrollLeft, node.scrollTop] = scrolled[at];
    });
    part.dispatchEvent(new CustomEvent('refreshed', { bubbles: true }));
  }

  function refreshParts(which = '[data-refresh]') {
    return Promise.all([...document.querySelectorAll(which)].map(refreshPart));
  }

  /* The platform pushes changes; here a page that is looked at asks for its live parts. */
  async function keepLive() {
    if (!document.hidden) await refreshParts('[data-live]').catch(() => {});
    setTimeout(keepLive, LIVE_MS);
  }

  /* ── header, links, tabs ────────────────────────────────────────────────── */

  document.addEventListener('click', (event) => {
    const opener = event.target.closest('[data-toggle]');
    const wanted = opener && document.getElementById(opener.dataset.toggle);
    for (const menu of document.querySelectorAll('.popmenu')) {
      if (menu !== wanted && !menu.contains(event.target)) menu.hidden = true;
    }
    if (!wanted) return;
    wanted.hidden = !wanted.hidden;
    opener.setAttribute('aria-expanded', String(!wanted.hidden));
    if (opener.dataset.post) fetch(opener.dataset.post, { method: 'POST' });
  });

  document.addEventListener('click', (event) => {
    const link = event.target.closest('a[data-slider]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    top.Portal.openSlider({ url: link.href });
  });

  document.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' && !document.querySelector('dialog[open]')) top.Portal.closeSlider();
  });

  document.addEventListener('submit', (event) => {
    const question = event.target.dataset.confirm;
    if (question && !window.confirm(question)) event.preventDefault();
  });

  /* Tabs of a card. The frame of a placement is loaded when its tab is opened for the first time. */
  function showTab(tabs, wanted) {
    for (const button of tabs.querySelectorAll('[role=tab]')) {
      const own = button === wanted;
      const panel = document.getElementById(button.getAttribute('aria-controls'));
      button.setAttribute('aria-selected', String(own));
      panel.hidden = !own;
      if (own) openLayouts(panel);
    }
    history.replaceState(null, '', `#${wanted.id}`);
  }

  function reloadData(params, answer) {
    refreshParts().then(() => answer([]));
    if (top !== window) top.Portal.refreshParts();
  }

  function openLayouts(root) {
    for (const box of root.querySelectorAll('[data-layout]:not([data-opened])')) {
      box.dataset.opened = '';
      AppLayouts.open(box, JSON.parse(box.dataset.layout), { reloadData }).then((layout) => { box.layout = layout; });
    }
  }

  function start() {
    for (const part of document.querySelectorAll('[data-refresh]')) shown.set(part, part.innerHTML);
    setTimeout(keepLive, LIVE_MS);
    for (const tabs of document.querySelectorAll('[role=tablist]')) {
      tabs.addEventListener('click', (event) => {
        const button = event.target.closest('[role=tab]');
        if (button) showTab(tabs, button);
      });
      const named = location.hash && document.getElementById(location.hash.slice(1));
      if (named && named.getAttribute('role') === 'tab') showTab(tabs, named);
    }
    for (const box of document.querySelectorAll('[data-layout-now]')) openLayouts(box);
  }

  window.Portal = { openSlider, closeSlider, reload, reloadWhenUncovered, toast, pick, dialog, actions, make, refreshParts };
  document.addEventListener('DOMContentLoaded', start);
})();

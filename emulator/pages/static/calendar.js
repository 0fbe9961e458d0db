/* The calendar: pop-ups of events, the form for a new one, the switch to views of applications and what they may ask. */
'use strict';

(function () {
  const { make, dialog, actions } = window.Portal;
  let active = 'week';
  let words;
  let calendar;

  const layoutBox = () => document.getElementById(active).querySelector('[data-layout]');
  const shownLayout = () => (active === 'week' ? null : layoutBox().layout);
  const events = () => [...document.querySelectorAll('[data-event]')].map((node) => JSON.parse(node.dataset.event));

  /* ── an event ───────────────────────────────────────────────────────────── */

  function line(label, value) {
    const row = make('div');
    row.append(make('dt', '', label));
    const words_ = make('dd');
    if (typeof value === 'string') words_.textContent = value;
    else words_.append(...value);
    row.append(words_);
    return row;
  }

  function links(list) {
    return list.flatMap((one, at) => {
      const link = make(one.url ? 'a' : 'span', '', one.text);
      if (one.url) {
        link.href = one.url;
        link.dataset.slider = '';
      }
      return at ? [', ', link] : [link];
    });
  }

  /* Addresses inside a description become links; those of the portal open beside. */
  function withLinks(text) {
    return text.split(/(https?:\/\/[^\s<>"]+)/).map((piece, at) => {
      if (at % 2 === 0) return piece;
      const link = make('a', '', piece);
      link.href = piece;
      if (link.origin === location.origin) link.dataset.slider = '';
      else Object.assign(link, { target: '_blank', rel: 'noreferrer' });
      return link;
    });
  }

  function showEvent(one) {
    const node = dialog(one.title);
    const list = make('dl', 'fieldlist');
    for (const key of ['when', 'section', 'place', 'description', 'host', 'attendees']) {
      if (one[key]) list.append(line(words[key], key === 'description' ? withLinks(one[key]) : one[key]));
    }
    if (one.links.length) list.append(line(words.links, links(one.links)));
    const close = make('button', 'btn', words.close);
    close.addEventListener('click', () => node.close());
    node.append(list, actions(close, ...choices(one, node)));
    list.addEventListener('click', (event) => event.target.closest('a') && node.close());
    node.showModal();
    close.focus();
  }

  function choice(label, look, node, act) {
    const button = make('button', look, label);
    button.addEventListener('click', async () => {
      node.close();
      await act();
    });
    return button;
  }

  /* An invited person answers; whoever may write the calendar edits and deletes. */
  function choices(one, node) {
    const answer = (status) => () => send('/_calendar/answer', { id: one.id, status });
    const buttons = [];
    if (one.answer && one.answer !== 'Y') buttons.push(choice(words.accept, 'btn', node, answer('Y')));
    if (one.answer && one.answer !== 'N') buttons.push(choice(words.decline, 'btn bad', node, answer('N')));
    if (one.editable) buttons.push(choice(words.edit, 'btn', node, () => editEvent(one)));
    if (!one.answer) buttons.push(choice(words.remove, 'btn bad', node, () => deleteEvent(one.id)));
    return buttons;
  }

  async function send(path, values) {
    const answer = await fetch(path, { method: 'POST', body: new URLSearchParams(values) });
    const body = await answer.json();
    if (!answer.ok) top.Portal.toast(body.error, 'bad');
    else await changed();
    return answer.ok;
  }

  const deleteEvent = (id) => send('/_calendar/delete', { id });

  async function changed() {
    await Portal.refreshParts('#week');
    const layout = shownLayout();
    if (layout) layout.fire('Calendar.customView:refreshEntries', {});
  }

  function field(form, label, name, type, value) {
    const row = make('label', 'field');
    const input = make('input');
    input.type = type;
    input.name = name;
    input.value = value;
    input.required = true;
    row.append(make('span', '', label), input);
    form.append(row);
  }

  function checkbox(form, label, name, on) {
    const row = make('label', 'check');
    const input = make('input');
    Object.assign(input, { type: 'checkbox', name, value: 'Y', checked: on });
    row.append(input, label);
    form.append(row);
  }

  function editEvent(one) {
    const node = dialog(words.edit);
    const form = make('form', 'form');
    const kind = one.allDay ? 'date' : 'datetime-local';
    field(form, words.name, 'name', 'text', one.title);
    field(form, words.start, 'from', kind, one.from);
    field(form, words.end, 'to', kind, one.to);
    field(form, words.place, 'location', 'text', one.place);
    form.elements.location.required = false;
    checkbox(form, words.private, 'private', one.private);
    const save = make('button', 'btn fill', words.save);
    const cancel = make('button', 'btn', words.cancel);
    cancel.type = 'button';
    cancel.addEventListener('click', () => node.close());
    form.append(actions(save, cancel));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const values = { private: 'N', ...Object.fromEntries(new FormData(form)), id: one.id };
      if (await send('/_calendar/change', values)) node.close();
    });
    node.append(form);
    node.showModal();
  }

  /* ── dragging: an event follows the pointer by quarters of an hour, from day to day ── */

  const QUARTER = 15;
  let drag = null;
  let justDragged = false; // the click that ends a drag opens nothing

  const minutesOf = (iso) => Number(iso.slice(11, 13)) * 60 + Number(iso.slice(14, 16));
  const wall = (iso) => new Date(`${iso}:00Z`);
  const written = (moment) => moment.toISOString().slice(0, 16);

  function startDrag(event) {
    justDragged = false;
    const node = event.target.closest('.week-day [data-event]');
    if (!node || event.button !== 0) return;
    const one = JSON.parse(node.dataset.event);
    if (!one.editable || one.allDay) return;
    drag = { node, one, x: event.clientX, y: event.clientY, moved: false };
  }

  function moveDrag(event) {
    if (!drag) return;
    if (!drag.moved && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < 5) return;
    drag.moved = true;
    event.preventDefault();
    const days = [...document.querySelectorAll('[data-day]')];
    const day = days.find((one) => {
      const box = one.getBoundingClientRect();
      return event.clientX >= box.left && event.clientX < box.right;
    }) || drag.node.parentElement;
    const perMinute = day.offsetHeight / 1440;
    const shift = Math.round((event.clientY - drag.y) / perMinute / QUARTER) * QUARTER;
    drag.minutes = Math.max(0, Math.min(1440 - QUARTER, minutesOf(drag.one.from) + shift));
    drag.day = day.dataset.day;
    day.append(drag.node);
    drag.node.style.top = `${(drag.minutes / 1440) * 100}%`;
    drag.node.classList.add('dragged');
  }

  function endDrag() {
    const done = drag;
    drag = null;
    if (!done || !done.moved) return;
    justDragged = true;
    const start = new Date(wall(`${done.day}T00:00`).getTime() + done.minutes * 60000);
    const end = new Date(start.getTime() + (wall(done.one.to) - wall(done.one.from)));
    send('/_calendar/change', { id: done.one.id, from: written(start), to: written(end) }).then((saved) => {
      if (!saved) Portal.refreshParts('#week');
    });
  }

  function newEvent(start) {
    const node = dialog(words.create);
    const form = make('form', 'form');
    field(form, words.name, 'name', 'text', '');
    field(form, words.start, 'from', 'datetime-local', `${start}:00`);
    const hour = String(Math.min(23, Number(start.slice(-2)) + 1)).padStart(2, '0');
    field(form, words.end, 'to', 'datetime-local', `${start.slice(0, -2)}${hour}:00`);
    const section = make('select');
    section.name = 'section';
    section.append(...calendar.sections.map((one) => new Option(one.name, one.id)));
    const row = make('label', 'field');
    row.append(make('span', '', words.section), section);
    const save = make('button', 'btn fill', words.save);
    const cancel = make('button', 'btn', words.cancel);
    cancel.type = 'button';
    cancel.addEventListener('click', () => node.close());
    form.append(row);
    checkbox(form, words.private, 'private', false);
    form.append(actions(save, cancel));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      const values = { ...Object.fromEntries(new FormData(form)), type: calendar.type, owner: calendar.owner };
      if (await send('/_calendar/add', values)) node.close();
    });
    node.append(form);
    node.showModal();
  }

  const todayAt = (hour) => `${new Date().toLocaleDateString('sv')}T${hour}`;

  /* ── views of applications ──────────────────────────────────────────────── */

  function found(params) {
    const id = String(params.id || params.uid || '');
    return events().find((one) => String(one.id) === id);
  }

  const hooks = {
    getEvents: (params, answer) => answer(events()),
    viewEvent(params, answer) {
      const one = found(params);
      if (one) showEvent(one);
      answer({ result: Boolean(one) });
    },
    addEvent(params, answer) {
      newEvent(todayAt('10'));
      answer({ result: true });
    },
    editEvent(params, answer) {
      hooks.viewEvent(params, answer);
    },
    deleteEvent: (params) => found(params) && deleteEvent(found(params).id),
  };

  function showView(id) {
    active = id;
    for (const button of document.querySelectorAll('[data-view]')) {
      button.setAttribute('aria-pressed', String(button.dataset.view === id));
      document.getElementById(button.dataset.view).hidden = button.dataset.view !== id;
    }
    const box = id === 'week' ? null : layoutBox();
    if (!box || 'opened' in box.dataset) return;
    box.dataset.opened = '';
    AppLayouts.open(box, JSON.parse(box.dataset.layout), hooks).then((layout) => { box.layout = layout; });
  }

  /* The grid is loaded anew for another week; the frame of an application stays and is told. */
  function step(direction) {
    const period = document.querySelector('[data-period]');
    const layout = shownLayout();
    if (!layout) {
      go(direction === 0 ? '' : `?date=${moved(period.dataset.monday, direction * 7)}`);
      return;
    }
    if (direction === 0) layout.fire('Calendar.customView:adjustToDate', todayAt('').slice(0, 10));
    else layout.fire(`Calendar.customView:${direction < 0 ? 'decrease' : 'increase'}ViewRangeDate`, {});
  }

  function go(query) {
    const address = new URL(location.pathname + query, location.origin);
    if (new URLSearchParams(location.search).get('IFRAME') === 'Y') address.searchParams.set('IFRAME', 'Y');
    location.assign(address);
  }

  function moved(iso, days) {
    const day = new Date(`${iso}T12:00:00Z`);
    day.setUTCDate(day.getUTCDate() + days);
    return day.toISOString().slice(0, 10);
  }

  document.addEventListener('DOMContentLoaded', () => {
    words = document.getElementById('event-words').dataset;
    calendar = JSON.parse(document.querySelector('[data-calendar]').dataset.calendar);
    const week = document.querySelector('.week');
    const today = week.querySelector('.week-head .today');
    week.scrollTop = 8 * 48 - 12;
    if (today) week.scrollLeft = today.offsetLeft - 56;
    document.addEventListener('pointerdown', startDrag);
    document.addEventListener('pointermove', moveDrag);
    document.addEventListener('pointerup', endDrag);
    document.addEventListener('click', (event) => {
      if (justDragged) { justDragged = false; return; }
      const one = event.target.closest('[data-event]');
      const day = event.target.closest('[data-day]');
      if (one) showEvent(JSON.parse(one.dataset.event));
      else if (day && event.target === day) {
        const hour = Math.floor((event.offsetY / day.offsetHeight) * 24);
        newEvent(`${day.dataset.day}T${String(hour).padStart(2, '0')}`);
      }
      const view = event.target.closest('[data-view]');
      if (view) showView(view.dataset.view);
      const period = event.target.closest('[data-step]');
      if (period) step(Number(period.dataset.step));
      if (event.target.closest('[data-new-event]')) newEvent(todayAt('10'));
    });
  });
})();

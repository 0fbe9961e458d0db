/* The portal's end of the channel between a page of the portal and the frame of an application.
   Format of messages, list of commands and what is dropped in silence: docs "Widgets", protocol of applayout.js. */
'use strict';

(function () {
  const BASE_EVENTS_OF_CALENDAR = [
    'Calendar.customView:refreshEntries', 'Calendar.customView:decreaseViewRangeDate',
    'Calendar.customView:increaseViewRangeDate', 'Calendar.customView:adjustToDate',
  ];
  const INTERFACES = {
    CALENDAR_GRIDVIEW: {
      command: ['getEvents', 'viewEvent', 'addEvent', 'editEvent', 'deleteEvent'], event: BASE_EVENTS_OF_CALENDAR,
    },
    _DETAIL_TAB: { command: ['reloadData'], event: [] },
    _DETAIL_ACTIVITY: { command: ['reloadData'], event: [] },
    _LIST_MENU: { command: ['reloadData'], event: [] },
  };
  const OPEN_PATH = /^\/(?:crm\/(?:deal|lead|contact|company|type)|marketplace|company\/personal\/user\/\d+|workgroups\/group\/\d+)\//;

  /* ── messages ─────────────────────────────────────────────────────────── */

  function decoded(json) {
    if (json === '') return [];
    try {
      return JSON.parse(json);
    } catch {
      return undefined;
    }
  }

  /* Returns {method, params, callback, sid}, or null for what is no message of ours. The JSON itself may hold colons,
     and b24jssdk leaves out an empty JSON segment. */
  function parseMessage(data) {
    if (data && typeof data === 'object' && typeof data.method === 'string') {
      const params = typeof data.params === 'string' ? decoded(data.params) : data.params || [];
      return { method: data.method, params, callback: String(data.callback || ''), sid: String(data.appSid || '') };
    }
    if (typeof data !== 'string') return null;
    const parts = data.split(':');
    if (parts.length < 3) return null;
    const params = decoded(parts.slice(1, -2).join(':'));
    if (params === undefined) return null;
    return { method: parts[0], params, callback: parts[parts.length - 2], sid: parts[parts.length - 1] };
  }

  function interfaceOf(placement) {
    const suffix = Object.keys(INTERFACES).find((name) => placement.endsWith(name));
    return suffix ? INTERFACES[suffix] : { command: [], event: [] };
  }

  /* Nested values as the fields of a form: a[b]=c. Numbers become text and empty lists vanish, as in the portal. */
  function formFields(value, prefix) {
    if (value === null || value === undefined) return [];
    if (typeof value !== 'object') return [[prefix, String(value)]];
    return Object.entries(value).flatMap(([key, one]) => formFields(one, prefix ? `${prefix}[${key}]` : key));
  }

  async function post(path, body) {
    const answer = await fetch(path, {
      method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
    return answer.json();
  }

  /* ── one application frame in a page ───────────────────────────────────── */

  class AppLayout {
    /* `hooks` are what the page around can do for a placement: {reloadData(), calendar: {...}}. */
    constructor(box, opened, hooks) {
      this.box = box;
      this.opened = opened;
      this.sid = opened.form.app_sid;
      this.origin = opened.form.app_origin;
      this.placement = opened.init.PLACEMENT;
      this.mode = opened.mode;
      this.hooks = hooks || {};
      this.bound = [];
      this.listener = (event) => this.receive(event);
    }

    show() {
      const { form } = this.opened;
      const frame = document.createElement('iframe');
      frame.name = form.name;
      frame.title = this.opened.title;
      frame.allow = 'geolocation *; microphone *; camera *; autoplay *';
      frame.addEventListener('load', () => this.box.classList.add('shown'));
      this.box.append(frame);
      this.frame = frame;
      this.fit();
      window.addEventListener('message', this.listener);
      submitForm(form.url, Object.entries(form.fields), form.name);
    }

    fit() {
      if (this.mode === 'slider') return;
      const top = this.box.getBoundingClientRect().top + window.scrollY;
      this.frame.style.height = `${Math.max(420, window.innerHeight - top - 32)}px`;
    }

    close() {
      window.removeEventListener('message', this.listener);
      this.box.classList.remove('shown');
      if (this.frame) this.frame.remove();
    }

    receive(event) {
      if (event.origin !== this.origin) return;
      const message = parseMessage(event.data);
      if (!message || message.sid !== this.sid || this.denies(message.method)) return;
      const answer = (value) => this.answer(message.callback, value);
      if (Object.hasOwn(COMMANDS, message.method)) COMMANDS[message.method](this, message.params, answer, message);
      else if (interfaceOf(this.placement).command.includes(message.method)) this.command(message, answer);
    }

    /* A denied message is dropped without an answer. */
    denies(method) {
      if (method === 'setTitle') return this.placement !== 'DEFAULT';
      if (method === 'placementBindEvent') return this.placement === 'DEFAULT';
      return method === 'resizeWindow' && this.mode === 'slider' && this.placement !== 'CALENDAR_GRIDVIEW';
    }

    answer(callback, value) {
      if (!callback || !this.frame || !this.frame.contentWindow) return;
      const json = value === undefined ? '' : JSON.stringify(value);
      this.frame.contentWindow.postMessage(`${callback}:${json}`, this.origin);
    }

    command(message, answer) {
      const hook = this.hooks[message.method];
      if (hook) hook(message.params, answer);
    }

    fire(name, value) {
      for (const bound of this.bound) if (bound.event === name) this.answer(bound.callback, value);
    }

    call(action, body) {
      return post(`/_layout/${action}`, { app_sid: this.sid, client_id: this.opened.client_id, ...body });
    }
  }

  /* ── commands of the base set ───────────────────────────────────────────── */

  const COMMANDS = {
    getInitData(layout, params, answer) {
      answer(layout.opened.init);
      layout.opened.init.FIRST_RUN = false;
    },

    async refreshAuth(layout, params, answer) {
      try {
        const tokens = await layout.call('refresh', { refresh_id: layout.opened.init.REFRESH_ID });
        Object.assign(layout.opened.init, tokens);
        answer(tokens);
      } catch {
        top.Portal.toast(layout.opened.words.refresh_failed, 'bad');
      }
    },

    resizeWindow(layout, params, answer) {
      const height = parseInt(params.height, 10);
      if (height > 0) layout.frame.style.height = `${height}px`;
      const width = String(params.width || '100%');
      layout.frame.style.width = width.endsWith('%') ? width : `${parseInt(width, 10)}px`;
      answer({ width: layout.frame.offsetWidth, height: layout.frame.offsetHeight });
    },

    setTitle(layout, params, answer) {
      const heading = document.querySelector('[data-page-title]');
      if (heading) heading.textContent = String(params.title || '');
      answer(params);
    },

    setScroll(layout, params, answer) {
      window.scrollTo(0, parseInt(params.scroll, 10) || 0);
      answer(params);
    },

    async setUserOption(layout, params, answer) {
      await layout.call('user-option', { name: String(params.name), value: params.value });
      answer(params);
    },

    async setAppOption(layout, params, answer) {
      if (!layout.opened.init.IS_ADMIN) return;
      answer(await layout.call('app-option', { name: String(params.name), value: params.value }));
    },

    setInstall(layout, params, answer) {
      answer(params);
    },

    /* No answer: the page is loaded anew, or the slider is opened again. The flag is a quirk of the portal: it is Y
       also for a refused call, so applications trust only app.info. */
    async setInstallFinish(layout, params) {
      if (!layout.opened.init.INSTALL) return;
      const failed = params.value === false;
      if (!failed) await layout.call('install-finish', {});
      top.Portal.reloadWhenUncovered();
      const address = new URL(location.href);
      address.searchParams.set('install_finished', failed ? 'N' : 'Y');
      location.replace(address);
    },

    reloadWindow() {
      top.Portal.reload(window);
    },

    openApplication(layout, params, answer) {
      openApplication(layout, params, () => answer(undefined));
    },

    closeApplication(layout, params, answer) {
      if (layout.mode !== 'slider') return;
      answer(undefined);
      setTimeout(() => top.Portal.closeSlider(window), 0);
    },

    openPath(layout, params, answer) {
      const path = String(params.path || '');
      const address = OPEN_PATH.test(path) ? new URL(path, location.origin) : null;
      if (!address || address.origin !== location.origin) {
        answer({ result: 'error', errorCode: 'PATH_NOT_AVAILABLE' });
        return;
      }
      address.searchParams.set('from', 'rest_placement');
      address.searchParams.set('from_app', layout.opened.client_id);
      top.Portal.openSlider({ url: address.href, onClose: () => answer({ result: 'close' }) });
    },

    async selectUser(layout, params, answer) {
      const chosen = await top.Portal.pick({
        url: '/_layout/users', title: params.title || layout.opened.words.select_user, multiple: Boolean(params.mult),
      });
      if (chosen) answer(params.mult ? chosen : chosen[0]);
    },

    async selectAccess(layout, params, answer) {
      const taken = Object.values(params.value || []).map(String);
      const chosen = await top.Portal.pick({
        url: '/_layout/access', title: params.title || layout.opened.words.select_access, multiple: true, taken,
      });
      if (chosen) answer(chosen);
    },

    async selectCRM(layout, params, answer) {
      const types = Object.values(params.entityType || ['contact', 'company', 'deal']);
      const query = types.map((type) => `type=${encodeURIComponent(type)}`).join('&');
      const chosen = await top.Portal.pick({
        url: `/_layout/crm?${query}`, title: layout.opened.words.select_crm, multiple: Boolean(params.multiple),
        preset: preset(params.value),
      });
      if (chosen) answer(byType(chosen));
    },

    getInterface(layout, params, answer) {
      answer(interfaceOf(layout.placement));
    },

    placementBindEvent(layout, params, answer, message) {
      if (!interfaceOf(layout.placement).event.includes(params.event)) return;
      layout.bound.push({ event: params.event, callback: message.callback });
    },

    imCallTo: (layout) => top.Portal.toast(layout.opened.words.messenger),
    imPhoneTo: (layout) => top.Portal.toast(layout.opened.words.messenger),
    imOpenMessenger: (layout) => top.Portal.toast(layout.opened.words.messenger),
    imOpenHistory: (layout) => top.Portal.toast(layout.opened.words.messenger),
  };

  function preset(value) {
    return Object.values(value || {}).flatMap((one) => (typeof one === 'object' ? Object.values(one || {}) : [one])).map(String);
  }

  /* The portal answers buckets by type, as maps with numeric keys. */
  function byType(chosen) {
    const buckets = {};
    for (const one of chosen) {
      buckets[one.type] = buckets[one.type] || {};
      buckets[one.type][Object.keys(buckets[one.type]).length] = one;
    }
    return buckets;
  }

  /* ── opening ────────────────────────────────────────────────────────────── */

  function submitForm(action, fields, target) {
    const form = document.createElement('form');
    form.method = 'post';
    form.action = action;
    form.target = target;
    form.hidden = true;
    for (const [name, value] of fields) {
      const input = document.createElement('input');
      input.type = 'hidden';
      input.name = name;
      input.value = value;
      form.append(input);
    }
    document.body.append(form);
    form.submit();
    form.remove();
  }

  function withoutSettings(params) {
    return Object.fromEntries(Object.entries(params || {}).filter(([key]) => !key.startsWith('bx24_')));
  }

  function openApplication(layout, params, onClose) {
    const options = params.options && typeof params.options === 'object' && params.params ? params.params : withoutSettings(params);
    top.Portal.openSlider({
      width: parseInt(params.bx24_width, 10) || 0,
      left: parseInt(params.bx24_leftBoundary, 10) || 0,
      label: params.bx24_label && params.bx24_label.text,
      fields: [
        ...formFields(options, 'PLACEMENT_OPTIONS'),
        ['page_title', String(params.bx24_title || '')],
        ['page_uri', location.pathname + location.search],
      ],
      url: `/marketplace/app/${layout.opened.app_id}/?IFRAME=Y&IFRAME_TYPE=SIDE_SLIDER`,
      onClose,
    });
  }

  /* Opens an application in `box`. `what` = {app_id} or {placement_id}, with options and uri; a portal page (not
     installed completely, no access) comes as HTML instead of a frame. Resolves to the AppLayout or null. */
  async function openLayout(box, what, hooks) {
    const opened = await post('/_layout/open', what);
    if (opened.html) {
      box.innerHTML = opened.html;
      box.classList.add('shown');
      return null;
    }
    const layout = new AppLayout(box, opened, hooks);
    layout.show();
    return layout;
  }

  window.AppLayouts = { open: openLayout, parseMessage, formFields, submitForm };
})();

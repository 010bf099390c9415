// SPDX-License-Identifier: Apache-2.0
// A stand-in for Freshchat's widget script: what of window.fcWidget widget.js and shops use, over the sandbox's store, so
// that what is typed here is a customer's message like any other. As with the real one, the user is made by the first
// message, and properties that were set before go with it. Loaded as /js/widget.js it waits for init(), as /1/1.js it
// takes its options from window.fcSettings.
'use strict';
(() => {
  const script = document.currentScript, base = new URL(script.src).origin;
  const names = ['firstName', 'lastName', 'email', 'phone'];
  const heard = {}, pending = {}, person = {};
  let options = null, user = null, panel = null, opened = false, making = null;

  const tell = (name, data) => (heard[name] || []).forEach(listener => listener({success: true, status: 200, data}));
  const answer = data => Promise.resolve({success: true, status: 200, data});

  async function post(path, body) {
    const reply = await fetch(base + path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
    if (!reply.ok) throw new Error('HTTP ' + reply.status);
    return reply.json();
  }

  async function setProperties(given) {
    if (!options) throw new Error('not initialised');
    for (const name in given) (names.includes(name) ? person : pending)[name] = String(given[name]);
    if (user) await post('/sandbox/customers/' + user.user_id + '/properties', pending);
    return answer(given);
  }

  const known = () => ({alias: user.user_id, restoreId: user.user_id + '.' + user.conversation_id});

  function make() {
    return making ??= (async () => {
      const made = await post('/sandbox/customers', {first_name: person.firstName, last_name: person.lastName, email: person.email, phone: person.phone,
                                                     reference_id: options.externalId});
      await post('/sandbox/customers/' + made.user_id + '/properties', pending);
      user = made;
      tell('user:created', known());
    })();
  }

  async function send(text) {
    if (!user) await make();
    await post('/sandbox/conversations/' + user.conversation_id + '/messages', {text});
    tell('message:sent', {});
    await refresh();
  }

  // ---------------------------------------------------------------- what is seen
  const CSS = `:host{all:initial;font:15px/1.4 system-ui,sans-serif;color:#16242f}
    .launch{position:fixed;right:24px;bottom:24px;width:60px;height:60px;border:0;border-radius:50%;background:#1b6b4f;color:#fff;
      font:600 14px system-ui,sans-serif;cursor:pointer}
    .panel{position:fixed;right:24px;bottom:96px;width:min(340px,calc(100vw - 48px));height:420px;max-height:calc(100vh - 130px);display:flex;
      flex-direction:column;background:#fff;border:1px solid #c9d3da;border-radius:14px;overflow:hidden;box-shadow:0 12px 40px #0003}
    .panel[hidden]{display:none}
    header{padding:12px 16px;background:#1b6b4f;color:#fff;font-weight:600}
    ol{flex:1;margin:0;padding:12px;list-style:none;overflow:auto}
    li{margin:0 0 8px;padding:8px 12px;border-radius:12px;background:#eef2f4;max-width:85%;width:fit-content;white-space:pre-wrap}
    li.mine{background:#d8efe5;margin-left:auto}
    small{display:block;color:#51616d}
    .button{display:block;width:fit-content;margin-top:6px;padding:5px 14px;border-radius:8px;background:#1b6b4f;color:#fff;text-decoration:none}
    form{display:flex;gap:8px;padding:10px;border-top:1px solid #dde4e8}
    textarea{flex:1;resize:none;font:inherit;padding:8px;border:1px solid #9aa8b3;border-radius:8px}
    form button{border:0;border-radius:8px;background:#1b6b4f;color:#fff;font:600 14px system-ui,sans-serif;padding:0 14px}
    :focus-visible{outline:3px solid #e06c00;outline-offset:2px}`;

  function element(parent, name, text, attributes) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    parent.append(made);
    return made;
  }

  // Only what a browser opens as a page becomes a link.
  function showPart(item, part) {
    const button = part.url_button;
    if (button && /^https?:/.test(button.url))
      element(item, 'a', button.label, {class: 'button', href: button.url, target: button.target || '_blank', rel: 'noopener'});
    else
      element(item, 'span', part.text ? part.text.content : '[' + Object.keys(part)[0] + ']');
  }

  function build() {
    const host = element(document.body, 'div', undefined, {id: 'fc_frame'}), root = host.attachShadow({mode: 'open'});
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
    root.adoptedStyleSheets = [sheet];
    const launch = element(root, 'button', 'Chat', {class: 'launch', type: 'button'});
    const box = element(root, 'section', undefined, {class: 'panel', 'aria-label': 'Chat', hidden: ''});
    element(box, 'header', 'Ask us. We answer right here');
    const list = element(box, 'ol', undefined, {'aria-live': 'polite'}), form = element(box, 'form');
    const text = element(form, 'textarea', undefined, {rows: 2, 'aria-label': 'Message', maxlength: 4000, placeholder: 'Write a message…'});
    element(form, 'button', 'Send', {type: 'submit'});
    launch.addEventListener('click', () => opened ? close() : open());
    form.addEventListener('submit', event => {
      event.preventDefault();
      const words = text.value.trim();
      text.value = '';
      if (words) send(words);
    });
    text.addEventListener('keydown', event => {
      if (event.key !== 'Enter' || event.shiftKey) return;
      event.preventDefault();
      form.requestSubmit();
    });
    panel = {host, box, list, text};
    new EventSource(base + '/sandbox/events').onmessage = refresh;
  }

  async function show() {
    if (!user || !panel) return;
    const reply = await fetch(base + '/sandbox/conversations/' + user.conversation_id);
    if (!reply.ok) return;
    const messages = await reply.json(), list = document.createDocumentFragment();
    for (const message of messages) {
      const item = element(list, 'li', undefined, {class: message.by === 'user' ? 'mine' : 'theirs'});
      if (message.by !== 'user') element(item, 'small', message.name || 'Shop');
      for (const part of message.parts) showPart(item, part);
    }
    panel.list.replaceChildren(list);
    panel.list.scrollTop = panel.list.scrollHeight;
  }

  // One look at a time, and one more when something changed meanwhile: an older answer never replaces a newer one.
  let looking = null, again = false;
  function refresh() {
    again = true;
    looking ??= (async () => {
      try {
        while (again) {
          again = false;
          await show();
        }
      } finally {
        looking = null;
      }
    })();
    return looking;
  }

  function open() {
    if (!panel) return;
    opened = true;
    panel.box.hidden = false;
    panel.text.focus();
    tell('widget:opened');
  }

  function close() {
    opened = false;
    panel.box.hidden = true;
    tell('widget:closed');
  }

  function init(given) {
    if (options) return;
    if (!given || !given.token || !given.host) throw new Error('init needs token and host');
    options = given;
    const [userId, conversationId] = String(given.restoreId || '').split('.');
    if (conversationId) user = {user_id: userId, conversation_id: conversationId};
    if (given.onInit) given.onInit();
    // The frame takes a moment, as the real one does.
    setTimeout(() => {
      build();
      refresh();
      if (given.open) open();
      tell('widget:loaded');
    }, 0);
  }

  window.fcWidget = {
    init, open, close,
    isInitialized: () => options !== null,
    isLoaded: () => panel !== null,
    isOpen: () => opened,
    on: (name, listener) => { (heard[name] ??= []).push(listener); },
    off: (name, listener) => { heard[name] = (heard[name] || []).filter(other => other !== listener); },
    destroy: () => { if (panel) panel.host.remove(); },
    user: {
      setProperties,
      create: given => setProperties(given || {}).then(make).then(() => answer({})),
      get: () => user ? answer(known()) : Promise.reject({success: false, status: 404}),
    },
  };
  if (!script.src.endsWith('/widget.js')) init(window.fcSettings);
})();

// SPDX-License-Identifier: Apache-2.0
// What a shop's page loads: Freshchat's widget, what is in the cart, where the shopper struggles (docs/friction.md), and
// "Call us". Served by deskbell-front, without what only readers need (squeeze.h), and with its configuration in place of
// the word at its end. It must never harm the page: one global, every entry guarded, errors counted in deskbell.errors and
// not thrown.
((config) => {
  'use strict';
  const early = window.deskbell;
  if (early && early.version) return; // a second tag
  const doc = document, assign = Object.assign, tag = doc.currentScript, data = tag ? tag.dataset : {}, nonce = tag ? tag.nonce : '';
  const began = performance.now(), site = data.site || '', key = 'deskbell:' + site;
  const api = {version: 1, errors: 0, chat: 'off', loadMs: 0};
  const safe = work => function (...args) {
    try {
      return work.apply(this, args);
    } catch (error) {
      api.errors++;
    }
  };
  const on = (target, name, work) => target.addEventListener(name, safe(work), true);
  const later = (work, ms) => setTimeout(safe(work), ms);
  // Private windows and full stores: then it is kept for this page only.
  const read = store => {
    try {
      return JSON.parse(window[store][key]) || {};
    } catch (error) {
      return {};
    }
  };
  const write = (store, value) => {
    try {
      window[store][key] = JSON.stringify(value);
    } catch (error) {}
  };
  const words = (value, most) => String(value == null ? '' : value).replace(/\s+/g, ' ').trim().slice(0, most);

  // ---------------------------------------------------------------- friction
  const HALF_MS = 300000, CHECKOUT = /^(checkout|payment)/i;
  //             weight, cap, words
  const SIGNALS = {
    __proto__: null,
    payment_declined: [30, 60, 'payment declined'],
    rage_click: [20, 40, 'rage click'],
    promo_refused: [15, 30, 'promo code refused'],
    validation_failed: [12, 36, 'field refused'],
    checkout_reentered: [12, 24, 'checkout step entered again'],
    error_click: [10, 30, 'error after click'],
    idle_checkout: [10, 20, 'long pause in checkout'],
    dead_click: [8, 24, 'dead click'],
  };
  const ACTIVE = 'a[href],button,summary,label,[role=button],[role=tab],[type=submit],[type=button]';
  const TEXT = 'input:not([type=submit],[type=button]),textarea,select,[contenteditable],[role=textbox],[role=slider]';
  const REPEATED = /qty|quantit|stepper|carousel|slider|swiper|slick|gallery|pagina|datepicker|calendar/i;
  const STEP = /^[+\-−–‹›<>«»←→▲▼]$|^(plus|minus|increase|decrease|increment|decrement)\b/i;

  const state = assign({signals: {}, visited: [], screen: '', fields: {}}, read('sessionStorage'));
  const keep = () => write('sessionStorage', state);
  const worth = (signal, now) => signal.points * 0.5 ** (Math.max(0, now - signal.at) / HALF_MS);

  const count = (name, where) => {
    const rule = SIGNALS[name], now = Date.now();
    if (!rule) return;
    const old = state.signals[name] || {points: 0, times: 0, at: now}, left = worth(old, now);
    state.signals[name] = {points: Math.min(rule[1], left + rule[0]), times: left < 1 ? 1 : old.times + 1, at: now,
                           where: where || (left < 1 ? '' : old.where)};
    keep();
    changed();
  };

  const friction = () => {
    const now = Date.now(), found = [];
    let sum = 0;
    for (const name in state.signals) {
      const signal = state.signals[name], points = worth(signal, now);
      if (!SIGNALS[name] || !(points >= 1)) continue;
      sum += points;
      const times = signal.times < 2 ? '' : signal.times === 2 ? ' twice' : ' ' + signal.times + ' times';
      found.push([points, SIGNALS[name][2] + times + (signal.where ? ' on ' + signal.where : '')]);
    }
    found.sort((a, b) => b[0] - a[0]);
    const score = Math.min(100, Math.round(sum)), level = score >= 60 ? 'high' : score >= 30 ? 'medium' : 'low';
    return {score, level, reasons: found.slice(0, 3).map(entry => entry[1])};
  };

  // A control's own words; never what was typed into it.
  const nameOf = element => {
    const label = element.labels && element.labels[0] || element;
    return words(element.getAttribute('aria-label') || (label.matches(TEXT) ? '' : label.textContent) ||
      (element.type === 'submit' && element.value) || element.name || element.localName, 40);
  };

  // Made to be clicked repeatedly, or text where clicks select.
  const repeated = element => {
    if (element.closest(TEXT + ',audio,video,[data-deskbell-ignore]')) return true;
    const control = element.closest(ACTIVE);
    if (control && (STEP.test(words(control.textContent, 20)) || STEP.test(control.getAttribute('aria-label') || '')))
      return true;
    for (let at = element, depth = 0; at && at !== doc.body && depth < 5; at = at.parentElement, depth++)
      if (['id', 'class', 'name', 'aria-label', 'aria-roledescription'].some(name => REPEATED.test(at.getAttribute(name)))) return true;
    return !control && String(window.getSelection() || '') !== '';
  };

  let clicks = [], lastClick = null, active = Date.now(), idleTold = false;
  const alive = () => {
    active = Date.now();
    idleTold = false;
  };

  // The observer lives only while a click waits for its effect.
  let waiting = [], observer = null;
  const effect = () => {
    waiting = [];
    if (observer) observer.disconnect();
    observer = null;
  };
  const expectEffect = control => {
    const look = () => location.href + scrollY, before = look(), focus = doc.activeElement, entry = {};
    waiting.push(entry);
    if (!observer) {
      observer = new MutationObserver(safe(effect));
      observer.observe(doc, {subtree: true, childList: true, attributes: true, characterData: true});
    }
    later(() => {
      if (!waiting.includes(entry)) return;
      waiting = waiting.filter(other => other !== entry);
      if (!waiting.length) effect();
      if (before === look() && focus === doc.activeElement && doc.hasFocus())
        count('dead_click', nameOf(control));
    }, 2500);
  };

  const refused = field => {
    const name = nameOf(field), now = Date.now(), last = state.fields[name] || 0;
    if (now - last < 1000) return; // the browser and the page both say so
    state.fields[name] = now;
    keep();
    if (now - last < HALF_MS) count('validation_failed', name);
  };

  on(doc, 'click', event => {
    alive();
    const target = event.target;
    if (!(target instanceof Element) || target.closest('deskbell-call,#fc_frame')) return;
    const control = target.closest(ACTIVE), now = performance.now();
    if (control) lastClick = {control, now};
    const form = control && control.form;
    if (form && control.type !== 'button')
      later(() => form.querySelectorAll('[aria-invalid=true]').forEach(refused), 600);
    if (repeated(target)) return;
    clicks = clicks.filter(click => now - click.now <= 1000 && Math.hypot(click.x - event.clientX, click.y - event.clientY) <= 30);
    clicks.push({now, x: event.clientX, y: event.clientY});
    if (event.detail === 0) clicks = []; // the keyboard
    if (clicks.length >= 3) {
      clicks = [];
      count('rage_click', nameOf(control || target));
    }
    if (control && !control.matches('[download],[target],[href^="tel:"],[href^="mailto:"],label')) expectEffect(control);
  });
  on(doc, 'keydown', alive);
  on(doc, 'scroll', alive);
  on(doc, 'invalid', event => refused(event.target));
  const afterClick = () => {
    if (!lastClick || performance.now() - lastClick.now > 1000) return;
    count('error_click', nameOf(lastClick.control));
    lastClick = null;
  };
  on(window, 'error', event => event instanceof ErrorEvent && afterClick());
  on(window, 'unhandledrejection', afterClick);
  setInterval(safe(() => {
    if (doc.hidden) active = Date.now(); // away is not stuck
    if (!idleTold && CHECKOUT.test(state.screen) && Date.now() - active > 60000) {
      idleTold = true;
      count('idle_checkout');
    }
    changed();
  }), 15000);

  // ---------------------------------------------------------------- context
  let context = {}, sent = null, sentAt = 0, timer = 0;

  const properties = () => {
    const found = friction(), out = assign({}, context);
    out.friction_score = String(found.score);
    out.friction_reasons = words(found.reasons.length ? found.score + ', ' + found.level + ': ' + found.reasons.join(', ') : '', 250);
    return out;
  };
  const enough = now => {
    if (!sent) return true;
    if (Math.abs(now.friction_score - sent.friction_score) >= (+now.friction_score ? 5 : 1)) return true;
    return Object.keys(now).some(name => !name.startsWith('friction') && now[name] !== sent[name]);
  };
  const flush = () => {
    clearTimeout(timer);
    timer = 0;
    const fc = window.fcWidget, now = properties();
    if (api.chat !== 'on' || !enough(now)) return;
    sent = now;
    sentAt = Date.now();
    // Whether it throws or rejects: counted, and sent again when something changes.
    (async () => fc.user.setProperties(now))().catch(() => {
      api.errors++;
      sent = null;
    });
  };
  const changed = () => {
    if (!timer && api.chat === 'on' && enough(properties())) timer = later(flush, Math.max(0, sentAt + 2000 - Date.now()));
  };

  const cartLine = item => (+item.quantity || 1) + ' × ' + words(item.name, 60) + (item.price >= 0 ? ' at ' + (+item.price).toFixed(2) : '');
  api.context = safe(given => {
    const now = assign({}, context), value = +given.cartValue;
    if (given.cartValue != null && value >= 0 && value < 1e12) now.cart_value = value.toFixed(2);
    if (/^[A-Za-z]{3}$/.test(given.currency)) now.cart_currency = given.currency.toUpperCase();
    if (given.proof) now.cart_proof = words(given.proof, 120);
    const url = given.cartUrl ? new URL(given.cartUrl, location) + '' : '';
    if (/^https?:/.test(url)) now.cart_url = url.slice(0, 500);
    if (Array.isArray(given.items)) {
      const more = given.items.length - 10;
      now.cart_items = words(given.items.slice(0, 10).map(cartLine).join('; ') + (more > 0 ? '; and ' + more + ' more' : ''), 900);
    }
    const screen = words(given.screen, 100);
    if (screen) {
      now.screen = screen;
      if (screen !== state.screen) {
        alive();
        if (CHECKOUT.test(screen) && state.visited.includes(screen)) count('checkout_reentered', screen);
        state.visited = state.visited.filter(other => other !== screen).concat(screen).slice(-20);
        state.screen = screen;
        effect();
        keep();
      }
    }
    context = now;
    changed();
  });
  api.signal = safe(name => count(String(name)));
  api.friction = safe(friction);
  api.open = safe(() => window.fcWidget && window.fcWidget.open());
  api.push = safe(call => api[call[0]](call[1])); // deskbell = [['context', {...}]] before this script is here

  // ---------------------------------------------------------------- chat
  const identity = read('localStorage');
  const id = () => [...crypto.getRandomValues(new Uint32Array(4))].map(part => part.toString(36)).join('');
  let alias; // the user's id in Freshchat, once it has one
  const meet = answer => {
    const user = answer && (answer.data || answer) || {};
    alias = user.alias || alias;
    if (user.restoreId) write('localStorage', assign(identity, {restoreId: user.restoreId}));
  };
  // An element of the page that opens something which may not be there.
  const offer = (id, work) => {
    const opener = doc.getElementById(id);
    if (!opener) return;
    opener.hidden = false;
    on(opener, 'click', work);
  };
  const hear = () => {
    const fc = window.fcWidget, again = () => {
      sent = null;
      flush();
    };
    api.chat = 'on';
    again();
    fc.on('widget:loaded', safe(() => {
      again();
      Promise.resolve(fc.user.get(safe(meet))).then(meet).catch(() => {}); // no user yet
    }));
    fc.on('widget:opened', safe(flush));
    fc.on('user:created', safe(answer => {
      meet(answer);
      again();
    }));
    offer(data.chatButton, api.open);
  };
  const chat = () => {
    const older = /\/widget\.js$/.test(config.script); // else the fw-cdn loader, which reads its options from globals
    if (older && !config.token) return;
    if (!identity.externalId) write('localStorage', assign(identity, {externalId: id()}));
    const options = {externalId: identity.externalId};
    if (config.token) assign(options, {token: config.token, host: config.host});
    if (identity.restoreId) options.restoreId = identity.restoreId;
    if (site) options.siteId = site;
    if (nonce) options.cspNonce = nonce;
    const script = doc.createElement('script'), blocked = () => { api.chat = 'blocked'; };
    if (!older) {
      const theirs = (window.fcSettings || {}).onInit;
      window.fcSettings = assign(options, window.fcSettings, {onInit: (...args) => {
        safe(hear)();
        if (theirs) theirs(...args);
      }});
      script.setAttribute('chat', 'true');
    }
    script.src = config.script;
    script.async = true;
    if (nonce) script.nonce = nonce;
    script.onload = safe(() => {
      if (!older) return;
      if (!window.fcWidget) return blocked(); // something stands in for the script
      window.fcWidget.init(options);
      hear();
    });
    script.onerror = blocked;
    api.chat = 'loading';
    doc.head.append(script);
  };

  // ---------------------------------------------------------------- "Call us"
  const CSS = `:host{all:initial}
    div{position:fixed;z-index:2147483000;bottom:24px;${data.call === 'right' ? 'right' : 'left'}:24px;display:flex;flex-wrap:wrap;gap:8px;
    max-width:calc(100vw - 160px)}
    a,button{display:flex;align-items:center;min-height:48px;padding:8px 18px;border:0;border-radius:24px;background:#12344d;color:#fff;
    font:600 16px/1.3 system-ui,sans-serif;text-decoration:none;cursor:pointer}
    a:focus-visible,button:focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #12344d}
    small{display:block;font-weight:400}
    div[hidden]{display:none}
    @media print{:host{display:none}}
    @media (hover:none),(pointer:coarse){b,button{display:none}}`;
  const call = () => {
    const floats = data.call !== 'off';
    if (!config.phone || !(floats || config.callBack)) return;
    const host = doc.createElement('deskbell-call'), root = host.attachShadow({mode: 'open'});
    safe(() => { // such a sheet is not subject to style-src
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
    })();
    const add = (parent, name, text) => {
      const made = doc.createElement(name);
      made.textContent = text;
      parent.append(made);
      return made;
    };
    const box = add(root, 'div', ''), link = add(box, 'a', ''), text = add(link, 'span', 'Call us');
    box.hidden = !floats;
    link.href = 'tel:' + config.dial;
    add(text, 'b', ' ' + config.phone); // hidden on phones, which dial
    add(text, 'small', [config.hours, config.zone].filter(Boolean).join(', '));
    if (config.callBack && tag) {
      const ask = add(box, 'button', 'Call me back'), from = name => new URL(name, tag.src) + '';
      let form;
      // The form is a file of its own: few shoppers need it, and who does not, does not load it.
      const open = () => {
        form = form || import(from('callback.js')).then(module => module.default(host, config, from('callback'), () => ({
          user: alias, external_id: identity.externalId, screen: context.screen,
          cart_value: context.cart_value, cart_currency: context.cart_currency,
        })));
        form.then(show => show()).catch(() => {
          api.errors++;
          form = null;
          box.hidden = false;
          ask.textContent = 'Not available now, please call';
        });
      };
      on(ask, 'click', open);
      offer(data.callBack, open);
    }
    doc.body.append(host);
  };

  const queued = Array.isArray(early) ? early : [];
  window.deskbell = api;
  queued.forEach(api.push);
  safe(chat)();
  if (doc.body) safe(call)();
  else on(doc, 'DOMContentLoaded', call);
  api.loadMs = performance.now() - began;
})(DESKBELL_CONFIG);

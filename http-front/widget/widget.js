// SPDX-License-Identifier: Apache-2.0
// What a shop's page loads: Freshchat's widget, what is in the cart, where the shopper struggles (docs/friction.md), and
// "Call us". Served by deskbell-front, without what only readers need (squeeze.h), and with its configuration in place of
// the word at its end. It must never harm the page: one global, every entry guarded, errors counted in deskbell.errors and
// not thrown.
((config) => {
  'use strict';
  const early = window.deskbell;
  if (early?.version) return early.look(); // a second tag
  const doc = document, assign = Object.assign, {dataset: data = {}, nonce, src} = doc.currentScript || {};
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
  const words = (value, most) => String(value ?? '').replace(/\s+/g, ' ').trim().slice(0, most).replace(/\p{Cs}/gu, ''); // no half of an emoji

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
  const REPEATED = /qty|quantit|menge|anzahl|aantal|cantidad|stepper|carousel|slider|swiper|slick|gallery|pagina|datepicker|calendar/i;
  const STEP = /^([+\-−–]\s?\d*|[‹›<>«»←→▲▼])$|^(plus|minus|(in|de)cre(ase|ment))\b/i;
  const ICON = /^(\P{L}*|add|remove)$/u;

  const state = assign({signals: {}, visited: [], screen: '', fields: {}}, read('sessionStorage'));
  const keep = () => write('sessionStorage', state);
  const worth = (signal, now) => signal.points * 0.5 ** (Math.max(0, now - signal.at) / HALF_MS);

  const count = (name, where) => {
    const rule = SIGNALS[name], now = Date.now(), old = state.signals[name], left = old ? worth(old, now) : 0, more = left >= 1;
    if (!rule) return;
    state.signals[name] = {points: Math.min(rule[1], left + rule[0]), times: more ? old.times + 1 : 1, at: now,
                           where: where || (more ? old.where : '')};
    keep();
    changed();
  };

  const friction = () => {
    const now = Date.now(), found = [];
    let sum = 0;
    for (const name in state.signals) {
      const signal = state.signals[name], {times, where} = signal, rule = SIGNALS[name], points = worth(signal, now);
      if (!rule || !(points >= 1)) continue;
      sum += points;
      found.push([points, rule[2] + (['', '', ' twice'][times] ?? ' ' + times + ' times') + (where ? ' on ' + where : '')]);
    }
    found.sort((a, b) => b[0] - a[0]);
    const score = Math.min(100, Math.round(sum)), level = score >= 60 ? 'high' : score >= 30 ? 'medium' : 'low';
    return {score, level, reasons: found.slice(0, 3).map(entry => entry[1])};
  };

  // A control's own words; never what was typed into it.
  const nameOf = element => {
    const label = element.labels?.[0] || element;
    return words(element.getAttribute('aria-label') || (label.matches(TEXT) ? '' : label.textContent) ||
      (element.type === 'submit' && element.value) || element.name || element.localName, 40);
  };

  // Like closest(), through the walls of shadow roots.
  const nearest = (at, what) => {
    while (at && !at.matches(what)) at = at.parentElement || at.getRootNode().host;
    return at;
  };

  // Made to be clicked repeatedly, or text where clicks select.
  const repeated = (element, control) => {
    if (nearest(element, TEXT + ',audio,video,[data-deskbell-ignore]')) return true;
    const text = control ? words(control.textContent, 40) : 'x';
    if (STEP.test(text) || REPEATED.test(text) || control && STEP.test(control.getAttribute('aria-label'))) return true;
    for (let at = element, depth = 0; at && at !== doc.body && depth < 5; at = at.parentNode || at.host, depth++) {
      const says = name => at.getAttribute(name);
      if (at.matches && REPEATED.test([at.localName, ...['id', 'class', 'name', 'aria-label', 'aria-roledescription'].map(says)])) return true;
      // An icon beside a number.
      if (ICON.test(text) && [...at.querySelectorAll('input')].some(field => field.type === 'number' || REPEATED.test(field.name))) return true;
    }
    return !control && getSelection() + '';
  };

  let clicks = [], active = Date.now();
  const alive = () => { active = Date.now(); };

  // The observer lives from a click to the next change, which is its effect.
  let effects = 0;
  const effect = () => {
    effects++;
    observer.disconnect();
  };
  const observer = new MutationObserver(safe(effect));
  const expectEffect = control => {
    // Setting a field's value changes no node. The values are compared here and go nowhere.
    const look = () => effects + [location] +
      [...doc.querySelectorAll('input:not([type=password]),select,textarea')].map(field => field.value + field.checked);
    const before = look(), focus = doc.activeElement;
    observer.observe(doc, {subtree: true, childList: true, attributes: true, characterData: true});
    later(() => before === look() && focus === doc.activeElement && doc.hasFocus() && count('dead_click', nameOf(control)), 2500);
  };

  const refused = field => {
    const name = nameOf(field), now = Date.now(), last = state.fields[name] || 0;
    if (now - last < 1000) return; // the browser and the page both say so
    state.fields[name] = now;
    keep();
    if (now - last < HALF_MS) count('validation_failed', name);
  };

  let deed = {}; // the last click or Enter

  on(doc, 'click', event => {
    alive();
    const {clientX: x, clientY: y} = event, target = event.composedPath()[0], now = Date.now();
    if (!(target instanceof Element) || nearest(target, 'deskbell-call,#fc_frame')) return;
    const control = nearest(target, ACTIVE), form = control?.form || null;
    deed = {control, form, now};
    if (form && control.type !== 'button')
      later(() => form.querySelectorAll('[aria-invalid=true]').forEach(refused), 600);
    if (repeated(target, control)) return;
    clicks = clicks.filter(click => now - click.now <= 1000 && Math.hypot(click.x - x, click.y - y) <= 30);
    clicks.push({now, x, y});
    if (!event.detail) clicks = []; // the keyboard
    if (clicks[2]) {
      clicks = [];
      count('rage_click', nameOf(control || target));
    }
    // What happens inside of a shadow root cannot be seen from here.
    if (control && control.getRootNode() === doc && !control.matches('[download],[target],[href^="tel:"],[href^="mailto:"],label'))
      expectEffect(control);
  });
  on(doc, 'keydown', event => {
    alive();
    if (event.key === 'Enter') deed = {form: event.composedPath()[0].form || null, now: Date.now()};
  });
  on(doc, 'scroll', () => {
    alive();
    effect();
  });
  // A page may ask whether its form is valid at every key.
  on(doc, 'invalid', event => event.target.form === deed.form && Date.now() - deed.now < 1000 && refused(event.target));
  const afterClick = () => {
    if (deed.control && Date.now() - deed.now <= 1000) count('error_click', nameOf(deed.control));
    deed.control = null;
  };
  on(window, 'error', event => event instanceof ErrorEvent && afterClick());
  on(window, 'unhandledrejection', afterClick);
  setInterval(safe(() => {
    // Away is not stuck, and what is typed in a frame (card data, the chat) is not seen.
    if (doc.hidden || doc.activeElement?.matches('iframe')) active = Math.max(active, Date.now());
    if (CHECKOUT.test(state.screen) && Date.now() - active > 60000) {
      active = Infinity; // told once
      count('idle_checkout');
    }
    changed();
  }), 15000);

  // ---------------------------------------------------------------- context
  let context = {}, sent = null, sentAt = 0, timer = 0;

  const properties = () => {
    const {score, level, reasons} = friction();
    return {...context, friction_score: score + '', friction_reasons: words(reasons[0] && score + ', ' + level + ': ' + reasons.join(', '), 250)};
  };
  const enough = now => {
    if (!sent) return true;
    if (Math.abs(now.friction_score - sent.friction_score) >= (+now.friction_score ? 5 : 1)) return true;
    return Object.keys(now).some(name => !name.startsWith('friction') && now[name] !== sent[name]);
  };
  const flush = () => {
    timer = 0;
    const now = properties();
    if (api.chat !== 'on' || !enough(now)) return;
    sent = now;
    sentAt = Date.now();
    // Whether it throws or rejects: counted, and sent again when something changes.
    (async () => window.fcWidget.user.setProperties(now))().catch(() => {
      api.errors++;
      sent = null;
    });
  };
  const changed = () => {
    timer = timer || later(flush, Math.max(0, sentAt + 2000 - Date.now()));
  };

  const cartLine = item => (+item.quantity || 1) + ' × ' + words(item.name, 60) + (item.price >= 0 ? ' at ' + (+item.price).toFixed(2) : '');
  api.context = safe(given => {
    const now = {...context}, value = +given.cartValue;
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
        if (CHECKOUT.test(screen) && state.visited.includes(screen)) count('checkout_reentered', words(screen, 40));
        state.visited = [...state.visited, screen].slice(-20);
        state.screen = screen;
        effect();
        keep();
      }
    }
    context = now;
    changed();
    api.look();
  });
  api.signal = safe(name => {
    if (name === 'order_placed') state.visited = []; // the next order is another
    count(String(name));
    keep();
  });
  api.friction = safe(friction);
  api.open = safe(() => window.fcWidget?.open());
  api.push = safe(call => api[call[0]](call[1])); // deskbell = [['context', {...}]] before this script is here

  // ---------------------------------------------------------------- chat
  const identity = read('localStorage');
  const meet = answer => {
    const user = answer?.data || answer || {};
    ['alias', 'restoreId'].forEach(name => { identity[name] = user[name] || identity[name]; });
    write('localStorage', identity);
  };
  // Elements of the page that open something which may not be there; the page may put others in their place.
  const offers = [], offered = new WeakSet();
  const offer = (id, work) => {
    offers.push([id, work]);
    api.look();
  };
  api.look = safe(() => offers.forEach(([id, work]) => {
    const opener = doc.getElementById(id);
    if (!opener || offered.has(opener)) return;
    offered.add(opener);
    opener.hidden = false;
    on(opener, 'click', work);
  }));
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
    if (!identity.externalId) write('localStorage', assign(identity, {externalId: crypto.getRandomValues(new Uint32Array(4)).join('-')}));
    const options = {externalId: identity.externalId};
    if (config.token) assign(options, {token: config.token, host: config.host});
    if (identity.restoreId) options.restoreId = identity.restoreId;
    if (site) options.siteId = site;
    if (nonce) options.cspNonce = nonce;
    const script = doc.createElement('script'), blocked = () => { api.chat = 'blocked'; };
    if (!older) {
      const theirs = window.fcSettings?.onInit;
      window.fcSettings = assign(options, window.fcSettings, {onInit: (...args) => {
        safe(hear)();
        theirs?.(...args);
      }});
      script.setAttribute('chat', 'true');
    }
    script.src = config.script;
    script.async = true;
    if (nonce) script.nonce = nonce;
    if (older) script.onload = safe(() => {
      if (!window.fcWidget) return blocked(); // something stands in for the script
      window.fcWidget.init(options);
      hear();
    });
    script.onerror = blocked;
    api.chat = 'loading';
    return () => script.isConnected || doc.head.append(script);
  };

  // ---------------------------------------------------------------- "Call us"
  const CSS = `:host{all:initial}
    div{position:fixed;z-index:2147483000;bottom:24px;${data.call === 'right' ? 'right' : 'left'}:24px;display:flex;flex-wrap:wrap;gap:8px;
    max-width:calc(100vw - 160px)}
    a,button{display:flex;align-items:center;min-height:48px;padding:8px 18px;border:0;border-radius:24px;background:#12344d;color:#fff;
    font:600 16px/1.3 system-ui,sans-serif;text-decoration:none;cursor:pointer}
    :focus-visible{outline:3px solid #fff;box-shadow:0 0 0 6px #12344d}
    small{display:block;font-weight:400}
    [hidden]{display:none}
    @media print{:host{display:none}}
    @media (max-width:600px) and (pointer:coarse){b,button{display:none}}`;
  let host;
  const call = () => {
    const floats = data.call !== 'off';
    if (!config.phone || !(floats || config.callBack)) return;
    const add = (parent, name, text) => {
      const made = doc.createElement(name);
      made.textContent = text;
      parent.append(made);
      return made;
    };
    host = add(doc.documentElement, 'deskbell-call', ''); // a body may be replaced
    const root = host.attachShadow({mode: 'open'});
    safe(() => { // such a sheet is not subject to style-src
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
    })();
    const box = add(root, 'div', ''), link = add(box, 'a', ''), text = add(link, 'span', 'Call us');
    box.hidden = !floats;
    link.href = 'tel:' + config.dial;
    add(text, 'b', ' ' + config.phone); // hidden on phones, which dial
    add(text, 'small', [config.hours, config.zone].filter(Boolean).join(', '));
    if (config.callBack && src) {
      const label = 'Call me back', ask = add(box, 'button', label), from = name => new URL(name, src) + '';
      let form;
      // The form is a file of its own: few shoppers need it, and who does not, does not load it.
      const open = () => {
        form = form || import(from('callback.js')).then(module => module.default(host, config, from('callback'), identity, () => context));
        form.then(show => {
          box.hidden = !floats;
          ask.textContent = label;
          show();
        }).catch(() => {
          api.errors++;
          form = null;
          box.hidden = false;
          ask.textContent = 'Not available now, please call';
        });
      };
      on(ask, 'click', open);
      offer(data.callBack, open);
    }
  };

  window.deskbell = api;
  if (Array.isArray(early)) early.forEach(api.push);
  // The chat's script is asked for when the page has all of its own, which must not wait for it; or after ten seconds.
  const connect = safe(chat)();
  const ready = safe(() => {
    if (doc.body && !host) call();
    api.look();
    if (connect && doc.readyState === 'complete') connect();
  });
  on(doc, 'readystatechange', ready);
  if (connect) later(connect, 10000);
  ready();
  api.loadMs = performance.now() - began;
})(DESKBELL_CONFIG);

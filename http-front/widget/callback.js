// SPDX-License-Identifier: Apache-2.0
// The form behind "Call me back". widget.js loads it when a shopper first asks for it; served by deskbell-front. It asks
// the front to have the shopper called: once for one request, however often that is sent.
const CSS = `:host{all:initial}
  dialog{width:21em;max-width:calc(100vw - 32px);box-sizing:border-box;border:0;border-radius:12px;padding:24px;font:16px/1.4 system-ui,sans-serif;
  color:#16242f;background:#fff;box-shadow:0 16px 60px #0006}
  dialog::backdrop{background:#0006}
  h2{margin:0;font-size:22px}
  p{margin:8px 0 0}
  label{display:block;margin:14px 0 0;font-weight:600}
  input{display:block;box-sizing:border-box;width:100%;margin:4px 0 0;padding:10px;border:1px solid #567;border-radius:6px;font:inherit;font-weight:400;color:inherit;
  background:#fff}
  div{display:flex;gap:8px;margin:18px 0 0}
  button{min-height:44px;padding:8px 18px;border:2px solid #12344d;border-radius:22px;background:#12344d;color:#fff;font:inherit;font-weight:600;cursor:pointer}
  button[type=button]{background:#fff;color:#12344d}
  :focus-visible{outline:3px solid #c25a00;outline-offset:2px}
  .bad{color:#a3160a}
  [hidden]{display:none}`;

// What tells one request from another: it guards nothing.
const random = () => [...crypto.getRandomValues(new Uint32Array(4))].map(part => part.toString(36)).join('-');

// Puts the form beside `host`, closed, and returns what opens it. `config` is widget.js's; the request goes to `url`, with
// who the browser is to Freshchat, and what is in the cart at that time.
export default (host, config, url, identity, context) => {
  let request = '', asked = '', busy = false;
  const own = document.createElement(host.localName), root = own.attachShadow({mode: 'open'}), title = 'Call me back';
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(CSS); // such a sheet is not subject to style-src
  root.adoptedStyleSheets = [sheet];
  const add = (parent, name, text, attributes) => {
    const made = document.createElement(name);
    for (const attribute in attributes) made.setAttribute(attribute, attributes[attribute]);
    made.append(text || '');
    parent.append(made);
    return made;
  };
  const field = (label, attributes) => add(add(form, 'label', label), 'input', '', attributes);
  const dialog = add(root, 'dialog', '', {'aria-label': title}), form = add(dialog, 'form');
  const hours = [config.hours, config.zone].filter(Boolean).join(', ');
  add(form, 'h2', title);
  add(form, 'p', 'Leave your number, and we call you' + (hours ? ' (' + hours + ')' : '') + '. Our support team gets it, with what is in your cart.');
  const phone = field('Phone number', {type: 'tel', required: '', maxlength: 32, autocomplete: 'tel'});
  const name = field('Name (optional)', {maxlength: 80, autocomplete: 'name'});
  const told = add(form, 'p', '', {role: 'status'}), row = add(form, 'div');
  const go = add(row, 'button', title), close = add(row, 'button', 'Close', {type: 'button'});
  const settle = done => { go.hidden = phone.disabled = name.disabled = done; };
  const say = (text, bad) => {
    told.textContent = text;
    told.className = bad ? 'bad' : '';
  };

  // Gives the HTTP status; 0 when there was no answer.
  const send = async () => {
    const {screen, cart_value, cart_currency} = context();
    try {
      const answer = await fetch(url, {
        method: 'POST', headers: {'Content-Type': 'application/json'}, credentials: 'omit', signal: AbortSignal.timeout(15000),
        body: JSON.stringify({user: identity.alias, screen, cart_value, cart_currency,
                              id: request, phone: phone.value, name: name.value}),
      });
      return answer.status;
    } catch (error) {
      return 0;
    }
  };

  form.onsubmit = async event => {
    event.preventDefault();
    if (busy) return;
    busy = true;
    say('One moment…');
    // Sent again unchanged it is the same request, which the front knows; with another number it is not.
    const words = phone.value + '\n' + name.value;
    if (asked !== words) request = random();
    asked = words;
    const status = await send();
    busy = false;
    if (status === 400) {
      say('We cannot call this number. Please write it with its country, like +44 20 7946 0000.', true);
      phone.focus();
    } else if (status !== 200) {
      say('That did not work. Please try again later, or call ' + config.phone + '.', true);
    } else {
      say('Thank you. We have your number and call you at ' + phone.value + '.');
      asked = '';
      settle(true);
      close.focus();
    }
  };
  close.onclick = () => dialog.close();
  dialog.onkeydown = event => event.stopPropagation(); // what is typed here is not for the page's shortcuts
  host.after(own);

  return () => {
    if (go.hidden) { // the one before was taken
      settle(false);
      say('');
    }
    if (!dialog.open) dialog.showModal();
  };
};

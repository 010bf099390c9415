// SPDX-License-Identifier: Apache-2.0
// What shoppers and agents see, in a real browser. Run as: node browser.mjs BIN CHROMIUM [PART OF A TEST'S NAME].
import assert from 'node:assert/strict';
import {PHONE, admin, atOnce, begin, chat, chatIs, end, fillCheckout, front, frictionOf, json, launch, openShop, otherShop, sandbox, shop, ticketWith,
  until, write} from './harness.mjs';

const [bin, browserPath, only = ''] = process.argv.slice(2);

// Of text on the background that is behind it, as WCAG measures it.
const contrast = locator => locator.evaluate(element => {
  const parts = text => text.match(/[\d.]+/g).map(Number);
  let behind = element;
  while (parts(getComputedStyle(behind).backgroundColor)[3] === 0) behind = behind.parentElement || behind.getRootNode().host;
  const light = text => {
    const [red, green, blue] = parts(text).map(part => part / 255).map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [dark, bright] = [light(getComputedStyle(element).color), light(getComputedStyle(behind).backgroundColor)].sort((a, b) => a - b);
  return (bright + 0.05) / (dark + 0.05);
});

// How many requests of a source the front has answered so.
const counted = async (source, reason) =>
  Number((await (await fetch(admin + '/metrics')).text()).match(new RegExp(`source="${source}",status="\\d+",reason="${reason}"} (\\d+)`))[1]);

// ---------------------------------------------------------------- the tests
const tests = {
  async 'a shopper who rage-clicks a failing payment gets an urgent ticket that says so, and the answer without a reload'(browser) {
    const page = await shop(browser);
    await page.clock.install();
    await page.goto(sandbox + '/shop');
    await chatIs(page, 'on');
    await fillCheckout(page, 'Drift parasol');
    const pay = page.getByRole('button', {name: 'Pay'});
    await atOnce(page, async () => { for (let i = 0; i < 4; i++) await pay.click(); });
    const found = await frictionOf(page);
    assert.deepEqual(found.reasons.slice(0, 2), ['payment declined 4 times', 'rage click on Pay']);
    assert.equal(found.level, 'high');
    assert.ok(found.score >= 78 && found.score <= 80, String(found.score));
    await write(page, 'My card does not work, what now?');
    const ticket = await ticketWith('My card does not work');
    assert.equal(ticket.priority, 4);
    assert.ok(ticket.tags.includes('high-value'), String(ticket.tags));
    assert.equal(ticket.custom_fields.cf_cart_value, 349.9);
    assert.equal(ticket.custom_fields.cf_screen, 'checkout');
    assert.ok(Math.abs(ticket.custom_fields.cf_friction_score - found.score) <= 2, String(ticket.custom_fields.cf_friction_score));
    const words = ticket.custom_fields.cf_friction_score + ', high: payment declined 4 times, rage click on Pay';
    assert.ok(ticket.description.includes(words), ticket.description);
    assert.ok(ticket.description.includes('349.90 EUR'), ticket.description);
    assert.ok(!ticket.tags.includes('unsigned-context'), String(ticket.tags)); // the shop's server signed the cart
    const desk = await page.context().newPage();
    await desk.goto(sandbox + '/desk');
    await desk.locator('#detail').getByText('My card does not work').first().waitFor();
    for (const text of ['Urgent', 'high-value']) await desk.locator('#meta').getByText(text, {exact: true}).waitFor();
    await desk.locator('#entries').getByText(words).waitFor();
    await page.evaluate(() => { window.notReloaded = true; });
    const began = Date.now();
    await fetch(sandbox + '/sandbox/tickets/' + ticket.id + '/entries', {method: 'POST', headers: {'Content-Type': 'application/json'},
      body: JSON.stringify({kind: 'reply', agent: 'anna.berg@shop.example', text: 'Please try the bank transfer.'})});
    await chat(page).getByText('Please try the bank transfer.').waitFor();
    console.log('   reply seen after ' + (Date.now() - began) + ' ms');
    // Who struggles was told where to call, once.
    const offer = chat(page).locator('li', {hasText: 'Rather talk?'});
    await offer.waitFor();
    assert.equal(await offer.count(), 1);
    assert.equal(await offer.getByRole('link', {name: 'Call us'}).getAttribute('href'), front + '/support');
    const {entries} = await json(sandbox + '/sandbox/tickets/' + ticket.id);
    assert.deepEqual(entries.filter(entry => entry.text.includes('Rather talk?')), []); // its echo is no agent's message
    assert.equal(await page.evaluate(() => window.notReloaded), true);
    assert.deepEqual(page.troubles, []);
    assert.equal(await page.evaluate(() => window.deskbell.errors), 0);
  },

  async 'plus and minus clicked ten times quickly leave the score at 0'(browser) {
    const page = await openShop(browser);
    await page.getByRole('button', {name: 'Add Moth lantern'}).click();
    await page.goto(sandbox + '/shop#cart');
    for (const name of ['Increase', 'Decrease']) {
      const box = await page.getByRole('button', {name: name + ' Moth lantern'}).boundingBox();
      for (let i = 0; i < 10; i++) await page.mouse.click(box.x + box.width / 2, box.y + box.height / 2);
    }
    assert.equal(await page.locator('#count').textContent(), '1');
    assert.deepEqual(await frictionOf(page), {score: 0, level: 'low', reasons: []});
  },

  async 'the other signals: promo code, field refused twice, step entered again, dead click, error after click; and decay'(browser) {
    const page = await shop(browser);
    await page.clock.install();
    await otherShop(page, `<script src="${front}/widget.js"></script><button id="dead">Apply</button>
      <button id="broken">Save</button><p class="qty"><button id="many">Add one</button></p><div style="height:60px"></div>
      <form onsubmit="return false"><label>Postcode <input name="postcode" required></label><button id="send">Next</button></form>
      <script>document.getElementById('broken').onclick = () => { throw new Error('meant'); }</script>`);
    const reasons = async () => (await frictionOf(page)).reasons;
    await page.evaluate(() => { deskbell.signal('promo_refused'); deskbell.signal('constructor'); deskbell.signal('none'); });
    assert.deepEqual(await reasons(), ['promo code refused']);
    assert.equal((await frictionOf(page)).score, 15);
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await page.locator('#many').click({clickCount: 5});
    assert.equal((await frictionOf(page)).score, 0);
    await page.locator('#send').click();
    assert.equal((await frictionOf(page)).score, 0);
    await page.clock.runFor(2000);
    await page.locator('#send').click();
    assert.deepEqual(await reasons(), ['field refused on Postcode']);
    await page.evaluate(() => { for (const screen of ['checkout', 'checkout', 'cart', 'checkout']) deskbell.context({screen}); });
    assert.deepEqual((await reasons()).sort(), ['checkout step entered again on checkout', 'field refused on Postcode']);
    // The next order goes through the steps anew. A long name of a step is cut.
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    const long = 'checkout: payment details of guests and members, step 3';
    const steps = screens => page.evaluate(all => all.forEach(screen => deskbell.context({screen})), screens);
    await steps(['cart', long]);
    await page.evaluate(() => deskbell.signal('order_placed'));
    await steps(['thanks', 'cart', long]);
    assert.equal((await frictionOf(page)).score, 0);
    await steps(['cart', long]);
    assert.deepEqual(await reasons(), ['checkout step entered again on ' + long.slice(0, 40)]);
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await chat(page).waitFor({state: 'attached'}); // what the chat adds to the page while it loads would be the click's effect
    await page.locator('#dead').click();
    await page.clock.runFor(3000);
    assert.deepEqual(await reasons(), ['dead click on Apply']);
    await page.locator('#broken').click();
    assert.ok((await reasons()).includes('error after click on Save'));
    await page.clock.runFor(3000); // it was a dead click too
    const before = (await frictionOf(page)).score;
    await page.clock.runFor(300000);
    const after = (await frictionOf(page)).score;
    assert.ok(Math.abs(after - before / 2) <= 2, before + ' ' + after);
    await page.evaluate(() => { for (let i = 0; i < 9; i++) ['payment_declined', 'rage_click', 'promo_refused'].forEach(deskbell.signal); });
    assert.equal((await frictionOf(page)).score, 100);
    assert.equal((await frictionOf(page)).reasons.length, 3);
  },

  async 'what is made to be clicked repeatedly is no rage, a long pause in checkout is told once'(browser) {
    const page = await shop(browser);
    await page.clock.install();
    await otherShop(page, `<script src="${front}/widget.js"></script><section aria-roledescription="carousel"><button>Show all</button></section>
      <input aria-label="Name" value="typed secret"><button>›</button><div data-deskbell-ignore><button>Game</button></div><button>Order now</button>`);
    const many = async locator => {
      const box = await locator.boundingBox();
      await atOnce(page, async () => { for (let i = 0; i < 5; i++) await page.mouse.click(box.x + 5, box.y + 5); });
    };
    const rage = async () => (await frictionOf(page)).reasons.filter(reason => reason.startsWith('rage'));
    for (const name of ['Show all', '›', 'Game']) await many(page.getByRole('button', {name}));
    await many(page.getByLabel('Name'));
    assert.deepEqual(await rage(), []);
    await many(page.getByRole('button', {name: 'Order now'}));
    assert.deepEqual(await rage(), ['rage click on Order now']);
    // Slower than three in a second, or further apart, is none.
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    const box = await page.getByRole('button', {name: 'Order now'}).boundingBox();
    await atOnce(page, async () => {
      for (const x of [5, 40, 75, 110]) await page.mouse.click(box.x + Math.min(x, box.width - 3) + (x > box.width ? x : 0), box.y + 5);
    });
    assert.deepEqual(await rage(), []);
    await page.evaluate(() => sessionStorage.clear());
    await page.reload();
    await page.evaluate(() => deskbell.context({screen: 'checkout'}));
    await page.clock.runFor(50000);
    assert.equal((await frictionOf(page)).score, 0);
    await page.clock.runFor(300000);
    assert.deepEqual(await page.evaluate(() => JSON.parse(sessionStorage['deskbell:']).signals.idle_checkout.times), 1);
    assert.ok(!(await page.evaluate(() => sessionStorage['deskbell:'])).includes('secret'));
    // Who types card data in a frame does not pause.
    await page.evaluate(() => sessionStorage.clear());
    await otherShop(page, `<script src="${front}/widget.js"></script><iframe srcdoc="<input>"></iframe>`);
    await page.evaluate(() => deskbell.context({screen: 'payment'}));
    await page.frameLocator('iframe').locator('input').click();
    await page.clock.runFor(130000);
    assert.equal((await frictionOf(page)).score, 0);
  },

  async 'steppers of any make, what changes a field or scrolls, and validity asked at every key are no friction'(browser) {
    const page = await shop(browser);
    await page.clock.install();
    await otherShop(page, `<script src="${front}/widget.js"></script>
      <form onsubmit="return false"><div class="input-group"><button type="button"><i class="icon-minus"></i></button><input type="number" name="n" value="1">
        <span><button type="button" id="icon"><i style="display:block;width:20px;height:20px"></i></button></span></div><button type="button" id="cart">Add to cart</button></form>
      <div><input name="quantity" id="quantity" value="1"><a href="#" id="ligature"><i class="material-icons">add</i></a></div>
      <p><button id="one">+1</button><b></b></p><p><button id="german" aria-label="Menge erhöhen"><i>x</i></button><b></b></p>
      <my-stepper id="open"></my-stepper><quantity-input id="host"></quantity-input>
      <input id="street"><button id="fill">Use my address</button><div id="box" style="height:40px;overflow:auto"><p style="height:900px">a</p></div><button id="down">To the reviews</button>
      <form id="form" onsubmit="return false"><label>First name <input id="first" required></label><label>Town <input id="town" required></label><button id="next" disabled>Next</button></form>
      <div style="height:60px"></div>
      <script>const $ = id => document.getElementById(id), more = element => { element.textContent = +element.textContent + 1; };
      $('icon').onclick = () => document.querySelector('[name=n]').stepUp();
      $('ligature').onclick = event => { event.preventDefault(); $('quantity').value++; };
      for (const id of ['one', 'german']) $(id).onclick = () => more($(id).nextSibling);
      for (const [id, words] of [['open', '<div class="quantity-stepper"><button>x</button><b></b></div>'], ['host', '<button>x</button><b></b>']]) {
        const root = $(id).attachShadow({mode: 'open'});
        root.innerHTML = words;
        root.querySelector('button').onclick = () => more(root.querySelector('b'));
      }
      $('fill').onclick = () => { $('street').value = 'Street 5'; };
      $('box').onscroll = () => { window.scrolled = true; };
      $('down').onclick = () => { $('box').scrollTop = 300; };
      $('form').oninput = () => { $('next').disabled = !$('form').checkValidity(); };</script>`);
    await chat(page).waitFor({state: 'attached'});
    const calm = {score: 0, level: 'low', reasons: []};
    const many = async locator => {
      await locator.scrollIntoViewIfNeeded();
      const box = await locator.boundingBox();
      await atOnce(page, async () => { for (let i = 0; i < 10; i++) await page.mouse.click(box.x + 5, box.y + 5); });
    };
    for (const what of ['#icon', '#ligature', '#one', '#german', '#open button', '#host button']) {
      await many(page.locator(what));
      await page.clock.runFor(3000);
      assert.deepEqual(await frictionOf(page), calm, what);
    }
    assert.equal(await page.locator('[name=n]').inputValue(), '11');
    for (const what of ['#fill', '#down']) {
      await page.locator(what).click();
      if (what === '#down') await until('it has scrolled', () => page.evaluate(() => window.scrolled));
      await page.clock.runFor(3000);
      assert.deepEqual(await frictionOf(page), calm, what);
    }
    for (let i = 0; i < 6; i++) {
      await page.locator('#first').press('a');
      await page.clock.runFor(1500);
    }
    assert.deepEqual(await frictionOf(page), calm);
    // And still: a form that is sent twice without its town; a button with words is none of a number's steps.
    await page.evaluate(() => { document.getElementById('form').oninput = null; document.getElementById('next').disabled = false; });
    for (let i = 0; i < 2; i++) {
      await page.locator('#first').press('Enter');
      await page.clock.runFor(1500);
    }
    assert.deepEqual((await frictionOf(page)).reasons, ['field refused on Town']);
    await many(page.locator('#cart'));
    assert.ok((await frictionOf(page)).reasons.includes('rage click 3 times on Add to cart'));
  },

  async 'a page whose body is replaced keeps the call button, and what opens the chat is found again'(browser) {
    const page = await shop(browser);
    const tag = `<script async src="${front}/widget.js" data-chat-button="write"></script>`;
    await otherShop(page, tag + '<button id="write" hidden>Write to us</button>');
    await chatIs(page, 'on');
    await page.getByRole('button', {name: 'Write to us'}).waitFor();
    // As frameworks do that load pages themselves; the body's scripts are run again.
    const swap = words => page.evaluate(html => {
      const body = document.createElement('body');
      body.innerHTML = html;
      document.body.replaceWith(body);
      for (const script of body.querySelectorAll('script')) {
        const again = document.createElement('script');
        again.src = script.src;
        script.replaceWith(again);
      }
    }, words);
    const link = page.locator('deskbell-call').getByRole('link', {name: 'Call us'});
    await swap('<h1>Page 2</h1>' + tag + '<button id="write" hidden>Ask us</button>');
    await page.getByRole('button', {name: 'Ask us'}).waitFor();
    await swap('<h1>Page 3</h1><button id="write" hidden>Chat now</button>');
    await page.evaluate(() => deskbell.context({screen: 'page 3'}));
    await page.getByRole('button', {name: 'Chat now'}).waitFor();
    await link.waitFor();
    assert.equal(await link.count(), 1);
    assert.deepEqual(page.troubles, []);
    assert.equal(await page.evaluate(() => window.deskbell.errors), 0);
  },

  async 'the call button is seen, reached by keyboard, and dials'(browser) {
    const page = await openShop(browser);
    const link = page.locator('deskbell-call').getByRole('link', {name: 'Call us'});
    await link.waitFor();
    assert.equal(await link.getAttribute('href'), 'tel:+31201234567');
    assert.ok((await link.innerText()).includes(PHONE));
    assert.ok((await link.innerText()).includes('Mon-Fri 9:00-17:30, Europe/Amsterdam'));
    let reached = false;
    for (let i = 0; i < 60 && !reached; i++) {
      await page.keyboard.press('Tab');
      reached = await page.evaluate(() => document.activeElement?.localName === 'deskbell-call');
    }
    assert.ok(reached);
    assert.ok(await contrast(link) >= 4.5 && await contrast(link.locator('small')) >= 4.5);
    assert.ok(await contrast(page.getByRole('button', {name: 'Call me back'})) >= 4.5);
    const phone = await openShop(browser, {hasTouch: true, isMobile: true, viewport: {width: 390, height: 844}});
    const there = phone.locator('deskbell-call').getByRole('link', {name: 'Call us'});
    assert.equal(await there.getAttribute('href'), 'tel:+31201234567');
    const box = await there.boundingBox();
    assert.ok(box.height >= 48 && box.x >= 0 && box.x + box.width <= 390, JSON.stringify(box));
    const launcher = await chat(phone).getByRole('button', {name: 'Chat'}).boundingBox();
    assert.ok(box.x + box.width < launcher.x, JSON.stringify([box, launcher])); // beside the chat, not on it
    assert.ok(!(await there.innerText()).includes(PHONE)); // a phone dials it
    assert.equal(await phone.getByRole('button', {name: 'Call me back'}).count(), 0);
    await phone.context().close();
    const tablet = await openShop(browser, {hasTouch: true, isMobile: true, viewport: {width: 820, height: 1180}});
    assert.ok((await tablet.locator('deskbell-call').getByRole('link', {name: 'Call us'}).innerText()).includes(PHONE)); // it dials nothing
    await tablet.getByRole('button', {name: 'Call me back'}).waitFor();
    await tablet.context().close();
  },

  async 'call me back: by keyboard, once however often it is clicked, and in words what came of it'(browser) {
    const page = await openShop(browser), asked = [];
    page.on('request', request => request.url() === front + '/callback' && request.method() === 'POST' && asked.push(request.postDataJSON()));
    await page.getByRole('button', {name: 'Add Drift parasol'}).click();
    await page.goto(sandbox + '/shop#cart');
    const ask = page.locator('deskbell-call').getByRole('button', {name: 'Call me back'}).first();
    const dialog = page.getByRole('dialog', {name: 'Call me back'}), told = dialog.getByRole('status');
    await page.evaluate(() => { window.keys = 0; document.addEventListener('keydown', () => { window.keys++; }); });
    await ask.focus();
    await page.keyboard.press('Enter');
    await dialog.waitFor();
    await until('the focus is in the form', () => page.evaluate(() =>
      [...document.querySelectorAll('deskbell-call')].some(host => host.shadowRoot.activeElement?.type === 'tel')));
    for (const part of [dialog.getByText('Leave your number'), dialog.getByText('Name (optional)'), dialog.getByRole('button', {name: 'Call me back'}),
                        dialog.getByRole('button', {name: 'Close'})])
      assert.ok(await contrast(part) >= 4.5, String(await contrast(part)));
    assert.ok((await dialog.innerText()).includes('Mon-Fri 9:00-17:30, Europe/Amsterdam'));
    await page.keyboard.press('Enter'); // nothing filled in: the browser says so
    await page.keyboard.type('12');
    await page.keyboard.press('Enter');
    await told.getByText('We cannot call this number').waitFor();
    assert.ok(await contrast(told) >= 4.5);
    assert.equal(asked.length, 1);
    await page.keyboard.press('Control+A');
    await page.keyboard.type('+31 20 999 88 77');
    await page.keyboard.press('Tab');
    await page.keyboard.type('Mia Lund');
    assert.equal(await page.evaluate(() => window.keys), 1); // Enter on the button; none of what was typed
    const before = await counted('callback', 'accepted');
    await dialog.getByRole('button', {name: 'Call me back'}).dblclick();
    await told.getByText('Thank you. We have your number and call you at +31 20 999 88 77.').waitFor();
    assert.equal(await counted('callback', 'accepted'), before + 1);
    assert.equal(asked.length, 2);
    assert.equal(asked[1].cart_value, '349.90');
    assert.equal(asked[1].cart_currency, 'EUR');
    assert.equal(asked[1].screen, 'cart');
    assert.equal(asked[1].name, 'Mia Lund');
    assert.ok(!('external_id' in asked[1])); // what nobody needs stays in the browser
    // Nobody has chatted: a ticket of its own.
    const ticket = await ticketWith('Mia Lund (+31209998877)');
    assert.equal(ticket.subject, 'Call back: Mia Lund (+31209998877)');
    assert.ok(ticket.description.includes('Cart, as the browser says: 349.90 EUR') && ticket.description.includes('Screen: cart'), ticket.description);
    assert.equal(ticket.source, 3);
    await page.keyboard.press('Escape');
    await dialog.waitFor({state: 'hidden'});
    await until('the focus is back', () => page.evaluate(() => document.activeElement.shadowRoot?.activeElement?.textContent === 'Call me back'));
    // A lost answer: the same request again is known; with another number it is another.
    await page.route(front + '/callback', async route => {
      await page.request.post(front + '/callback', {data: route.request().postData(),
        headers: {Origin: sandbox, 'Sec-Fetch-Site': 'same-site', 'Content-Type': 'application/json'}});
      await route.abort();
    });
    await ask.click();
    await dialog.getByLabel('Phone number').fill('+31 20 999 88 78');
    await dialog.getByRole('button', {name: 'Call me back'}).click();
    await told.getByText('That did not work. Please try again later, or call ' + PHONE).waitFor();
    await page.unroute(front + '/callback');
    const again = await counted('callback', 'duplicate');
    await dialog.getByRole('button', {name: 'Call me back'}).click();
    await told.getByText('Thank you').waitFor();
    assert.equal(await counted('callback', 'duplicate'), again + 1);
    assert.equal(asked.at(-1).id, asked.at(-2).id);
    assert.notEqual(asked.at(-1).id, asked[1].id);
    assert.equal((await frictionOf(page)).score, 0);
    assert.deepEqual(page.troubles.filter(text => !/400|ERR_FAILED/.test(text)), []);
    assert.equal(await page.evaluate(() => window.deskbell.errors), 0);
  },

  async 'who chats and wants to be called back has one ticket for both'(browser) {
    const page = await openShop(browser);
    await write(page, 'I would rather talk to somebody');
    const {id} = await ticketWith('I would rather talk to somebody');
    await page.getByRole('button', {name: 'Call me back'}).click();
    const dialog = page.getByRole('dialog', {name: 'Call me back'});
    await dialog.getByLabel('Phone number').fill('+31 20 555 44 33');
    await dialog.getByRole('button', {name: 'Call me back'}).click();
    await dialog.getByText('Thank you').waitFor();
    const note = await until('a note on the ticket', async () => (await json(sandbox + '/sandbox/tickets/' + id)).entries
      .find(entry => entry.text.includes('+31205554433')));
    assert.equal(note.private, true);
    // On a narrow screen the ticket that is chosen is seen, although the list stands above it.
    await page.setViewportSize({width: 390, height: 844});
    await page.goto(sandbox + '/desk');
    await page.getByRole('button', {name: 'I would rather talk'}).click();
    await until('the ticket is in view', async () => {
      const {y} = await page.locator('#subject').filter({hasText: 'I would rather talk'}).boundingBox() || {};
      return y >= 0 && y < 400;
    });
    await page.locator('.entry.private', {hasText: '+31205554433'}).getByText('Private note').waitFor();
    // Who comes back while the chat is blocked is still known to have written.
    await page.route('**/js/widget.js', route => route.abort());
    await page.setViewportSize({width: 1280, height: 800});
    await page.goto(sandbox + '/shop');
    await chatIs(page, 'blocked');
    await page.getByRole('button', {name: 'Call me back'}).click();
    await dialog.getByLabel('Phone number').fill('+31 20 555 44 34');
    await dialog.getByRole('button', {name: 'Call me back'}).click();
    await dialog.getByText('Thank you').waitFor();
    await until('a note on the same ticket', async () => (await json(sandbox + '/sandbox/tickets/' + id)).entries
      .find(entry => entry.text.includes('+31205554434')));
  },

  async 'a call that is placed is on the ticket that the desk shows, and its recording when there is one'(browser) {
    const page = await openShop(browser), number = '+31 6 33 44 55 66';
    // What a shop tells Freshchat of a customer who is signed in.
    await page.evaluate(phone => fcWidget.user.setProperties({firstName: 'Noa', phone}), '+31633445566');
    await write(page, 'I am trying to reach you by phone');
    const {id, subject} = await ticketWith('I am trying to reach you by phone');
    await page.locator('deskbell-call').getByRole('link', {name: 'Call us'}).click();
    const telephone = page.locator('#telephone');
    const place = async how => {
      await telephone.getByLabel('Your number').fill(number);
      await telephone.getByLabel(how).check();
      await telephone.getByRole('button', {name: 'Call', exact: true}).click();
    };
    await place('missed');
    await telephone.getByText('Nobody answered.').waitFor();
    const desk = await page.context().newPage();
    await desk.goto(sandbox + '/desk');
    await desk.getByRole('button', {name: subject}).click();
    await desk.locator('#meta').getByText('missed-call', {exact: true}).waitFor();
    await desk.locator('.entry.private', {hasText: 'Missed call'}).waitFor();
    await place('answered');
    await telephone.getByText('Anna Berg answered').waitFor();
    await desk.locator('.entry.private', {hasText: 'answered by Anna Berg'}).waitFor();
    const recording = desk.locator('.entry.private', {hasText: 'Recording:'}).getByRole('link');
    await recording.waitFor();
    assert.match(await recording.getAttribute('href'), /^https?:/);
    assert.ok((await json(sandbox + '/sandbox/tickets/' + id)).priority >= 3);
  },

  async 'with Freshchat blocked the shop is unharmed and the call button is there'(browser) {
    const ways = {gone: route => route.abort(), empty: route => route.fulfill({contentType: 'text/javascript', body: ''})};
    for (const way of Object.values(ways)) {
      const page = await shop(browser);
      await page.route('**/js/widget.js', way);
      await page.goto(sandbox + '/shop');
      await chatIs(page, 'blocked');
      await page.locator('deskbell-call').getByRole('link', {name: 'Call us'}).waitFor();
      await fillCheckout(page, 'Drift parasol');
      await page.getByRole('button', {name: 'Pay'}).click();
      assert.equal(await page.locator('#told').textContent(), 'Your bank declined the payment.');
      assert.equal((await frictionOf(page)).score, 30);
      assert.equal(await page.evaluate(() => window.deskbell.errors), 0);
      assert.deepEqual(page.troubles.filter(text => !text.includes('ERR_FAILED')), []);
      await page.locator('deskbell-call').getByRole('button', {name: 'Call me back'}).click();
      await page.getByRole('dialog', {name: 'Call me back'}).waitFor();
      await page.context().close();
    }
    // Gone after the page was loaded: the button says so, and the number is there.
    const late = await openShop(browser);
    await late.route(front + '/callback.js', route => route.abort());
    await late.locator('deskbell-call').getByRole('button', {name: 'Call me back'}).click();
    await late.locator('deskbell-call').getByRole('button', {name: 'Not available now, please call'}).waitFor();
    assert.equal(await late.evaluate(() => window.deskbell.errors), 1);
    await late.unroute(front + '/callback.js');
    await late.locator('deskbell-call').getByRole('button', {name: 'Not available now'}).click();
    await late.getByRole('dialog', {name: 'Call me back'}).getByRole('button', {name: 'Close'}).click();
    await late.locator('deskbell-call').getByRole('button', {name: 'Call me back'}).waitFor(); // it says so no longer
    await late.context().close();
    // And with the front gone there is only what the shop itself has.
    const page = await shop(browser);
    await page.route(front + '/**', route => route.abort());
    await page.goto(sandbox + '/shop');
    await fillCheckout(page, 'Drift parasol');
    await page.getByRole('button', {name: 'Pay'}).click();
    assert.equal(await page.locator('#told').textContent(), 'Your bank declined the payment.');
    assert.deepEqual(page.troubles.filter(text => !text.includes('ERR_FAILED')), []);
  },

  async 'a front or a chat that never answers holds nothing of the page back, and is served when it does'(browser) {
    let answer;
    const hang = async route => {
      await new Promise(done => { answer = done; });
      await route.continue();
    };
    // The front: the page is there, and what it tells waits for the script.
    const page = await shop(browser);
    await page.route(front + '/widget.js', hang);
    await page.goto(sandbox + '/shop', {waitUntil: 'domcontentloaded'});
    await page.getByRole('button', {name: 'Add Drift parasol'}).click();
    await page.evaluate(() => { location.hash = '#checkout'; });
    await page.getByLabel('Name').fill('Mia Lund');
    await page.getByLabel('E-mail').fill('mia.lund@mail.example');
    await page.getByRole('button', {name: 'Pay'}).click();
    assert.equal(await page.locator('#told').textContent(), 'Your bank declined the payment.');
    assert.equal(await page.evaluate(() => window.deskbell.version), undefined);
    answer();
    await chatIs(page, 'on');
    assert.deepEqual((await frictionOf(page)).reasons, ['payment declined']);
    await write(page, 'The late front has all of it?');
    const ticket = await ticketWith('The late front has all of it?');
    assert.equal(ticket.custom_fields.cf_cart_value, 349.9);
    assert.equal(ticket.custom_fields.cf_screen, 'checkout');
    await page.context().close();
    // The chat: the page's load event does not wait for it.
    const other = await shop(browser);
    await other.route('**/js/widget.js', hang);
    await other.goto(sandbox + '/shop', {waitUntil: 'load'});
    await chatIs(other, 'loading');
    await until('the chat is asked for', () => answer);
    await other.locator('deskbell-call').getByRole('link', {name: 'Call us'}).waitFor();
    await other.getByRole('button', {name: 'Add Drift parasol'}).click();
    answer();
    await write(other, 'The late chat has all of it?');
    const second = await ticketWith('The late chat has all of it?');
    assert.equal(second.custom_fields.cf_cart_value, 349.9);
    assert.deepEqual([...page.troubles, ...other.troubles], []);
    // A picture of the shop's own that hangs keeps the chat away for ten seconds and no longer.
    const slow = await shop(browser);
    await slow.clock.install();
    await slow.route('**/never', () => {});
    await slow.route('**/other-shop', route => route.fulfill({contentType: 'text/html', body: `<script async src="${front}/widget.js"></script><img src="/never">`}));
    await slow.goto(sandbox + '/other-shop', {waitUntil: 'domcontentloaded'});
    await chatIs(slow, 'loading');
    assert.equal(await slow.locator('script[src*="/js/"]').count(), 0);
    await slow.clock.runFor(10000);
    await chatIs(slow, 'on');
  },

  async 'a new cart is never told beside an old signature'(browser) {
    const page = await openShop(browser);
    await page.getByRole('button', {name: 'Add Moth lantern'}).click();
    await page.evaluate(() => {
      window.told = [];
      deskbell.context = given => window.told.push(given);
    });
    let answer;
    await page.route('**/sandbox/cart-proof', async route => {
      await new Promise(done => { answer = done; });
      await route.continue();
    });
    await page.getByRole('button', {name: 'Add Drift parasol'}).click();
    await page.goto(sandbox + '/shop#cart');
    await until('the signature is asked for', () => answer);
    assert.deepEqual(await page.evaluate(() => window.told), [{screen: 'cart'}]);
    answer();
    await until('the cart is told', () => page.evaluate(() => window.told.length === 2));
    const [, cart] = await page.evaluate(() => window.told);
    assert.equal(cart.cartValue.toFixed(2), '384.80');
    assert.match(cart.proof, /^1\./);
  },

  async 'under a strict policy with a nonce everything works, and no other global is made'(browser) {
    const page = await shop(browser);
    const policy = `default-src 'none'; script-src 'nonce-r4nd0m' 'strict-dynamic'; style-src 'none'; img-src data:; connect-src ${sandbox} ${front}; base-uri 'none'`;
    await otherShop(page, `<script nonce="r4nd0m">window.before = new Set(Object.getOwnPropertyNames(window));
      window.deskbell = [['context', {cartValue: 12.5, currency: 'eur', screen: 'strict', items: [{name: 'Rake', quantity: 2, price: 6.25}]}]];</script>
      <script nonce="r4nd0m" src="${front}/widget.js"></script>`, {'Content-Security-Policy': policy});
    await chatIs(page, 'on');
    const link = page.locator('deskbell-call').getByRole('link', {name: 'Call us'});
    assert.equal(await link.evaluate(element => getComputedStyle(element.parentNode).position), 'fixed');
    await write(page, 'Is the strict rake in stock?');
    const ticket = await ticketWith('Is the strict rake in stock?');
    assert.equal(ticket.custom_fields.cf_cart_value, 12.5);
    assert.ok(ticket.tags.includes('unsigned-context'), String(ticket.tags)); // nobody signed that cart
    assert.equal(ticket.custom_fields.cf_screen, 'strict');
    await page.getByRole('button', {name: 'Call me back'}).click();
    const dialog = page.getByRole('dialog', {name: 'Call me back'});
    assert.equal(await dialog.evaluate(element => getComputedStyle(element).borderRadius), '12px');
    await dialog.getByLabel('Phone number').fill('+31 20 999 88 79');
    await dialog.getByRole('button', {name: 'Call me back'}).click();
    await dialog.getByText('Thank you').waitFor();
    const added = await page.evaluate(() => Object.getOwnPropertyNames(window).filter(name => !window.before.has(name)));
    assert.deepEqual(added.filter(name => !['before', 'deskbell', 'fcWidget'].includes(name)), []);
    assert.deepEqual(page.troubles, []);
    assert.equal(await page.evaluate(() => window.deskbell.errors), 0);
  },

  async 'both generations of the loader: who comes back finds the conversation'(browser) {
    for (const [loader, words] of [['/1/1.js', 'Do you ship the newer loader?'], ['/js/widget.js', 'Do you ship the older loader?']]) {
      const page = await shop(browser), newer = loader === '/1/1.js';
      const script = (await (await fetch(front + '/widget.js')).text()).replaceAll('/js/widget.js"', loader + '"');
      await page.route(front + '/widget.js', route => route.fulfill({contentType: 'text/javascript', body: script}));
      await page.goto(sandbox + '/shop');
      await chatIs(page, 'on');
      await write(page, words);
      const ticket = await ticketWith(words);
      assert.equal(ticket.custom_fields.cf_screen, 'products');
      const kept = await page.evaluate(() => JSON.parse(localStorage['deskbell:']));
      assert.ok(kept.externalId && kept.restoreId);
      await page.reload();
      await chatIs(page, 'on');
      await chat(page).getByRole('button', {name: 'Chat'}).click();
      await chat(page).getByText(words).waitFor();
      assert.equal(await page.evaluate(() => JSON.parse(localStorage['deskbell:']).externalId), kept.externalId);
      assert.equal(await page.evaluate(() => window.fcSettings?.externalId), newer ? kept.externalId : undefined);
      assert.deepEqual(page.troubles, []);
      await page.context().close();
    }
  },

  async 'context is bounded and sent no oftener than it must'(browser) {
    const page = await openShop(browser);
    await page.evaluate(() => {
      window.sent = [];
      const really = window.fcWidget.user.setProperties;
      window.fcWidget.user.setProperties = given => { window.sent.push([performance.now(), given]); return really(given); };
      const items = Array.from({length: 50}, (_, i) => ({name: 'x'.repeat(200) + i, quantity: i, price: 1}));
      for (let i = 0; i < 100; i++) deskbell.context({cartValue: i, currency: 'EUR', screen: 'loop' + i, items, cartUrl: '/cart?' + 'y'.repeat(900)});
      deskbell.context({cartValue: -1, currency: '<b>', cartUrl: 'javascript:alert(1)', screen: ''});
      deskbell.context(null);
      deskbell.context({cartValue: 'many', items: [null]});
    });
    await until('the last screen', () => page.evaluate(() => window.sent.length > 0 && window.sent.at(-1)[1].screen === 'loop99'));
    const sent = await page.evaluate(() => window.sent);
    assert.ok(sent.length <= 2, String(sent.length));
    const last = sent.at(-1)[1];
    assert.equal(last.cart_value, '99.00');
    assert.equal(last.cart_currency, 'EUR');
    assert.ok(last.cart_items.length <= 900 && last.cart_items.endsWith('; and 40 more'), last.cart_items.slice(-30));
    assert.ok(last.cart_url.startsWith(sandbox + '/cart?') && last.cart_url.length === 500);
    assert.equal(await page.evaluate(() => window.deskbell.errors), 2); // null, and a null item: counted, not thrown
    // What is cut is never cut inside of a character.
    await page.evaluate(() => deskbell.context({items: [{name: 'z'.repeat(59) + '🌸', quantity: 1, price: 1}], screen: 's'.repeat(99) + '🌸'}));
    await until('the long screen', () => page.evaluate(() => window.sent.at(-1)[1].screen === 's'.repeat(99)));
    assert.ok(await page.evaluate(() => window.sent.at(-1)[1].cart_items.isWellFormed()));
    assert.deepEqual(page.troubles, []);
  },

  async '/support has both, and is served as it should be'(browser) {
    const page = await shop(browser, {viewport: {width: 390, height: 844}});
    await page.goto(front + '/support');
    assert.equal(await page.getByRole('link', {name: 'Call us'}).getAttribute('href'), 'tel:+31201234567');
    await page.getByRole('button', {name: 'Call me back'}).click();
    await page.getByRole('dialog', {name: 'Call me back'}).getByRole('button', {name: 'Close'}).click();
    await page.getByRole('button', {name: 'Chat with us'}).click();
    await chat(page).getByLabel('Message').waitFor();
    assert.deepEqual(page.troubles.filter(text => !/sandbox\/events|CORS|ERR_FAILED/.test(text)), []); // the stand-in lives elsewhere
    // It names nothing that is not there.
    const none = await shop(browser), said = none.getByText('The chat opens here as soon as it can be reached.');
    await none.route('**/js/widget.js', route => route.abort());
    await none.goto(front + '/support');
    await chatIs(none, 'blocked');
    assert.equal(await said.isVisible(), false);
    assert.equal(await none.getByRole('button', {name: 'Chat with us'}).isVisible(), false);
    await none.evaluate(() => document.querySelectorAll('main > a, #back').forEach(element => element.remove()));
    assert.equal(await said.isVisible(), true);
    const plain = await shop(browser, {javaScriptEnabled: false});
    await plain.goto(front + '/support');
    assert.equal(await plain.getByRole('link', {name: 'Call us ' + PHONE}).getAttribute('href'), 'tel:+31201234567');
    assert.deepEqual(await plain.getByRole('button').allTextContents(), []); // what needs a script is not offered
    const script = await fetch(front + '/widget.js');
    assert.equal(script.headers.get('content-type'), 'text/javascript; charset=utf-8');
    assert.match(script.headers.get('cache-control'), /^public, max-age=300/);
    assert.ok(Number(script.headers.get('content-length')) < 12 * 1024);
    const same = await fetch(front + '/widget.js', {headers: {'If-None-Match': script.headers.get('etag')}});
    assert.equal(same.status, 304);
    assert.equal((await fetch(front + '/widget.js', {headers: {'If-None-Match': '"other"'}})).status, 200);
    const head = await fetch(front + '/support', {method: 'HEAD'});
    assert.equal(head.status, 200);
    assert.equal(await head.text(), '');
    assert.equal((await fetch(front + '/widget.js', {method: 'POST', body: 'x'})).status, 405);
    assert.equal((await fetch(front + '/widget.js/', {})).status, 404);
  },

  async 'what the script costs'(browser) {
    const times = [], listeners = [];
    for (let i = 0; i < 5; i++) {
      const page = await shop(browser);
      await page.addInitScript(() => {
        window.added = [];
        const really = EventTarget.prototype.addEventListener;
        EventTarget.prototype.addEventListener = function (name, ...rest) {
          if ((this === window || this === document) && document.currentScript?.src.includes('/widget.js')) window.added.push(name);
          return really.call(this, name, ...rest);
        };
      });
      await page.goto(sandbox + '/shop');
      await chatIs(page, 'on');
      times.push(await page.evaluate(() => window.deskbell.loadMs));
      listeners.push(await page.evaluate(() => window.added));
      await page.context().close();
    }
    assert.deepEqual(listeners[0].sort(), ['click', 'error', 'invalid', 'keydown', 'readystatechange', 'scroll', 'unhandledrejection']);
    times.sort((a, b) => a - b);
    const size = Number((await fetch(front + '/widget.js')).headers.get('content-length'));
    console.log(`   widget.js: ${size} bytes; ${listeners[0].length} listeners on document and window; script time at load: median ${times[2].toFixed(2)} ms, slowest ${times[4].toFixed(2)} ms`);
    assert.ok(size < 12 * 1024);
  },
};

let failed = 0, browser;
try {
  await begin(bin);
  browser = await launch(browserPath);
  for (const [name, test] of Object.entries(tests)) {
    if (!name.includes(only)) continue;
    const began = Date.now();
    try {
      await test(browser);
      console.log(`ok     ${name} (${Date.now() - began} ms)`);
    } catch (error) {
      failed++;
      console.log(`FAILED ${name}\n${error.stack}`);
    }
    for (const context of browser.contexts()) await context.close();
  }
} catch (error) {
  failed++;
  console.log(error.stack);
} finally {
  await browser?.close();
  if (!await end(failed)) failed++;
}
process.exitCode = failed ? 1 : 0;

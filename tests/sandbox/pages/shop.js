// SPDX-License-Identifier: Apache-2.0
// The shop: a basket whose value the chat knows, and a chat box. All text is set as text, never as HTML.
'use strict';
const goods = [
  {name: 'Alder lounge chair', note: 'Oiled oak, linen seat', price: 149.5, tone: 'a'},
  {name: 'Ember fire bowl', note: 'Corten steel, 70 cm', price: 219, tone: 'b'},
  {name: 'Harbour table', note: 'Seats six, folds to four', price: 489, tone: 'c'},
  {name: 'Moth lantern', note: 'Solar, three heights', price: 34.9, tone: 'd'},
  {name: 'Fennel planter', note: 'Fibre clay, drained', price: 58, tone: 'e'},
  {name: 'Drift parasol', note: 'Three metres, tilts', price: 175, tone: 'f'},
];
const $ = id => document.getElementById(id);
let customer = null, basket = [], friction = 0;

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function post(path, body) {
  const answer = await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  if (!answer.ok) throw new Error('HTTP ' + answer.status);
  return answer.json();
}

const total = () => basket.reduce((sum, price) => sum + price, 0);
const properties = () => ({cart_value: total().toFixed(2), friction_score: String(friction), screen: basket.length ? 'basket' : 'products'});

async function add(good) {
  basket.push(good.price);
  $('count').textContent = basket.length;
  $('total').textContent = '€ ' + total().toFixed(2);
  if (customer) await post('/sandbox/customers/' + customer.user_id + '/properties', properties());
}

function showGoods() {
  for (const good of goods) {
    const card = element('article', 'card');
    card.append(element('div', 'photo tone-' + good.tone), element('h2', '', good.name), element('p', '', good.note));
    const row = element('div', 'row'), button = element('button', '', 'Add');
    button.addEventListener('click', () => add(good));
    row.append(element('b', '', '€ ' + good.price.toFixed(2)), button);
    card.append(row);
    $('products').append(card);
  }
}

function partText(part) {
  if (part.text) return part.text.content;
  if (part.url_button) return part.url_button.label + ' ' + part.url_button.url;
  return '[' + Object.keys(part)[0] + ']';
}

async function show() {
  if (!customer) return;
  const answer = await fetch('/sandbox/conversations/' + customer.conversation_id);
  if (!answer.ok) return;
  const items = (await answer.json()).map(message => {
    const item = element('li', message.by === 'user' ? 'mine' : 'theirs');
    if (message.by !== 'user') item.append(element('small', '', message.name || 'Shop'));
    for (const part of message.parts) item.append(element('span', '', partText(part)));
    return item;
  });
  $('messages').replaceChildren(...items);
  $('messages').scrollTop = $('messages').scrollHeight;
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

$('form').addEventListener('submit', async event => {
  event.preventDefault();
  const text = $('text').value.trim();
  if (!text) return;
  $('text').value = '';
  friction += 10; // each question is a sign that something is in the way
  if (!customer)
    customer = await post('/sandbox/customers', {first_name: 'Mia', last_name: 'Lund', email: 'mia.lund@mail.example', ...properties()});
  await post('/sandbox/conversations/' + customer.conversation_id + '/messages', {text});
  await refresh();
});

$('text').addEventListener('keydown', event => {
  if (event.key !== 'Enter' || event.shiftKey) return;
  event.preventDefault();
  $('form').requestSubmit();
});

showGoods();
new EventSource('/sandbox/events').onmessage = refresh;

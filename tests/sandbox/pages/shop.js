// SPDX-License-Identifier: Apache-2.0
// A small shop: products, a cart, a checkout whose card payment is always declined. Of Deskbell it knows what any shop
// knows: deskbell.context and deskbell.signal. All text is set as text, never as HTML.
'use strict';
const goods = [
  {name: 'Alder lounge chair', note: 'Oiled oak, linen seat', price: 149.5, tone: 'a'},
  {name: 'Ember fire bowl', note: 'Corten steel, 70 cm', price: 219, tone: 'b'},
  {name: 'Harbour table', note: 'Seats six, folds to four', price: 489, tone: 'c'},
  {name: 'Moth lantern', note: 'Solar, three heights', price: 34.9, tone: 'd'},
  {name: 'Fennel planter', note: 'Fibre clay, drained', price: 58, tone: 'e'},
  {name: 'Drift parasol', note: 'Three metres, tilts', price: 349.9, tone: 'f'},
];
const $ = id => document.getElementById(id);
const money = amount => '€ ' + amount.toFixed(2);
const cart = new Map();
let screen = 'products';

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

const lines = () => goods.filter(good => cart.get(good)).map(good => ({name: good.name, quantity: cart.get(good), price: good.price}));
const total = () => lines().reduce((sum, line) => sum + line.price * line.quantity, 0);

// All that a shop has to tell.
function tell() {
  window.deskbell?.context({cartValue: total(), currency: 'EUR', cartUrl: '#cart', screen, items: lines()});
}

function put(good, quantity) {
  cart.set(good, Math.max(0, quantity));
  show();
}

function show() {
  $('count').textContent = lines().reduce((sum, line) => sum + line.quantity, 0);
  $('total').textContent = money(total());
  $('empty').hidden = lines().length > 0;
  $('to-checkout').hidden = lines().length === 0;
  $('lines').replaceChildren(...goods.filter(good => cart.get(good)).map(good => {
    const line = element('li', ''), less = element('button', '', '−'), more = element('button', '', '+');
    less.setAttribute('aria-label', 'Decrease ' + good.name);
    more.setAttribute('aria-label', 'Increase ' + good.name);
    less.addEventListener('click', () => put(good, cart.get(good) - 1));
    more.addEventListener('click', () => put(good, cart.get(good) + 1));
    line.append(element('span', '', good.name), less, element('b', '', String(cart.get(good))), more, element('span', '', money(good.price * cart.get(good))));
    return line;
  }));
  tell();
}

function go() {
  screen = ['cart', 'checkout', 'thanks'].find(name => location.hash === '#' + name) || 'products';
  for (const name of ['products', 'cart', 'checkout', 'thanks']) $('page-' + name).hidden = name !== screen;
  $('told').textContent = '';
  show();
}

for (const good of goods) {
  const card = element('article', 'card'), row = element('div', 'row'), add = element('button', '', 'Add');
  add.setAttribute('aria-label', 'Add ' + good.name);
  add.addEventListener('click', () => put(good, (cart.get(good) || 0) + 1));
  row.append(element('b', '', money(good.price)), add);
  card.append(element('div', 'photo tone-' + good.tone), element('h2', '', good.name), element('p', '', good.note), row);
  $('products').append(card);
}

$('use-promo').addEventListener('click', () => {
  $('told').textContent = 'This code is not valid any more.';
  window.deskbell?.signal('promo_refused');
});

$('checkout').addEventListener('submit', event => {
  event.preventDefault();
  if (new FormData($('checkout')).get('means') === 'working') {
    cart.clear();
    location.hash = '#thanks';
    return;
  }
  $('told').textContent = 'Your bank declined the payment.';
  window.deskbell?.signal('payment_declined');
});

window.addEventListener('hashchange', go);
go();

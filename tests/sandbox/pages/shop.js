// SPDX-License-Identifier: Apache-2.0
// A small shop: products, a cart, a checkout whose card payment is always declined. Of Deskbell it knows what any shop
// knows: context and signal. Only the telephone at the end is the stand-in's own. All text is set as
// text, never as HTML.
'use strict';
const goods = [
  {name: 'Alder lounge chair', note: 'Oiled oak, linen seat', price: 149.5, picture: 'chair'},
  {name: 'Ember fire bowl', note: 'Corten steel, 70 cm', price: 219, picture: 'bowl'},
  {name: 'Drift parasol', note: 'Three metres, tilts', price: 349.9, picture: 'parasol'},
  {name: 'Harbour table', note: 'Seats six, folds to four', price: 489, picture: 'table'},
  {name: 'Moth lantern', note: 'Solar, three heights', price: 34.9, picture: 'lantern'},
  {name: 'Fennel planter', note: 'Fibre clay, drained', price: 58, picture: 'planter'},
];
const screens = ['products', 'delivery', 'cart', 'checkout', 'thanks'];
const $ = id => document.getElementById(id);
const money = amount => '€ ' + amount.toFixed(2);
const cart = new Map(JSON.parse(sessionStorage.getItem('cart') || '[]'));
let screen = 'products';

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

function picture(good, name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg'), use = document.createElementNS(svg.namespaceURI, 'use');
  svg.setAttribute('class', name);
  svg.setAttribute('aria-hidden', 'true');
  use.setAttribute('href', '/sandbox/goods.svg#' + good.picture);
  svg.append(use);
  return svg;
}

const inCart = () => goods.filter(good => cart.get(good.name));
const lines = () => inCart().map(good => ({name: good.name, quantity: cart.get(good.name), price: good.price}));
const total = () => lines().reduce((sum, line) => sum + line.price * line.quantity, 0);
const cartUrl = () => new URL('#cart', location).href;

// Before Deskbell's script is there, what is told waits in a list.
const say = (name, what) => (window.deskbell ||= []).push([name, what]);

// Tells the cart together with its signature, never a new cart beside an old signature. A shop that signs carts asks its
// own server; here the stand-in plays that server. Without a key it has none.
let asked = 0;
async function tellCart() {
  const mine = ++asked, cart = {cartValue: total(), currency: 'EUR', cartUrl: cartUrl(), items: lines()};
  const answer = await fetch('/sandbox/cart-proof', {method: 'POST', headers: {'Content-Type': 'application/json'}, signal: AbortSignal.timeout(5000),
    body: JSON.stringify({value: cart.cartValue.toFixed(2), currency: cart.currency, url: cart.cartUrl})}).catch(() => null);
  const {proof} = answer?.ok ? await answer.json().catch(() => ({})) : {};
  if (mine === asked) say('context', {...cart, proof});
}

function put(good, quantity) {
  cart.set(good.name, Math.max(0, quantity));
  sessionStorage.setItem('cart', JSON.stringify([...cart]));
  show();
  tellCart();
}

function cartLine(good) {
  const line = element('li', ''), less = element('button', 'quiet', '−'), more = element('button', 'quiet', '+');
  const steps = element('span', 'stepper');
  less.setAttribute('aria-label', 'Decrease ' + good.name);
  more.setAttribute('aria-label', 'Increase ' + good.name);
  less.addEventListener('click', () => put(good, cart.get(good.name) - 1));
  more.addEventListener('click', () => put(good, cart.get(good.name) + 1));
  steps.append(less, element('b', '', String(cart.get(good.name))), more);
  line.append(picture(good, 'thumb'), element('span', 'what', good.name), steps, element('span', 'price', money(good.price * cart.get(good.name))));
  return line;
}

function orderLine(good) {
  const line = element('li', '');
  line.append(picture(good, 'thumb'), element('span', 'what', cart.get(good.name) + ' × ' + good.name),
              element('span', 'price', money(good.price * cart.get(good.name))));
  return line;
}

function show() {
  $('count').textContent = lines().reduce((sum, line) => sum + line.quantity, 0);
  for (const id of ['total', 'cart-total', 'order-total']) $(id).textContent = money(total());
  $('empty').hidden = lines().length > 0;
  $('to-checkout').hidden = $('sum').hidden = lines().length === 0;
  $('lines').replaceChildren(...inCart().map(cartLine));
  $('order').replaceChildren(...inCart().map(orderLine));
}

function go() {
  screen = screens.find(name => location.hash === '#' + name) || 'products';
  for (const name of screens) $('page-' + name).hidden = name !== screen;
  $('told').textContent = $('promo-told').textContent = '';
  scrollTo(0, 0);
  show();
  say('context', {screen});
}

for (const good of goods) {
  const card = element('article', 'card'), row = element('div', 'row'), add = element('button', '', 'Add');
  add.setAttribute('aria-label', 'Add ' + good.name);
  add.addEventListener('click', () => put(good, (cart.get(good.name) || 0) + 1));
  row.append(element('b', '', money(good.price)), add);
  card.append(picture(good, 'photo'), element('h2', '', good.name), element('p', '', good.note), row);
  $('products').append(card);
}

$('use-promo').addEventListener('click', () => {
  $('promo-told').textContent = 'This code is not valid any more.';
  say('signal', 'promo_refused');
});

$('checkout').addEventListener('submit', event => {
  event.preventDefault();
  if (new FormData($('checkout')).get('means') === 'working') {
    cart.clear();
    sessionStorage.removeItem('cart');
    say('signal', 'order_placed');
    tellCart();
    location.hash = '#thanks';
    return;
  }
  $('told').textContent = 'Your bank declined the payment.';
  say('signal', 'payment_declined');
});

// ---------------------------------------------------------------- the stand-in's telephone
// "Call us" dials on a real page. Here it opens a telephone to play with.
document.addEventListener('click', event => {
  if (!event.composedPath().some(part => part instanceof HTMLAnchorElement && part.protocol === 'tel:')) return;
  event.preventDefault();
  $('telephone-told').textContent = '';
  $('telephone').showModal();
});
$('telephone-close').addEventListener('click', () => $('telephone').close());
$('telephone-form').addEventListener('submit', async event => {
  event.preventDefault();
  const said = new FormData($('telephone-form'));
  const answered = said.get('outcome') === 'answered';
  const post = (path, body) => fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)})
    .catch(() => null);
  const answer = await post('/sandbox/phone', {from: said.get('from').replace(/[^+\d]/g, ''), agent: answered ? 'Anna Berg' : undefined,
                                               seconds: answered ? 94 : 21});
  $('telephone-told').textContent = !answer?.ok ? 'This call could not be placed.' :
    answered ? 'Anna Berg answered. The recording is there in a few seconds.' : 'Nobody answered.';
  if (!answered || !answer?.ok) return;
  const {id} = await answer.json();
  setTimeout(() => post('/sandbox/phone/' + id + '/recording', {}), 2000); // it comes later than the call, as it does really
});

window.addEventListener('hashchange', go);
go();
tellCart();

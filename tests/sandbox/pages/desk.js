// SPDX-License-Identifier: Apache-2.0
// The desk: tickets as an agent sees them. All text is set as text, never as HTML.
'use strict';
const $ = id => document.getElementById(id);
const priorities = {1: 'Low', 2: 'Medium', 3: 'High', 4: 'Urgent'};
const states = {2: 'Open', 3: 'Pending', 4: 'Resolved', 5: 'Closed'};
let selected = null;

function element(tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text !== undefined) made.textContent = text;
  return made;
}

async function get(path) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error('HTTP ' + answer.status);
  return answer.json();
}

async function post(path, body) {
  const answer = await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)});
  if (!answer.ok) throw new Error('HTTP ' + answer.status);
}

const time = text => new Date(text).toLocaleTimeString('en-GB');
const priority = number => element('span', 'priority p' + number, priorities[number] || String(number));
const tagList = tags => tags.map(tag => element('span', 'tag', tag));
const label = name => name.replace(/^cf_/, '').replaceAll('_', ' ');
const state = ticket => states[ticket.status] || 'Status ' + ticket.status;

// Text with its addresses as links; only what a browser opens as a page becomes one.
function linked(text) {
  return text.split(/(https?:\/\/[^\s<>"']+)/).map((piece, i) => {
    if (i % 2 === 0) return document.createTextNode(piece);
    const link = element('a', '', piece.length > 60 ? piece.slice(0, 57) + '…' : piece);
    link.href = piece;
    link.rel = 'noreferrer';
    return link;
  });
}

function showList(tickets) {
  $('count').textContent = tickets.length || '';
  $('none').hidden = tickets.length > 0;
  $('tickets').replaceChildren(...tickets.map(ticket => {
    const item = element('li'), button = element('button', ticket.id === selected ? 'ticket on' : 'ticket');
    const line = element('span', 'line');
    line.append(priority(ticket.priority), element('span', 'state', state(ticket)), ...tagList(ticket.tags));
    const from = element('span', 'from', ticket.requester + ' · #' + ticket.id);
    from.append(element('span', 'when', time(ticket.updated_at)));
    button.append(element('b', '', ticket.subject), from, line);
    button.addEventListener('click', async () => {
      selected = ticket.id;
      await refresh();
      if (matchMedia('(max-width: 760px)').matches) $('detail').scrollIntoView(); // there it is below the list
    });
    item.append(button);
    return item;
  }));
}

// One custom field as agents read it: the score as a bar, the link between the two systems small.
function field(name, value) {
  const box = element('div', name.includes('conversation') ? 'field small' : 'field'), shown = element('dd');
  box.append(element('dt', '', label(name)), shown);
  if (name.includes('friction') && value !== null && Number(value) <= 100) {
    const meter = element('meter');
    Object.assign(meter, {min: 0, max: 100, low: 30, high: 60, optimum: 0, value: Number(value)});
    shown.append(element('b', '', String(value)), meter);
  } else {
    shown.append(...(value === null ? ['—'] : linked(typeof value === 'number' && name.includes('cart') ? value.toFixed(2) : String(value))));
  }
  return box;
}

function entryOf(kind, who, what, when, text) {
  const item = element('li', 'entry ' + kind), head = element('small', '');
  head.append(element('span', 'kind', what), ' ' + who + (when ? ' · ' + when : ''));
  const body = element('p');
  body.append(...linked(text));
  item.append(head, body);
  return item;
}

let shown = '';
function showTicket(ticket) {
  $('detail').hidden = false;
  $('subject').textContent = ticket.subject;
  $('meta').replaceChildren(priority(ticket.priority), element('span', 'state', state(ticket)), ...tagList(ticket.tags),
                            element('span', 'from', ticket.requester + ' · #' + ticket.id + ' · ' + time(ticket.created_at)));
  $('fields').replaceChildren(...Object.entries(ticket.custom_fields).sort(([a], [b]) => a.includes('conversation') - b.includes('conversation'))
    .map(([name, value]) => field(name, value)));
  $('entries').replaceChildren(entryOf('incoming', ticket.requester, 'Description', time(ticket.created_at), ticket.description),
    ...ticket.entries.map(entry => {
      const kind = entry.private ? 'private' : entry.incoming ? 'incoming' : entry.reply ? 'reply' : 'public';
      const words = {private: 'Private note', incoming: 'Customer', reply: 'Reply', public: 'Public note'};
      return entryOf(kind, entry.author, words[kind], time(entry.created_at), entry.text);
    }));
  // A ticket that is opened shows its beginning; what is new in it is scrolled to.
  const now = ticket.id + ' ' + ticket.entries.length;
  if (shown && now !== shown && shown.startsWith(ticket.id + ' ')) $('entries').lastChild.scrollIntoView({block: 'nearest'});
  else if (now !== shown) $('entries').scrollTop = 0;
  shown = now;
}

async function show() {
  const tickets = await get('/sandbox/tickets');
  if (selected === null && tickets.length) selected = tickets[0].id;
  showList(tickets);
  if (selected !== null) showTicket(await get('/sandbox/tickets/' + selected));
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
  const text = $('text').value.trim(), kind = new FormData($('form')).get('kind');
  if (!text || selected === null) return;
  await post('/sandbox/tickets/' + selected + '/entries', {kind, text, agent: $('agent').value});
  $('text').value = '';
  await refresh();
});

$('resolve').addEventListener('click', () => post('/sandbox/tickets/' + selected + '/status', {status: 4, agent: $('agent').value}));

async function start() {
  for (const agent of await get('/sandbox/agents')) {
    const option = element('option', '', agent.name);
    option.value = agent.email;
    option.selected = agent.name === 'Anna Berg';
    $('agent').append(option);
  }
  await refresh();
  new EventSource('/sandbox/events').onmessage = refresh;
}
start();

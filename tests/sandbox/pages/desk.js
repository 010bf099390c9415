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

const time = text => new Date(text).toLocaleTimeString();
const priority = number => element('span', 'priority p' + number, priorities[number] || String(number));
const tagList = tags => tags.map(tag => element('span', 'tag', tag));
const label = name => name.replace(/^cf_/, '').replaceAll('_', ' ');

function showList(tickets) {
  $('count').textContent = tickets.length || '';
  $('none').hidden = tickets.length > 0;
  $('tickets').replaceChildren(...tickets.map(ticket => {
    const item = element('li'), button = element('button', ticket.id === selected ? 'ticket on' : 'ticket');
    const line = element('span', 'line');
    line.append(priority(ticket.priority), element('span', '', states[ticket.status] || 'Status ' + ticket.status), ...tagList(ticket.tags),
                element('span', 'when', time(ticket.updated_at)));
    button.append(element('b', '', ticket.subject), element('span', 'from', ticket.requester + ' · #' + ticket.id), line);
    button.addEventListener('click', () => { selected = ticket.id; refresh(); });
    item.append(button);
    return item;
  }));
}

function showTicket(ticket) {
  $('detail').hidden = false;
  $('subject').textContent = ticket.subject;
  $('meta').replaceChildren(priority(ticket.priority), document.createTextNode(
    ' ' + (states[ticket.status] || ticket.status) + ' · ' + ticket.requester + ' · #' + ticket.id + ' · ' + time(ticket.created_at)));
  $('tags').replaceChildren(...tagList(ticket.tags));
  $('fields').replaceChildren(...Object.entries(ticket.custom_fields).flatMap(([name, value]) =>
    [element('dt', '', label(name)), element('dd', '', value === null ? '—' : String(value))]));
  const first = element('li', 'entry incoming');
  first.append(element('small', '', ticket.requester + ' · description'), element('p', '', ticket.description));
  $('entries').replaceChildren(first, ...ticket.entries.map(entry => {
    const kind = entry.private ? 'private note' : entry.incoming ? 'customer' : entry.reply ? 'reply' : 'public note';
    const item = element('li', 'entry' + (entry.incoming ? ' incoming' : '') + (entry.private ? ' private' : ''));
    item.append(element('small', '', entry.author + ' · ' + kind + ' · ' + time(entry.created_at)), element('p', '', entry.text));
    return item;
  }));
  $('entries').scrollTop = $('entries').scrollHeight;
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
    $('agent').append(option);
  }
  await refresh();
  new EventSource('/sandbox/events').onmessage = refresh;
}
start();

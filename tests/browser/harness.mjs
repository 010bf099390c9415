// SPDX-License-Identifier: Apache-2.0
// What the browser tests and the pictures share: deskbelld and the sandbox from a build's bin folder, the system's
// Chromium, and a shopper's hands. Waits for conditions, each with a limit.
import {spawn} from 'node:child_process';
import {mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync, existsSync} from 'node:fs';
import {createServer} from 'node:net';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {chromium} from 'playwright-core';

export const PHONE = '+31 20 123 45 67', LIMIT_MS = 60000;
const folder = mkdtempSync(join(tmpdir(), 'deskbell-browser-'));
const children = [];
let bin;
export let sandbox, front, admin; // where they are

export async function until(what, look, limit = LIMIT_MS) {
  const end = Date.now() + limit;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > end) throw new Error(what + ': not within ' + limit + ' ms');
    await new Promise(done => setTimeout(done, 20));
  }
}

function freePort() {
  return new Promise((done, failed) => {
    const server = createServer();
    server.on('error', failed);
    server.listen(0, '127.0.0.1', () => {
      const {port} = server.address();
      server.close(() => done(port));
    });
  });
}

function start(program, ...args) {
  const child = spawn(join(bin, program), args, {stdio: ['ignore', 'pipe', 'pipe']});
  const log = [];
  child.stdout.on('data', data => log.push(data));
  child.stderr.on('data', data => log.push(data));
  child.on('error', error => log.push(String(error)));
  const gone = new Promise(done => child.on('close', done));
  children.push({child, program, gone, log});
}

// Ends both programs and removes what they wrote. Gives true when they left as they should; else, or with `tell`, prints
// the last of what they said.
export async function end(tell) {
  let good = true;
  for (const {child, gone, program} of [...children].reverse()) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const hurry = setTimeout(() => child.kill('SIGKILL'), 25000);
      await gone;
      clearTimeout(hurry);
    }
    if (child.exitCode === 0) continue;
    good = false;
    console.log(`${program} left with ${child.exitCode ?? child.signalCode}`);
  }
  rmSync(folder, {recursive: true, force: true});
  if (tell || !good)
    for (const {program, log} of children)
      console.log(`--- ${program}\n${Buffer.concat(log.map(part => Buffer.from(part))).toString().slice(-6000)}`);
  return good;
}

export const launch = browserPath => chromium.launch({executablePath: browserPath, headless: true, args: ['--headless', '--no-sandbox',
  '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run',
  '--disable-features=LocalNetworkAccessChecks']}); // pages that a test makes up have no address, and all else is on loopback

export const json = async (url, options) => (await fetch(url, options)).json();

// The chat's script as the configuration names it: "/js/widget.js" or "/1/1.js".
function config(script) {
  const credentials = join(folder, 'credentials');
  return `
state_dir   = "${folder}/state"
runtime_dir = "${folder}/run"
front { listen = "127.0.0.1:${front.split(':')[2]}"  admin_listen = "127.0.0.1:${admin.split(':')[2]}" }
freshchat {
    api_url           = "${sandbox}/v2"
    token_file        = "${credentials}/freshchat.token"
    webhook_key_files = {"${credentials}/freshchat-webhook.pem"}
    agent_id          = "${readFileSync(join(credentials, 'freshchat.agent'), 'utf8').trim()}"
}
freshdesk {
    api_url             = "${sandbox}/api/v2"
    key_file            = "${credentials}/freshdesk.key"
    webhook_token_files = {"${credentials}/freshdesk-webhook.token"}
}
freshcaller {
    enabled      = true
    api_url      = "${sandbox}/api/v1"
    key_file     = "${credentials}/freshcaller.key"
    phone_number = "${PHONE}"
    poll_seconds = 1
}
widget {
    script_url = "${sandbox}${script}"
    host       = "${sandbox}"
    token      = "sandbox"
    call_hours = "Mon-Fri 9:00-17:30"
    call_time_zone = "Europe/Amsterdam"
    call_back = true
    public_url = "${front}"
    call_message = "Rather talk? You reach us at ${PHONE}."
    context_key_file = "${credentials}/context.key"
    call_backs_per_client = 100
}
priority high-value { min_cart_value = 200.0  level = "urgent"  tags = {"high-value"} }
priority struggling { min_cart_value = 50.0  min_friction = 60  level = "high" }
`;
}

export async function begin(builtIn) {
  bin = builtIn;
  front = 'http://127.0.0.1:' + await freePort();
  admin = 'http://127.0.0.1:' + await freePort();
  const credentials = join(folder, 'credentials');
  for (const name of ['state', 'run', 'credentials']) mkdirSync(join(folder, name), {mode: 0o700});
  start('deskbell-sandbox', '--listen', '127.0.0.1:0', '--state', credentials, '--freshchat-webhook', front + '/webhooks/freshchat',
        '--freshdesk-webhook', front + '/webhooks/freshdesk');
  await until('the sandbox', () => existsSync(join(credentials, 'url')));
  sandbox = readFileSync(join(credentials, 'url'), 'utf8').trim();
  writeFileSync(join(folder, 'deskbell.conf'), config('/js/widget.js'));
  start('deskbelld', '-c', join(folder, 'deskbell.conf'));
  await until('deskbelld', async () => (await fetch(admin + '/readyz').catch(() => ({}))).ok);
}

// ---------------------------------------------------------------- acting as a shopper
export const chat = page => page.locator('#fc_frame');
export const frictionOf = page => page.evaluate(() => window.deskbell.friction());

// Not page.waitForFunction, which a strict policy forbids: it evaluates text inside the page.
export const chatIs = (page, state) => until('the chat is ' + state, () => page.evaluate(wanted => window.deskbell?.chat === wanted, state));

export async function shop(browser, options) {
  const context = await browser.newContext(options), page = await context.newPage();
  context.setDefaultTimeout(LIMIT_MS);
  page.troubles = [];
  page.on('pageerror', error => page.troubles.push(String(error)));
  page.on('console', message => message.type() === 'error' && page.troubles.push(message.text()));
  return page;
}

// What is clicked in there is clicked within one moment of the page's clock, however slow the machine is. The page's clock
// is ours from before it was loaded.
export async function atOnce(page, clicks) {
  await page.clock.pauseAt(await page.evaluate(() => Date.now()) + 1000);
  await clicks();
  await page.clock.resume();
}

export async function openShop(browser, options) {
  const page = await shop(browser, options);
  await page.goto(sandbox + '/shop');
  await chatIs(page, 'on');
  return page;
}

export async function fillCheckout(page, goods) {
  await page.getByRole('button', {name: 'Add ' + goods}).click();
  await page.goto(sandbox + '/shop#checkout');
  await page.getByLabel('Name').fill('Mia Lund');
  await page.getByLabel('E-mail').fill('mia.lund@mail.example');
}

export async function write(page, text) {
  await chat(page).getByRole('button', {name: 'Chat'}).click();
  await chat(page).getByLabel('Message').fill(text);
  await chat(page).getByRole('button', {name: 'Send'}).click();
}

export const ticketWith = (text, limit) => until('a ticket that says ' + text, async () => {
  for (const {id} of await json(sandbox + '/sandbox/tickets')) {
    const ticket = await json(sandbox + '/sandbox/tickets/' + id);
    if (ticket.description.includes(text)) return ticket;
  }
  return null;
}, limit);

// A page of some other shop, on the sandbox's origin.
export async function otherShop(page, body, headers = {}) {
  await page.route('**/other-shop', route => route.fulfill({contentType: 'text/html; charset=utf-8', headers,
    body: '<!DOCTYPE html><html lang="en"><title>x</title><link rel="icon" href="data:,"><body>' + body + '</body></html>'}));
  await page.goto(sandbox + '/other-shop');
}


// SPDX-License-Identifier: Apache-2.0
// Takes the pictures of docs/pictures anew: the shop and the desk while a shopper is stuck. Run as:
//   node tests/browser/pictures.mjs [BIN [CHROMIUM [FOLDER]]]
import {mkdirSync, statSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {begin, chat, end, launch, openShop, sandbox, ticketWith, write} from './harness.mjs';

const tree = resolve(dirname(fileURLToPath(import.meta.url)), '../..');
const [bin = join(tree, 'build/dev/bin'), browserPath = '/usr/bin/chromium', folder = join(tree, 'docs/pictures')] = process.argv.slice(2);
const size = {width: 1320, height: 800};
mkdirSync(folder, {recursive: true});

async function take(page, name) {
  const path = join(folder, name + '.png');
  await page.screenshot({path});
  console.log(`${path}: ${Math.round(statSync(path).size / 1024)} KB`);
}

let browser, failed = false;
try {
  await begin(bin);
  browser = await launch(browserPath);
  const page = await openShop(browser, {viewport: size});
  await page.getByRole('button', {name: 'Add Drift parasol'}).click();
  await take(page, 'shop');
  // Another customer, who only asks.
  const other = await openShop(browser, {viewport: size});
  await write(other, 'Does the Harbour table fold away?');
  await ticketWith('Does the Harbour table');
  await other.context().close();
  // One who is stuck.
  await page.goto(sandbox + '/shop#checkout');
  await page.evaluate(() => fcWidget.user.setProperties({firstName: 'Mia', lastName: 'Lund'})); // a customer who is signed in
  await page.getByLabel('Name', {exact: true}).fill('Mia Lund');
  await page.getByLabel('E-mail').fill('mia.lund@mail.example');
  const pay = page.getByRole('button', {name: 'Pay'});
  await pay.click();
  for (let i = 0; i < 3; i++) await pay.click({delay: 5});
  await write(page, 'My card is declined. Can I pay another way?');
  const ticket = await ticketWith('My card is declined');
  await chat(page).getByRole('link', {name: 'Call us'}).waitFor();
  await fetch(sandbox + '/sandbox/tickets/' + ticket.id + '/entries', {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({kind: 'reply', agent: 'anna.berg@shop.example', text: 'Hello Mia, yes: a bank transfer works at once.'})});
  await chat(page).getByText('a bank transfer works').waitFor();
  await take(page, 'checkout');
  await page.getByRole('button', {name: 'Call me back'}).click();
  const form = page.getByRole('dialog', {name: 'Call me back'});
  await form.getByLabel('Phone number').fill('+31 20 999 88 77');
  await form.getByLabel('Name').fill('Mia Lund');
  await form.getByRole('button', {name: 'Call me back'}).click();
  await form.getByText('Thank you').waitFor();
  const desk = await (await browser.newContext({viewport: {width: 1100, height: 890}})).newPage();
  await desk.goto(sandbox + '/desk');
  await desk.getByRole('button', {name: 'My card is declined'}).click();
  await desk.locator('.entry.private', {hasText: '+31209998877'}).waitFor();
  await desk.locator('.entry.reply').waitFor();
  await take(desk, 'desk');
} catch (error) {
  failed = true;
  console.log(error.stack);
} finally {
  await browser?.close();
  if (!await end(failed)) failed = true;
}
process.exitCode = failed ? 1 : 0;

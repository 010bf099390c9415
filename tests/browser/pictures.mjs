// SPDX-License-Identifier: Apache-2.0
// Takes the pictures of docs/pictures anew: the shop and the desk while a shopper is stuck. Run as:
//   node tests/browser/pictures.mjs [BIN [CHROMIUM [FOLDER]]]
import {mkdirSync, statSync} from 'node:fs';
import {dirname, join, resolve} from 'node:path';
import {fileURLToPath} from 'node:url';
import {begin, chat, end, fillCheckout, launch, openShop, sandbox, ticketWith, until, write} from './harness.mjs';

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
  await take(page, 'shop-start');
  await fillCheckout(page, 'Drift parasol');
  const pay = page.getByRole('button', {name: 'Pay'});
  for (let i = 0; i < 3; i++) await pay.click({delay: 5});
  await write(page, 'My card is declined each time. Can I pay another way?');
  const ticket = await ticketWith('My card is declined');
  await fetch(sandbox + '/sandbox/tickets/' + ticket.id + '/entries', {method: 'POST', headers: {'Content-Type': 'application/json'},
    body: JSON.stringify({kind: 'reply', agent: 'anna.berg@shop.example', text: 'Hello Mia, yes: a bank transfer works at once.'})});
  await chat(page).getByText('a bank transfer works').waitFor();
  await take(page, 'shop');
  const desk = await (await browser.newContext({viewport: size})).newPage();
  await desk.goto(sandbox + '/desk');
  await desk.getByText('a bank transfer works').waitFor();
  await take(desk, 'desk');
} catch (error) {
  failed = true;
  console.log(error.stack);
} finally {
  await browser?.close();
  if (!await end(failed)) failed = true;
}
process.exitCode = failed ? 1 : 0;

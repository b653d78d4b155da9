// Opens pages of --report-html in Chromium for scripts/try-page. Prints one line per check; stops at the first failure.
'use strict';

const assert = require('node:assert/strict');
const fs = require('node:fs');
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

async function check(browser, file, colorScheme) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1000, height: 900 } });
  const page = await context.newPage();
  const complaints = [];
  const requests = [];
  page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(`dialog: ${dialog.message()}`));
  page.on('request', (request) => requests.push(request.url()));
  await page.goto(`file://${file}`);
  assert.equal(await page.locator('img').count(), 0);

  // The end of the recording is shown; its first line is text, not markup.
  const screen = page.locator('.screen');
  assert.match(await screen.innerText(), /^<\/script><script>alert\(1\)<\/script>/);
  const last = await screen.innerText();
  assert.equal(last.trimEnd(), (await withoutScript(browser, file)).trimEnd(), 'without JavaScript the end is there as well');

  // With the keyboard only: Tab reaches Play, Space plays, Home and End seek.
  const focused = () => page.evaluate(() => document.activeElement.className);
  const reached = [];
  for (let n = 0; n < 60 && (await focused()) !== 'play'; n++) {
    await page.keyboard.press('Tab');
    reached.push(await focused());
  }
  assert.equal(await focused(), 'play', `Tab reaches Play; it reached ${reached}`);
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  assert.equal(outline, 'solid', 'what has the focus is seen');
  await page.keyboard.press('Tab');
  assert.equal(await focused(), 'time');
  await page.keyboard.press('Home');
  assert.equal((await screen.innerText()).trim(), '', 'at the beginning the screen is empty');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('Space');
  await page.waitForFunction(() => document.querySelector('.play').textContent === 'Pause');
  await page.waitForFunction(() => document.querySelector('.play').textContent === 'Play');
  assert.equal(await screen.innerText(), last, 'played to its end it shows the end');

  // Each question links to its moment in the recording, where the question is shown.
  const watches = page.locator('.watch:visible');
  const questions = await page.locator('.question').allInnerTexts();
  assert.equal(await watches.count(), questions.length);
  await watches.first().focus();
  await page.keyboard.press('Enter');
  const chosen = await page.locator('.chosen strong').first().innerText();
  const highlit = (await screen.innerText()).split('\n').find((line) => line.startsWith('❯'));
  const plain = (text) => text.replace(/\s+/g, ' ').trim();
  assert.equal(plain(highlit), plain(chosen), 'the answer is highlit when Enter is pressed');
  await page.screenshot({ path: file.replace('.html', `.${colorScheme}.png`), fullPage: true });

  const { violations } = await page.evaluate(`${axe}; axe.run()`);
  assert.deepEqual(violations.map(({ id, nodes }) => [id, nodes[0].html]), []);

  // On a narrow screen, as on a phone, nothing overflows.
  await page.setViewportSize({ width: 360, height: 800 });
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= 360), 'nothing sticks out of 360 pixels');

  assert.deepEqual(complaints, []);
  assert.deepEqual(requests, [`file://${file}`]);
  await context.close();
  console.log(`ok  ${file}, ${colorScheme}`);
}

async function withoutScript(browser, file) {
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(`file://${file}`);
  const text = await page.locator('.screen').innerText();
  await context.close();
  return text;
}

async function main(files) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'],
  });
  try {
    for (const file of files) for (const scheme of ['light', 'dark']) await check(browser, file, scheme);
  } finally {
    await browser.close();
  }
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exit(1);
});

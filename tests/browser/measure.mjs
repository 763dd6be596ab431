// Measures the page of a running varve: node measure.mjs http://127.0.0.1:8484/ [refreshes]
//   weight   bytes over the wire of a first load (as sent, gzipped), until the editor is there
//   paint    first contentful paint; first drawn chart
//   latency  from a click to the changed chart: 1,000 lines over 15 minutes, zoom, one line over all data
//   memory   of the tab's heap after so many auto-refreshes (default 1,800: an hour of every 2 s), 20 times as fast
import { editorOf, launchBrowser, openPage, paintedPixels, until } from './support.mjs';

const [url, refreshes = '1800'] = process.argv.slice(2);
if (url === undefined) throw new Error('usage: node measure.mjs URL [refreshes]');
const HASTE = 20;

const browser = await launchBrowser();
const say = (name, value) => console.log(`${name.padEnd(44)} ${value}`);
const ms = (value) => `${Math.round(value)} ms`;

async function firstLoad() {
  const { page, close } = await openPage(browser, 'about:blank');
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Network.enable');
  const files = new Map();
  cdp.on('Network.responseReceived', ({ requestId, response }) => files.set(requestId, { url: response.url, bytes: 0 }));
  cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
    if (files.has(requestId)) files.get(requestId).bytes = encodedDataLength;
  });
  const started = performance.now();
  await page.goto(url);
  await until('a drawn line', async () => (await paintedPixels(page)) > 50);
  const drawn = performance.now() - started;
  await editorOf(page);
  const parts = [...files.values()].filter((file) => !/\/api\//.test(file.url));
  for (const part of parts) say(`weight ${new URL(part.url).pathname}`, `${part.bytes} B`);
  say('weight of all', `${parts.reduce((sum, part) => sum + part.bytes, 0)} B`);
  const paint = await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime);
  say('first contentful paint', ms(paint));
  say('first chart', ms(drawn));
  await close();
}

async function latency() {
  const { page, close } = await openPage(browser, `${url}#/explore?refresh=off`);
  await until('a drawn line', async () => (await paintedPixels(page)) > 50);
  const answered = async (what, act) => {
    const bytes = [];
    const count = (response) => {
      if (response.url().includes('/api/v1/query')) bytes.push(response);
    };
    page.on('response', count);
    const before = await page.locator('#summary').innerText();
    const started = performance.now();
    await act();
    const changed = (now) => now !== before && /rows?,/.test(now);
    await until(what, async () => changed(await page.locator('#summary').innerText()));
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    const took = performance.now() - started;
    page.off('response', count);
    const size = bytes.length > 0 ? (await bytes.at(-1).body()).length : 0;
    say(`latency ${what}`, `${ms(took)}, ${size} B, ${await page.locator('#summary').innerText()}`);
  };
  await answered('a line per sensor', () => page.getByLabel('Split by').selectOption('sensor_id'));
  await answered('zoom in', () => page.getByRole('button', { name: 'Zoom in' }).click());
  await answered('zoom out', () => page.getByRole('button', { name: 'Zoom out' }).click());
  const box = await page.locator('.plot .u-over').boundingBox();
  const moved = await page.evaluate(async () => performance.now());
  for (let i = 1; i <= 20; i++) await page.mouse.move(box.x + (box.width * i) / 21, box.y + box.height / 2);
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  say('cursor over all lines, per move', ms((await page.evaluate(() => performance.now()) - moved) / 20));
  await answered('one line of all data', async () => {
    await page.getByLabel('Split by').selectOption('');
    await page.getByRole('radio', { name: 'All data' }).check();
  });
  await close();
}

async function memory() {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 } });
  const page = await context.newPage();
  await page.addInitScript((haste) => {
    const real = window.setTimeout.bind(window);
    window.setTimeout = (call, wait = 0, ...rest) => real(call, wait / haste, ...rest);
  }, HASTE);
  let answers = 0;
  page.on('requestfinished', (request) => {
    if (request.url().endsWith('/api/v1/query')) answers++;
  });
  await page.goto(`${url}#/explore?range=5m`);
  await page.getByLabel('Split by').selectOption('site');
  const cdp = await context.newCDPSession(page);
  await cdp.send('Performance.enable');
  const heap = async () => {
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    const value = (name) => metrics.find((metric) => metric.name === name).value;
    return `${(value('JSHeapUsedSize') / 1048576).toFixed(1)} MiB, ${value('Nodes')} nodes, ${value('JSEventListeners')} listeners`;
  };
  for (const share of [0.02, 0.25, 0.5, 0.75, 1]) {
    const wanted = Number(refreshes) * share;
    await until(`${wanted} refreshes`, () => answers >= wanted, 600_000);
    say(`memory after ${answers} refreshes`, await heap());
  }
  await context.close();
}

await firstLoad();
await latency();
await memory();
await browser.close();

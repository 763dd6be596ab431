// Measures the page: node measure.mjs [--minutes N] [--url URL]     (./dev bench page)
// Without a URL it starts `varve demo` with 1,000 sensors and waits for the first million readings.
//   weight   bytes over the wire of a first load (as sent, gzipped), until the editor is there
//   paint    from the request to the first contentful paint and to the first drawn chart: medians of fresh profiles
//   latency  from a click to the drawn answer, a million readings or more in view (half of them after zooming in)
//   memory   heap and resident memory of tabs that refresh by themselves for N minutes (3), three views at once: 1,000
//            lines every 2 s, the live tail, the pipeline
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chromium } from 'playwright-core';
import { startDemo } from './demo.mjs';
import { CHROMIUM_ARGUMENTS, chromiumPath, editorOf, launchBrowser, openPage, until } from './support.mjs';

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '3' }, url: { type: 'string' } } });
const minutes = Number(values.minutes);
const READINGS = 1_000_000;
const RUNS = 5;
const LINES = `SELECT time_bucket($interval, time) AS t, avg(ph) AS ph, sensor_id
FROM readings
WHERE time >= $from AND time < $to
GROUP BY t, sensor_id
ORDER BY t`;
const linesLink = (refresh) => `#/explore?q=${encodeURIComponent(LINES)}&range=1m&refresh=${refresh}`;

const say = (name, value) => console.log(`${name.padEnd(44)} ${value}`);
const ms = (value) => `${Math.round(value)} ms`;
const mib = (bytes) => `${(bytes / 1_048_576).toFixed(1)} MiB`;
const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

const twoFrames = (page) =>
  page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));

// Another answer than `before` is there and on the screen; looked for in every frame.
async function drawn(page, before) {
  const changed = (old) => {
    const now = document.querySelector('#summary')?.innerText ?? '';
    return now !== old && /rows?,/.test(now) && document.querySelector('.plot canvas') !== null;
  };
  await page.waitForFunction(changed, before, { polling: 'raf' });
  await twoFrames(page);
}

async function readings(url) {
  const answer = await fetch(new URL('api/v1/query', url), { method: 'POST', body: 'SELECT count(*) FROM readings' });
  return answer.ok ? (await answer.json()).rows[0][0] : 0;
}

async function firstLoad(browser, url, what, hash) {
  const paints = [];
  const charts = [];
  const sizes = new Map();
  for (let run = 0; run < RUNS; run++) {
    const { page, close } = await openPage(browser, 'about:blank');
    const cdp = await page.context().newCDPSession(page);
    await cdp.send('Network.enable');
    const files = new Map();
    cdp.on('Network.responseReceived', ({ requestId, response }) => files.set(requestId, new URL(response.url).pathname));
    cdp.on('Network.loadingFinished', ({ requestId, encodedDataLength }) => {
      const path = files.get(requestId);
      if (path !== undefined && !path.includes('/api/')) sizes.set(path, encodedDataLength);
    });
    const started = performance.now();
    await page.goto(url + hash);
    await drawn(page, '');
    charts.push(performance.now() - started);
    paints.push(await page.evaluate(() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime));
    await editorOf(page);
    await close();
  }
  say(`first contentful paint, ${what}`, `${ms(median(paints))} (median of ${RUNS} fresh profiles)`);
  say(`first chart, ${what}`, ms(median(charts)));
  return sizes;
}

async function latency(browser, url) {
  const { page, close } = await openPage(browser, `${url}#/explore?refresh=off&range=1m`);
  await drawn(page, '');
  const answered = async (what, act) => {
    const responses = [];
    const note = (response) => {
      if (response.url().endsWith('/api/v1/query')) responses.push(response);
    };
    page.on('response', note);
    const before = await page.locator('#summary').innerText();
    const started = performance.now();
    await act();
    await drawn(page, before);
    const took = performance.now() - started;
    page.off('response', note);
    const { row_count, stats } = JSON.parse(await responses.at(-1).text());
    const asked = `${responses.length} ${responses.length === 1 ? 'request' : 'requests'}`;
    say(
      `latency ${what}`,
      `${ms(took)}; ${asked}, ${stats.rows_scanned} readings as ${row_count} rows, server ${ms(stats.elapsed_ms)}`,
    );
  };
  await answered('a line per sensor', () => page.getByLabel('Split by').selectOption('sensor_id'));
  await answered('zoom in', () => page.getByRole('button', { name: 'Zoom in' }).click());
  await answered('zoom out', () => page.getByRole('button', { name: 'Zoom out' }).click());
  const box = await page.locator('.plot .u-over').boundingBox();
  const begun = performance.now();
  for (let i = 1; i <= 20; i++) await page.mouse.move(box.x + (box.width * i) / 21, box.y + box.height / 2);
  await twoFrames(page);
  say('cursor over all lines, per move', ms((performance.now() - begun) / 20));
  await answered('one line', () => page.getByLabel('Split by').selectOption(''));
  await answered('all data', () => page.getByRole('radio', { name: 'All data' }).check());
  await close();
}

// Of the browser's processes for pages; beside the shown one it keeps a spare, which is smaller.
async function resident(browserCdp) {
  const { processInfo } = await browserCdp.send('SystemInfo.getProcessInfo');
  const sizes = processInfo.filter(({ type }) => type === 'renderer').map(async ({ id }) => {
    const status = await readFile(`/proc/${id}/status`, 'utf8').catch(() => ''); // it may have ended meanwhile
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1] ?? 0) * 1024;
  });
  return Math.max(...(await Promise.all(sizes)));
}

// A browser of its own, so that its memory is the tab's. It is connected to for a sample only: a connection that stays
// makes the tab keep what it is answered for the one who debugs it (measured: 400 MiB instead of 200). Each sample leaves
// 0.2 MiB in the heap.
async function tabOf(name, address) {
  const profile = await mkdtemp(join(tmpdir(), 'varve-tab-'));
  const child = spawn(
    chromiumPath(),
    [...CHROMIUM_ARGUMENTS, '--remote-debugging-port=0', `--user-data-dir=${profile}`, '--window-size=1280,900', address],
    { stdio: 'ignore' },
  );
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const said = join(profile, 'DevToolsActivePort'); // its first line, once the browser listens
  const port = await until(`the browser of ${name}`, async () => (await readFile(said, 'utf8').catch(() => '')).split('\n')[0]);
  const sample = async () => {
    const browser = await chromium.connectOverCDP(`http://127.0.0.1:${port}`);
    const cdp = await browser.contexts()[0].newCDPSession(browser.contexts()[0].pages()[0]);
    await cdp.send('Performance.enable');
    await cdp.send('HeapProfiler.collectGarbage');
    const { metrics } = await cdp.send('Performance.getMetrics');
    const value = (metric) => metrics.find((one) => one.name === metric).value;
    const bytes = await resident(await browser.newBrowserCDPSession());
    await browser.close(); // the connection
    const counts = `${value('Nodes')} nodes, ${value('JSEventListeners')} listeners`;
    return `heap ${mib(value('JSHeapUsedSize'))}, resident ${mib(bytes)}, ${counts}`;
  };
  const close = async () => {
    child.kill();
    await exited;
    // Its helpers may write for a moment longer.
    await rm(profile, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 });
  };
  return { name, sample, close };
}

async function memory(url) {
  const tabs = await Promise.all([
    tabOf('1,000 lines', url + linesLink('2s')),
    tabOf('live', `${url}#/live/readings`),
    tabOf('pipeline', `${url}#/pipeline`),
  ]);
  const started = Date.now();
  try {
    const moments = new Set([Math.min(1, minutes), minutes / 4, minutes / 2, (minutes * 3) / 4, minutes]);
    for (const minute of [...moments].sort((a, b) => a - b)) {
      await new Promise((resolve) => setTimeout(resolve, started + minute * 60_000 - Date.now()));
      for (const tab of tabs) say(`memory after ${minute} min, ${tab.name}`, await tab.sample());
    }
  } finally {
    for (const tab of tabs) await tab.close();
  }
}

const demo = values.url === undefined ? await startDemo(['--sensors', '1000']) : undefined;
const url = values.url ?? demo.url;
const browser = await launchBrowser();
try {
  await until(`${READINGS} readings`, async () => (await readings(url).catch(() => 0)) >= READINGS, 180_000);
  const files = await firstLoad(browser, url, 'as the page begins', '');
  await firstLoad(browser, url, '1,000 lines', linesLink('off'));
  for (const [path, bytes] of files) say(`weight ${path}`, `${bytes} B`);
  say('weight of all', `${[...files.values()].reduce((sum, bytes) => sum + bytes, 0)} B`);
  await latency(browser, url);
  if (minutes > 0) await memory(url);
} finally {
  await browser.close();
  demo?.child.kill('SIGINT');
  await demo?.exited;
}

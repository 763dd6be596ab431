// The page of a real `varve demo`: embedded broker, simulated sensors, the real consumer, store and server.
// Needs the built program: VARVE_BINARY, else build/varve.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { startDemo } from './demo.mjs';
import { editorOf, launchBrowser, numberAt, openPage, paintedPixels, until } from './support.mjs';

// The demo starts a broker and waits for the first rows; a loaded machine takes its time.
const START_MS = 60_000;
const STOP_MS = 5_000; // the contract: Ctrl-C ends the demo within 5 s

describe('the page of a running demo', () => {
  let browser;
  let demo;
  let opened;

  // `until`, but a demo that has ended fails at once and says what it printed.
  const untilDemo = (what, condition, waitMs) =>
    until(
      what,
      async () => {
        const end = demo.ended();
        if (end !== null)
          throw new Error(
            `varve demo ended (${JSON.stringify(end)}) while waiting for ${what}:\n${demo.said()}`,
          );
        return condition();
      },
      waitMs,
    );

  before(async () => {
    demo = await startDemo(['--rate', '2000']);
    const ready = async () => (await fetch(new URL('readyz', demo.url)).catch(() => undefined))?.ok;
    await untilDemo('the demo to be ready', ready, START_MS);
    browser = await launchBrowser();
    opened = await openPage(browser, demo.url);
  });

  after(async () => {
    await browser?.close();
    if (demo !== undefined && demo.ended() === null) demo.child.kill('SIGKILL');
  });

  it('counts rows that keep coming, in the picture of its pipeline', async () => {
    const { page } = opened;
    await page.goto(`${demo.url}#/pipeline`);
    await untilDemo('the first rows', async () => (await numberAt(page, 'rows').catch(() => 0)) > 0, START_MS);
    const seen = await numberAt(page, 'rows');
    await untilDemo('more rows', async () => (await numberAt(page, 'rows')) > seen);
    await untilDemo('a rate above 0', async () => (await numberAt(page, 'rate')) > 0);
    await untilDemo('the state', async () => (await page.locator('#connection').innerText()) === 'Connected');
    await page.locator('#box-source-kafka\\.0').getByText('running').waitFor();
  });

  it('charts a field, and the chart moves', async () => {
    const { page } = opened;
    await page.goto(`${demo.url}#/explore`);
    await untilDemo('fields to choose from', async () => (await page.getByLabel('Field').locator('option').count()) > 1);
    // One that drifts all the time and differs from sensor to sensor.
    await page.getByLabel('Field').selectOption('ph');
    await page.getByLabel('5 min', { exact: true }).check();
    await untilDemo('a drawn line', async () => (await paintedPixels(page)) > 50);
    const value = page.locator('#legend .value').first();
    const shown = await value.innerText();
    assert.match(shown, /\d/);
    await untilDemo('another newest value', async () => (await value.innerText()) !== shown);
  });

  it('draws one line per tag value, and zooms', async () => {
    const { page } = opened;
    await page.getByLabel('Split by').selectOption({ label: 'site' });
    await untilDemo('two lines', async () => (await page.locator('#legend li').count()) > 1);
    await untilDemo('the second line', async () => (await paintedPixels(page, 2)) > 50);
    await page.getByRole('button', { name: 'Zoom in' }).click();
    await untilDemo('a chosen range', async () => page.url().includes('range=20'));
  });

  it('answers SQL, explains it, and underlines what is wrong with it', async () => {
    const { page } = opened;
    const editor = await editorOf(page);
    await editor.write('SELECT site, count(*) FROM readings GROUP BY site');
    await page.keyboard.press('Control+Enter');
    await page.locator('#bars li').first().waitFor();
    await page.getByRole('button', { name: 'Explain' }).click();
    await page.locator('#plan .operator', { hasText: 'scan varve.readings' }).waitFor();
    await editor.write('SELECT avg(phh) FROM readings');
    await page.keyboard.press('Control+Enter');
    await page.locator('.cm-fault').waitFor();
    assert.equal(await page.locator('.cm-fault').innerText(), 'phh');
    assert.match(await page.locator('#query-error').innerText(), /did you mean `ph`/);
  });

  it('answers InfluxQL', async () => {
    const { page } = opened;
    await page.goto(`${demo.url}#/explore?range=5m`);
    await page.getByRole('radio', { name: 'InfluxQL' }).check();
    await untilDemo('a line', async () => (await page.locator('#legend .name').innerText().catch(() => '')) === 'mean');
  });

  it('tells about its table', async () => {
    const { page } = opened;
    await page.goto(`${demo.url}#/tables/readings`);
    await page.locator('#newest tbody tr').first().waitFor();
    const site = page.locator('#columns tr', { hasText: 'site' });
    await untilDemo('the cardinality', async () => /\d+ different/.test(await site.innerText()));
  });

  it('needs nothing from outside and throws nothing', () => {
    assert.deepEqual(opened.problems, []);
  });

  it('says so when the demo has ended, which Ctrl-C does within 5 s and with exit code 0', async () => {
    demo.child.kill('SIGINT');
    const end = await Promise.race([
      demo.exited,
      new Promise((_, reject) => {
        setTimeout(
          () => reject(new Error(`varve demo still runs ${STOP_MS} ms after SIGINT:\n${demo.said()}`)),
          STOP_MS,
        ).unref();
      }),
    ]);
    assert.deepEqual(end, { code: 0, signal: null }, demo.said());
    await opened.page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
  });
});

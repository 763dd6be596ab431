// What is the same in all views: keys, themes, screens, tokens, base paths; and axe-core on each of them.
// The pictures go to VARVE_SCREENSHOTS, if that is set.
import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { editorOf, launchBrowser, liveWorld, openPage, FakeVarve, paintedPixels, table, until, withPage } from './support.mjs';

const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const SCREENSHOTS = process.env.VARVE_SCREENSHOTS;
const VIEWS = ['explore', 'tables', 'live', 'pipeline'];

let browser;
before(async () => {
  browser = await launchBrowser();
  if (SCREENSHOTS) await mkdir(SCREENSHOTS, { recursive: true });
});
after(() => browser?.close());

function fullWorld() {
  const world = liveWorld();
  world.status.quarantine = { rows_total: 1 };
  const charts = world.query;
  world.query = (sql) =>
    sql.includes('GROUP BY reason')
      ? table(['string', 'int64'], [['no_time', 1]])
      : sql.includes('varve_quarantine')
        ? table(['timestamp', 'string', 'string'], [['2026-01-01T00:00:00Z', 'no_time', '{}']], ['time', 'reason', 'payload'])
        : charts(sql);
  return world;
}

// Shown with what it shows when it is in use.
async function settle(page, server, view) {
  if (view === 'explore') {
    await until('a drawn line', async () => (await paintedPixels(page)) > 100);
    await editorOf(page);
  } else if (view === 'tables') await page.locator('#newest tbody tr').first().waitFor();
  else if (view === 'live') {
    await until('a follower', () => server.followers.size === 1);
    for (let i = 0; i < 8; i++) server.send(['time', 'site', 'temperature'], [[new Date().toISOString(), 'north', 14 + Math.sin(i)]]);
    await page.locator('#live-rows tbody tr').first().waitFor();
  } else await page.locator('#refused li').first().waitFor();
}

describe('every view', () => {
  for (const colorScheme of ['light', 'dark']) {
    it(`has no serious finding of axe-core, and fits from phone to wall, ${colorScheme}`, async () => {
      const server = await new FakeVarve(fullWorld()).start();
      const opened = await openPage(browser, server.url, { colorScheme, bypassCSP: true });
      const { page } = opened;
      try {
        await page.addScriptTag({ path: AXE });
        for (const view of VIEWS) {
          await page.setViewportSize({ width: 1280, height: 900 });
          await page.goto(`${server.url}#/${view}`);
          await settle(page, server, view);
          for (const width of [390, 2560, 1280]) {
            await page.setViewportSize({ width, height: width === 390 ? 844 : width === 2560 ? 1440 : 900 });
            // The chart takes its new size a moment after the window.
            const wider = () => page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
            await until(`${view} no wider than a screen of ${width}`, async () => (await wider()) <= 0);
            if (SCREENSHOTS) await page.screenshot({ path: join(SCREENSHOTS, `${view}-${width}-${colorScheme}.png`) });
          }
          const { violations } = await page.evaluate(() => globalThis.axe.run());
          const serious = violations.filter(({ impact }) => impact === 'serious' || impact === 'critical');
          const found = serious.map(({ id, nodes }) => `${id}: ${nodes.map((node) => node.html.slice(0, 120)).join('\n')}`);
          assert.deepEqual(found, [], view);
        }
      } finally {
        await opened.close();
        await server.stop();
      }
    });
  }

  it('works under any base path', async () => {
    await withPage(
      browser,
      liveWorld(),
      async (page) => {
        await until('a drawn line', async () => (await paintedPixels(page)) > 200);
        await editorOf(page);
      },
      { base: '/behind/a/proxy/' },
    );
  });

  it('asks for a token, keeps it for the tab, and forgets it on request', async () => {
    const world = { ...liveWorld(), token: 'secret' };
    await withPage(browser, world, async (page, server) => {
      await page.getByRole('textbox', { name: 'Token' }).fill('wrong');
      await page.keyboard.press('Enter');
      await page.getByText('The server does not know this token').waitFor();
      assert.equal(await page.locator('#connection').innerText(), 'Token needed');
      await page.getByRole('textbox', { name: 'Token' }).fill('secret');
      await page.keyboard.press('Enter');
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.reload();
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.goto(`${server.url}#/live`);
      await until('a follower', () => server.followers.size === 1);
      assert.equal(await page.locator('footer a').count(), 0, 'links do not carry the token');
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByRole('textbox', { name: 'Token' }).waitFor();
    });
  });

  it('says that a token for writing may not look', async () => {
    const world = { ...liveWorld(), token: 'secret', refused: /^api/ };
    await withPage(browser, world, async (page) => {
      await page.getByRole('textbox', { name: 'Token' }).fill('secret');
      await page.keyboard.press('Enter');
      await page.getByText('The token is known, but this page reads').waitFor();
    });
  });

  it('shows its tables to a token for some tables only', async () => {
    const world = { ...liveWorld(), refused: /^api\/v1\/status$/ };
    await withPage(browser, world, async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.goto(`${server.url}#/tables/readings`);
      await page.locator('#columns').waitFor();
      await page.goto(`${server.url}#/live`);
      await until('a follower', () => server.followers.size === 1);
      await page.goto(`${server.url}#/pipeline`);
      await page.getByText('Not for this token').waitFor();
      assert.equal(await page.locator('#connection').innerText(), 'Connected');
    });
  });

  it('takes its colours from the system, or from the person', async () => {
    await withPage(
      browser,
      liveWorld(),
      async (page) => {
        const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
        assert.equal(await theme(), 'dark');
        await page.getByRole('button', { name: /Theme/ }).click();
        assert.equal(await theme(), 'light');
        await page.reload();
        assert.equal(await theme(), 'light');
        await until('a drawn line', async () => (await paintedPixels(page)) > 200);
        await page.keyboard.press('d');
        assert.equal(await theme(), 'dark');
        await until('a line in dark colours', async () => (await paintedPixels(page)) > 200);
      },
      { colorScheme: 'dark' },
    );
  });
});

describe('by keyboard alone', () => {
  it('the content is skipped to, views are changed, keys are listed and can be switched off', async () => {
    await withPage(browser, liveWorld(), async (page) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Skip to the content');
      await page.keyboard.press('Enter');
      assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
      await page.keyboard.press('2');
      await page.locator('#tables').waitFor();
      await page.keyboard.press('4');
      await page.locator('#flow').waitFor();
      await page.keyboard.press('?');
      const help = page.locator('#help');
      await help.waitFor();
      assert.match(await help.innerText(), /Pipeline/);
      await help.getByRole('checkbox').focus();
      await page.keyboard.press('Space');
      await page.keyboard.press('Escape');
      await until('the list to close', async () => (await help.count()) === 0);
      await page.keyboard.press('1');
      await page.keyboard.press('Tab');
      assert.equal(await page.locator('#flow').count(), 1, 'a key that was switched off did something');
    });
  });

  it('the key of the query gives it the focus at once: what is typed next belongs to it', async () => {
    await withPage(browser, liveWorld(), async (page) => {
      await editorOf(page);
      const focused = await page.evaluate(() => {
        document.body.dispatchEvent(new KeyboardEvent('keydown', { key: '/', bubbles: true, cancelable: true }));
        return document.activeElement.closest('.editor') !== null;
      });
      assert.equal(focused, true);
    });
  });

  it('a query is written, run and left again, and every control has a name and can be reached', async () => {
    await withPage(browser, liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      const editor = await editorOf(page);
      await page.keyboard.press('/');
      await page.keyboard.press('Control+a');
      // Typed over coloured text Chromium tries an inline style, which the policy blocks with a word in the console.
      await page.keyboard.press('Delete');
      await page.keyboard.type('SHOW TABLES');
      await page.keyboard.press('Control+Enter');
      await until('the query', () => server.queries.at(-1).sql === 'SHOW TABLES');
      assert.equal(await editor.text(), 'SHOW TABLES');
      await page.keyboard.press('Tab');
      assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Run');
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll('button, select, textarea, input')]
          .filter((e) => !(e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.textContent.trim()))
          .map((e) => e.outerHTML),
      );
      assert.deepEqual(unnamed, []);
      const unseen = [];
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        const outline = await page.evaluate(() => {
          const e = document.activeElement;
          if (e === null || e === document.body) return 'none needed';
          const shown = [e, e.nextElementSibling, e.closest('.editor')].filter(Boolean);
          return shown.some((one) => getComputedStyle(one).outlineStyle !== 'none') ? 'seen' : e.outerHTML.slice(0, 90);
        });
        if (outline !== 'seen' && outline !== 'none needed') unseen.push(outline);
      }
      assert.deepEqual(unseen, [], 'the focus cannot be seen on these');
    });
  });
});

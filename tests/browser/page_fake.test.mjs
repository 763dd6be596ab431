// The page against a scripted server: every state a person can meet, without a varve.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import {
  FakeVarve,
  launchBrowser,
  numberAt,
  openPage,
  paintedPixels,
  statusWith,
  tableWith,
  until,
  waterColumns,
  waves,
} from './support.mjs';

const MINUTE = 60_000;
const now = () => Date.now();
const recently = () => Date.now() - 10 * MINUTE;

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

function emptyWorld() {
  return { status: statusWith(), tables: [], columns: {}, query: () => ({ columns: [], rows: [] }) };
}

function liveWorld() {
  return {
    status: statusWith({ rows: 1000, lag: 7 }),
    tables: [tableWith('readings', 1000, recently(), now())],
    columns: { readings: waterColumns() },
    query: waves(['north', 'south', "o'hare"], recently, now),
  };
}

// Runs `look` on a page over `world`; no exception, CSP violation or foreign request may happen.
async function withPage(world, look, { base = '/', ...options } = {}) {
  const server = await new FakeVarve(world, base).start();
  const opened = await openPage(browser, server.url, options);
  try {
    await look(opened.page, server);
    assert.deepEqual(opened.problems, []);
  } finally {
    await opened.close();
    await server.stop().catch(() => {}); // a test may have stopped it already
  }
}

describe('the page', () => {
  it('says what to do while there is no table, and shows the first one by itself', async () => {
    const world = emptyWorld();
    await withPage(world, async (page) => {
      await page.getByRole('heading', { name: 'No tables yet' }).waitFor();
      assert.match(await page.locator('.empty').innerText(), /Produce readings to readings/);
      assert.equal(await numberAt(page, 'rows'), 0);
      Object.assign(world, liveWorld());
      await page.locator('#tables').getByRole('button', { name: 'readings' }).waitFor();
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
    });
  });

  it('counts rows as they come, with rate and lag', async () => {
    const world = liveWorld();
    await withPage(world, async (page) => {
      await until('1000 rows', async () => (await numberAt(page, 'rows')) === 1000);
      assert.equal(await numberAt(page, 'lag'), 7);
      world.status = statusWith({ rows: 51_000, lag: 3 });
      world.tables = [tableWith('readings', 51_000, recently(), now())];
      await until('51000 rows', async () => (await numberAt(page, 'rows')) === 51_000);
      assert.equal(await page.locator('#rows').innerText(), '51,000');
      assert.ok((await numberAt(page, 'rate')) > 0);
      assert.equal(await numberAt(page, 'lag'), 3);
      assert.equal(await page.locator('#connection').getAttribute('data-state'), 'live');
    });
  });

  it('charts the chosen field, split by a tag, with the queries of the contract', async () => {
    await withPage(liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.getByLabel('Field').selectOption('ph');
      await page.getByLabel('Split by').selectOption('site');
      await until('three names', async () => (await page.locator('#legend li').count()) === 3);
      const legend = await page.locator('#legend').innerText();
      for (const site of ['north', 'south', "o'hare"]) assert.ok(legend.includes(site), legend);
      assert.match(legend, /\d+\.\d+/);
      await until('a second line', async () => (await paintedPixels(page, 2)) > 100);
      const { sql, time_format } = server.queries.at(-1);
      assert.equal(time_format, 'ms');
      assert.equal(
        sql,
        `SELECT time_bucket('5s', time) AS t, avg("ph") AS v, "site" FROM "readings"` +
          ` WHERE time > now() - INTERVAL '15 minutes' AND "site" IN ('north', 'o''hare', 'south')` +
          ` GROUP BY t, "site" ORDER BY t`,
      );
    });
  });

  it('keeps asking for the chart, and asks for the chosen range', async () => {
    await withPage(liveWorld(), async (page, server) => {
      await page.locator('#legend li').waitFor();
      await page.getByLabel('5 min', { exact: true }).check();
      const isShort = ({ sql }) => sql.includes("time_bucket('1s', time)") && sql.includes("'5 minutes'");
      await until('three refreshes', () => server.queries.filter(isShort).length >= 3);
    });
  });

  it('leaves a long silence empty instead of drawing a line across it', async () => {
    const world = liveWorld();
    const whole = world.query;
    world.query = (sql) => {
      const answer = whole(sql);
      const silent = (i) => i > answer.rows.length * 0.3 && i < answer.rows.length * 0.7;
      return { ...answer, rows: answer.rows.filter((_, i) => !silent(i)) };
    };
    await withPage(world, async (page) => {
      await until('the left part', async () => (await paintedPixels(page, 1, 0, 0.35)) > 50);
      assert.ok((await paintedPixels(page, 1, 0.7, 1)) > 50);
      assert.equal(await paintedPixels(page, 1, 0.45, 0.6), 0);
    });
  });

  it('hides a line by its name in the legend', async () => {
    await withPage(liveWorld(), async (page) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.locator('#legend button').click();
      await until('no line', async () => (await paintedPixels(page)) === 0);
      await page.locator('#legend button').click();
      await until('the line again', async () => (await paintedPixels(page)) > 200);
    });
  });

  it('opens historical data as a whole', async () => {
    const from = Date.parse('2015-05-01T00:00:00Z');
    const to = Date.parse('2015-09-01T00:00:00Z');
    const world = liveWorld();
    world.tables = [tableWith('beaches', 34_926, from, to)];
    world.columns = { beaches: waterColumns() };
    world.query = waves(
      ['Ohio Street'],
      () => from,
      () => to,
    );
    await withPage(world, async (page, server) => {
      assert.ok(await page.getByRole('radio', { name: 'All data' }).isChecked());
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      assert.match(
        server.queries[0].sql,
        /^SELECT time_bucket\('12h', time\) AS t, avg\("temperature"\) AS v FROM "beaches" GROUP BY t ORDER BY t$/,
      );
      world.query = () => ({ columns: [], rows: [], row_count: 0 });
      await page.getByLabel('15 min', { exact: true }).check();
      await page.getByText('Nothing in this range. The last reading is of 2015-09-01 00:00:00.').waitFor();
      await page.getByRole('button', { name: 'Show all data' }).click();
      assert.ok(await page.getByRole('radio', { name: 'All data' }).isChecked());
    });
  });

  it('says so when the server goes away, and goes on by itself when it is back', async () => {
    const world = liveWorld();
    await withPage(world, async (page, server) => {
      await until('1000 rows', async () => (await numberAt(page, 'rows')) === 1000);
      await page.getByLabel('Field').selectOption('ph');
      await server.stop();
      await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
      assert.equal(await page.locator('#connection').innerText(), 'Server away');
      assert.equal(await numberAt(page, 'rows'), 1000);
      world.tables = [tableWith('readings', 2000, recently(), now())];
      await server.start();
      await until('2000 rows', async () => (await numberAt(page, 'rows')) === 2000);
      await until('live again', async () => (await page.locator('#connection').innerText()) === 'Live');
      await until('the alert to go', async () => (await page.getByRole('alert').count()) === 0);
      assert.equal(await page.getByLabel('Field').inputValue(), 'ph');
      const asked = server.queries.length;
      await until('the chart to refresh', () => server.queries.length > asked);
    });
  });

  it('shows the answer of a query run from the keyboard', async () => {
    const world = emptyWorld();
    world.query = () => ({
      columns: [
        { name: 'time', type: 'timestamp' },
        { name: 'ph', type: 'double' },
        { name: 'note', type: 'string' },
      ],
      rows: [
        ['2026-01-01T00:00:00Z', 7.31, '<b>bold</b>'],
        ['2026-01-01T00:00:01Z', null, ''],
      ],
      row_count: 2,
      stats: { elapsed_ms: 0.4, engine: 'native', rows_scanned: 1440 },
    });
    await withPage(world, async (page, server) => {
      await page.getByLabel('SQL query').fill('SELECT time, ph, note FROM readings');
      await page.keyboard.press('Control+Enter');
      await page.locator('#result tbody tr').nth(1).waitFor();
      assert.deepEqual(await page.locator('#result td').allInnerTexts(), [
        '2026-01-01T00:00:00Z',
        '7.31',
        '<b>bold</b>',
        '2026-01-01T00:00:01Z',
        'null',
        '',
      ]);
      await page.getByText('2 rows, 0.4 ms, 1,440 rows scanned').waitFor();
      assert.deepEqual(server.queries, [
        { sql: 'SELECT time, ph, note FROM readings', format: 'json', time_format: 'rfc3339' },
      ]);
    });
  });

  it('shows where and why a query is wrong', async () => {
    const world = emptyWorld();
    const message = 'expected a table name after FROM';
    world.query = () => ({
      status: 400,
      error: { code: 'sql_syntax', message, position: 14, hint: 'try SHOW TABLES' },
    });
    await withPage(world, async (page) => {
      await page.getByLabel('SQL query').fill('SELECT a FROM 5 LIMIT 1');
      await page.getByRole('button', { name: 'Run' }).click();
      const error = page.locator('#query-error');
      await error.waitFor();
      const said = await error.innerText();
      for (const part of [message, 'sql_syntax', 'try SHOW TABLES']) assert.ok(said.includes(part), said);
      assert.equal(await error.locator('mark').innerText(), '5');
    });
  });

  it('shows why a chart cannot be drawn', async () => {
    const world = liveWorld();
    world.query = () => ({ status: 503, error: { code: 'busy', message: 'too many queries are running' } });
    await withPage(world, async (page) => {
      await page.locator('.chart').getByText('too many queries are running').waitFor();
    });
  });

  it('bears a status with every part missing', async () => {
    const world = liveWorld();
    world.status = {};
    await withPage(world, async (page) => {
      await until('1000 rows', async () => (await numberAt(page, 'rows')) === 1000);
      assert.equal(await page.locator('#lag').innerText(), '–');
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
    });
  });

  it('bears names made to break it', async () => {
    const name = `<img src=x onerror=alert(1)> "%/?#'`;
    const world = liveWorld();
    world.tables = [tableWith(name, 10, recently(), now())];
    world.columns = { [name]: waterColumns() };
    await withPage(world, async (page, server) => {
      await page.locator('#tables').getByRole('button', { name }).waitFor();
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      assert.ok(
        server.queries[0].sql.includes(`FROM "${name.replaceAll('"', '""')}" `),
        server.queries[0].sql,
      );
    });
  });

  it('works under any base path', async () => {
    await withPage(
      liveWorld(),
      async (page) => {
        await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      },
      { base: '/behind/a/proxy/' },
    );
  });

  for (const colorScheme of ['light', 'dark']) {
    it(`fits a phone and draws its lines, ${colorScheme}`, async () => {
      await withPage(
        liveWorld(),
        async (page) => {
          await until('a drawn line', async () => (await paintedPixels(page)) > 100);
          await page.locator('summary').click();
          const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
          assert.ok(wide <= 0, `the page is ${wide} px wider than the screen`);
        },
        { viewport: { width: 360, height: 740 }, colorScheme },
      );
    });
  }

  it('can be used by keyboard alone: every control has a name and can be reached', async () => {
    await withPage(liveWorld(), async (page) => {
      await page.locator('#legend li').waitFor();
      const unnamed = await page.evaluate(() =>
        [...document.querySelectorAll('button, select, textarea, input')]
          .filter(
            (e) =>
              !(e.getAttribute('aria-label') || e.labels?.[0]?.textContent.trim() || e.textContent.trim()),
          )
          .map((e) => e.outerHTML),
      );
      assert.deepEqual(unnamed, []);
      const reached = new Set();
      for (let i = 0; i < 30; i++) {
        await page.keyboard.press('Tab');
        reached.add(await page.evaluate(() => document.activeElement?.id || document.activeElement?.tagName));
      }
      for (const control of ['SELECT', 'INPUT', 'BUTTON', 'sql'])
        assert.ok(reached.has(control), [...reached].join());
    });
  });
});

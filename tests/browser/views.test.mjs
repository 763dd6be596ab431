// Tables, Live and Pipeline against a scripted server.
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { editorOf, emptyWorld, launchBrowser, liveWorld, numberAt, statusWith, table, until, withPage } from './support.mjs';

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

const look = (world, hash, see, options) => withPage(browser, world, see, { hash, ...options });

describe('Tables', () => {
  it('shows columns, cardinality, bits per value and the newest rows, one click from a chart', async () => {
    const world = liveWorld();
    const charts = world.query;
    world.query = (sql) =>
      sql.includes('ORDER BY time DESC')
        ? table(['timestamp', 'double'], [['2026-01-01T00:00:00Z', 7.5]], ['time', 'ph'])
        : charts(sql);
    await look(world, '#/tables', async (page, server) => {
      await page.locator('#columns tbody tr').nth(4).waitFor();
      const site = page.locator('#columns tr', { hasText: 'site' }).first();
      await until('the cardinality', async () => (await site.innerText()).includes('3 different'));
      await until('bits per value', async () => (await page.locator('#bits').innerText()) === '10.7'); // 4000 B, 3 × 1000 values
      await page.locator('#newest').getByText('7.5').waitFor();
      await page.getByRole('link', { name: 'Chart of ph' }).click();
      assert.match(await (await editorOf(page)).text(), /avg\(ph\)/);
      await until('the chart', () => server.queries.at(-1).sql.includes('avg(ph)'));
    });
  });

  it('bears a table with a name made to break it, and says which is the nearest of one that is none', async () => {
    const name = `<img src=x onerror=alert(1)> "%/?#'`;
    const world = liveWorld();
    world.tables = [{ ...world.tables[0], name }];
    world.columns = { [name]: world.columns.readings };
    await look(world, '#/tables', async (page, server) => {
      await page.getByRole('heading', { name }).waitFor();
      await until('its counts', () => server.queries.some(({ sql }) => sql.endsWith(`FROM "${name.replaceAll('"', '""')}"`)));
    });
    await look(liveWorld(), '#/tables/reading', async (page) => {
      await page.getByRole('alert').filter({ hasText: 'no table reading' }).waitFor();
    });
  });

  it('says what to do while there is none', async () => {
    await look(emptyWorld(), '#/tables', (page) => page.getByRole('heading', { name: 'No tables yet' }).waitFor());
  });
});

describe('Live', () => {
  const columns = ['time', 'site', 'ph'];
  const row = (i, site = 'north') => [new Date(1_700_000_000_000 + i * 1000).toISOString(), site, 7 + (i % 5)];

  it('follows rows with a line per series, pauses and resumes', async () => {
    await look(liveWorld(), '#/live', async (page, server) => {
      await until('a follower', () => server.followers.size === 1);
      await page.getByLabel('Field').selectOption('ph');
      await until('a follower of ph', () => server.followed === 2 && server.followers.size === 1);
      server.send(columns, [row(0), row(1), row(2, 'south')]);
      await until('three rows', async () => (await page.locator('#live-rows tbody tr').count()) === 3);
      assert.deepEqual(await page.locator('#sparks .name').allInnerTexts(), ['north', 'south']);
      assert.match(await page.locator('#sparks path').first().getAttribute('d'), /^M0\.0 .*L120\.0/);
      await page.getByRole('button', { name: 'Pause' }).click();
      server.send(columns, [row(3), row(4)]);
      await page.getByText('Paused, 2 new rows are waiting.').waitFor();
      assert.equal(await page.locator('#live-rows tbody tr').count(), 3);
      await page.keyboard.press('p'); // the button has the focus; the key works there, too
      await until('five rows', async () => (await page.locator('#live-rows tbody tr').count()) === 5);
    });
  });

  it('asks the server to filter, and shows what is wrong with a filter', async () => {
    const world = liveWorld();
    await look(world, '#/live', async (page, server) => {
      await until('a follower', () => server.followers.size === 1);
      await page.getByLabel('Filter (an SQL condition)').fill(`site = 'north'`);
      await page.keyboard.press('Enter');
      await until('the filter', () => server.followed === 2 && server.followers.size === 1);
      assert.deepEqual([...server.followers.values()], [{ table: 'readings', where: `site = 'north'` }]);
      const error = { code: 'unknown_column', message: 'no column `sit`', position: 0, hint: 'did you mean `site`?' };
      world.live = () => ({ status: 400, error });
      await page.getByLabel('Filter (an SQL condition)').fill('sit = 1');
      await page.getByRole('button', { name: 'Filter' }).click();
      const said = page.locator('#live-error');
      await said.waitFor();
      assert.match(await said.innerText(), /did you mean `site`/);
    });
  });

  it('goes on by itself when the server is back', async () => {
    await look(liveWorld(), '#/live', async (page, server) => {
      await until('a follower', () => server.followers.size === 1);
      await server.stop();
      await page.getByText('The stream broke').waitFor();
      server.followers.clear();
      await server.start();
      await until('a follower again', () => server.followers.size === 1);
      server.send(columns, [row(0)]);
      await page.locator('#live-rows tbody tr').waitFor();
    });
  });
});

function pipelineWorld() {
  const world = liveWorld();
  world.status = {
    ...statusWith({ rows: 1000, lag: 7 }),
    compaction: { segments_due: 2, merges_total: 5, bytes_written_total: 1000 },
    mirrors: [
      { name: 'mirror.0', url: 'http://127.0.0.1:8086', state: 'retrying', backlog_rows: 42, backlog_bytes: 4200, backlog_seconds: 60, rows_sent_total: 900, last_error: 'connection refused' },
    ],
    quarantine: { rows_total: 2 },
  };
  world.query = (sql) =>
    sql.includes('GROUP BY reason')
      ? table(['string', 'int64'], [['no_time', 2]])
      : table(
          ['timestamp', 'string', 'string', 'int64', 'int64', 'string', 'string', 'bool'],
          [['2026-01-01T00:00:00.000000001Z', 'readings', 'no_time', 1, 77, 'no column is the time', '{"ph":<b>7</b>}', false]],
          ['time', 'topic', 'reason', 'partition', 'offset', 'detail', 'payload', 'truncated'],
        );
  return world;
}

describe('Pipeline', () => {
  it('is one picture of sources, store and sinks, with what moves and what is wrong', async () => {
    const world = pipelineWorld();
    await look(world, '#/pipeline', async (page) => {
      await until('1000 rows', async () => (await numberAt(page, 'rows')) === 1000);
      assert.equal(await numberAt(page, 'lag'), 7);
      const mirror = page.locator('#box-mirror-mirror\\.0');
      for (const part of ['retrying', '42 rows', 'connection refused']) assert.ok((await mirror.innerText()).includes(part));
      assert.match(await page.locator('#partitions tbody').innerText(), /readings\s+0\s+1,000\s+7/);
      world.status = { ...world.status, ...statusWith({ rows: 51_000, lag: 3 }), mirrors: [] };
      world.tables = [{ ...world.tables[0], rows: 51_000 }];
      await until('51000 rows', async () => (await numberAt(page, 'rows')) === 51_000);
      assert.ok((await numberAt(page, 'rate')) > 0);
      assert.match(await page.locator('#flow .arrow.moving').first().innerText(), /rows\/s/);
      await page.getByText('No mirror is configured').waitFor();
    });
  });

  it('lists what was refused, with its payload, and retries one, a reason, or all', async () => {
    const world = pipelineWorld();
    world.retry = () => ({ selected: 2, retried: 1, rows: 3, refused: { no_time: { count: 1, first: 'still none' } } });
    await look(world, '#/pipeline', async (page, server) => {
      await page.locator('#refused summary').click();
      assert.equal(await page.locator('#refused pre').innerText(), '{"ph":<b>7</b>}');
      await page.getByRole('button', { name: 'Retry this one' }).click();
      await page.getByText('1 of 2 decoded, 3 rows stored; 1 refused again (no time: still none).').waitFor();
      await page.getByRole('button', { name: /Retry all of no time/ }).click();
      await until('the second', () => server.retries.length === 2);
      await page.getByRole('button', { name: 'Retry all', exact: true }).click();
      await until('the third', () => server.retries.length === 3);
      assert.deepEqual(server.retries, [{ where: `time = '2026-01-01T00:00:00.000000001Z'` }, { where: `reason = 'no_time'` }, {}]);
    });
  });

  it('bears a status with every part missing', async () => {
    const world = liveWorld();
    world.status = {};
    await look(world, '#/pipeline', async (page) => {
      await until('1000 rows', async () => (await numberAt(page, 'rows')) === 1000);
      assert.equal(await page.locator('#lag').innerText(), '–');
      await page.getByText('Nothing was refused').waitFor();
    });
  });
});

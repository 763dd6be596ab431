// Explore against a scripted server: asking, looking, and every way it can go wrong.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import {
  editorOf,
  emptyWorld,
  launchBrowser,
  liveWorld,
  now,
  paintedPixels,
  recently,
  table,
  tableWith,
  until,
  waterColumns,
  waves,
  withPage,
} from './support.mjs';

let browser;
before(async () => {
  browser = await launchBrowser();
});
after(() => browser?.close());

const look = (world, see, options) => withPage(browser, world, see, options);
const explore = (q, more = '') => `#/explore?q=${encodeURIComponent(q)}${more}`;

describe('Explore', () => {
  it('sorts a result by a column, with the mouse and by keyboard, and keeps the order over refreshes', async () => {
    const world = liveWorld();
    let extra = 0;
    world.query = () =>
      table(['string', 'double'], [['b', 10], ['c', 9], ['a', null], ['d', 100 + extra]], ['name', 'n']);
    await look(
      world,
      async (page, server) => {
        const names = () => page.locator('#result tbody td:first-child').allInnerTexts();
        const head = (name) => page.getByRole('columnheader', { name, exact: true });
        await page.locator('#result').waitFor();
        assert.deepEqual(await names(), ['b', 'c', 'a', 'd']);
        await head('n').getByRole('button').click();
        assert.deepEqual(await names(), ['c', 'b', 'd', 'a']);
        assert.equal(await head('n').getAttribute('aria-sort'), 'ascending');
        await page.keyboard.press('Enter');
        assert.deepEqual(await names(), ['d', 'b', 'c', 'a']);
        assert.equal(await head('n').getAttribute('aria-sort'), 'descending');
        extra = 1;
        await page.getByText('101').waitFor();
        assert.deepEqual(await names(), ['d', 'b', 'c', 'a']);
        await page.keyboard.press('Space');
        assert.deepEqual(await names(), ['b', 'c', 'a', 'd']);
        assert.equal(await head('n').getAttribute('aria-sort'), null);
        await page.keyboard.press('Shift+Tab');
        await page.keyboard.press('Enter');
        assert.deepEqual(await names(), ['a', 'b', 'c', 'd']);
        assert.ok(server.queries.length > 1);
      },
      { hash: explore('SELECT name, n FROM readings', '&as=table&refresh=1s') },
    );
  });

  it('asks coarsely first when there may be very many lines, and finer when there are few', async () => {
    const world = liveWorld();
    world.tables[0].series = 1_000;
    const split =
      'SELECT time_bucket($interval, time) AS t, avg(ph) AS ph, site\nFROM readings\n' +
      'WHERE time >= $from AND time < $to\nGROUP BY t, site\nORDER BY t';
    await look(
      world,
      async (page, server) => {
        await until('three names', async () => (await page.locator('#legend li').count()) === 3);
        const asked = server.queries.filter(({ sql }) => sql === split);
        assert.deepEqual(asked.map(({ params }) => params.interval).slice(0, 2), ['10s', '5s']);
        assert.ok(asked.every(({ limit }) => limit === 200_000));
        assert.equal(await page.getByLabel('Split by').inputValue(), 'site', 'the choices are the query\'s');
      },
      { hash: explore(split, '&range=15m&refresh=off') },
    );
  });

  it('says when an answer was cut', async () => {
    const world = liveWorld();
    const rows = Array.from({ length: 200_000 }, (_, i) => [`s${i}`]);
    world.query = () => table(['string'], rows);
    await look(world, async (page) => await page.getByText('These are the first 200,000 rows').waitFor(), {
      hash: explore('SELECT site FROM readings', '&refresh=off'),
    });
  });

  it('shows rows of single moments as a table, not as an empty chart', async () => {
    const world = liveWorld();
    const at = (second) => new Date(Date.now() + second * 1000).toISOString();
    world.query = () => table(['timestamp', 'string', 'double'], [[at(0), 'a', 1], [at(1), 'b', 2], [at(2), 'c', 3]]);
    await look(world, async (page) => await page.locator('#result').waitFor(), {
      hash: explore('SELECT time, site, ph FROM readings LATEST BY site', '&refresh=off'),
    });
  });

  it('begins with a moving chart of the freshest table, its times as typed parameters', async () => {
    await look(liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      const { sql, params } = server.queries.at(-1);
      assert.equal(
        sql,
        'SELECT time_bucket($interval, time) AS t, avg(temperature) AS temperature\nFROM readings\n' +
          'WHERE time >= $from AND time < $to\nGROUP BY t\nORDER BY t',
      );
      assert.equal(params.interval, '5s');
      assert.ok(Math.abs(Date.parse(params.to) - Date.now()) < 60_000, params.to);
      assert.equal(Date.parse(params.from) % 5_000, 0);
      const asked = server.queries.length;
      await until('two refreshes', () => server.queries.length >= asked + 2);
    });
  });

  it('writes the query of another field, a line per tag value and another range; back undoes it', async () => {
    await look(liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.getByLabel('Field').selectOption('ph');
      await page.getByLabel('Split by').selectOption('site');
      await until('three names', async () => (await page.locator('#legend li').count()) === 3);
      const legend = await page.locator('#legend').innerText();
      for (const site of ['north', 'south', "o'hare"]) assert.ok(legend.includes(site), legend);
      await until('a second line', async () => (await paintedPixels(page, 2)) > 100);
      assert.match(await (await editorOf(page)).text(), /avg\(ph\) AS ph, site\nFROM readings/);
      await page.getByLabel('5 min', { exact: true }).check();
      await until('the bucket of 5 minutes', () => server.queries.at(-1).params.interval === '1s');
      await page.goBack();
      await until('the bucket of before', () => server.queries.at(-1).params.interval === '5s');
    });
  });

  it('zooms by a drag, asking again at the bucket that fits', async () => {
    await look(liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      const box = await page.locator('.plot .u-over').boundingBox();
      await page.mouse.move(box.x + box.width * 0.4, box.y + 50);
      await page.mouse.down();
      await page.mouse.move(box.x + box.width * 0.6, box.y + 60, { steps: 4 });
      await page.mouse.up();
      await until('a narrower range', () => server.queries.at(-1).params.interval === '1s');
      const { from, to } = server.queries.at(-1).params;
      const seconds = (Date.parse(to) - Date.parse(from)) / 1000;
      assert.ok(seconds > 120 && seconds < 240, `${seconds} s`);
      await page.getByRole('button', { name: 'Zoom out' }).click();
      await until('twice the range', () => {
        const { params } = server.queries.at(-1);
        return (Date.parse(params.to) - Date.parse(params.from)) / 1000 > seconds * 1.8;
      });
    });
  });

  it('leaves a long silence empty, and hides a line by its name', async () => {
    const world = liveWorld();
    const whole = world.query;
    world.query = (sql) => {
      const answer = whole(sql);
      const silent = (i) => i > answer.rows.length * 0.3 && i < answer.rows.length * 0.7;
      return { ...answer, rows: answer.rows.filter((_, i) => !silent(i)) };
    };
    await look(world, async (page) => {
      await until('the left part', async () => (await paintedPixels(page, 1, 0.3, 0.55)) > 50);
      assert.equal(await paintedPixels(page, 1, 0.62, 0.75), 0);
      await page.locator('#legend button').click();
      await until('no line', async () => (await paintedPixels(page)) === 0);
      await page.locator('#legend button').click();
      await until('the line again', async () => (await paintedPixels(page)) > 100);
    });
  });

  it('opens historical data as a whole, and says so when a range has nothing', async () => {
    const from = Date.parse('2015-05-01T00:00:00Z');
    const to = Date.parse('2015-09-01T00:00:00Z');
    const world = liveWorld();
    world.tables = [tableWith('beaches', 34_926, from, to)];
    world.columns = { beaches: waterColumns() };
    world.query = waves(['Ohio Street'], () => from, () => to);
    await look(world, async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      assert.ok(await page.getByRole('radio', { name: 'All data' }).isChecked());
      assert.equal(server.queries.at(-1).params.interval, '12h');
      world.query = () => table(['timestamp', 'double'], []);
      await page.getByLabel('15 min', { exact: true }).check();
      await page.getByText('Nothing in this range.').waitFor();
      await page.getByRole('button', { name: 'Show all data' }).click();
      assert.ok(await page.getByRole('radio', { name: 'All data' }).isChecked());
    });
  });

  it('chooses the picture by the shape of the answer', async () => {
    const world = liveWorld();
    world.query = (sql) =>
      sql.includes('bars')
        ? table(['string', 'double'], [['north', 4], ['south', -2]])
        : sql.includes('figure')
          ? table(['int64'], [[1234567]], ['rows'])
          : table(['string'], [['<b>bold</b>'], ['']]);
    const at = async (q, see) => look(world, see, { hash: explore(q) });
    await at('SELECT bars', async (page) => {
      await page.locator('#bars').waitFor();
      assert.deepEqual(await page.locator('#bars .value').allInnerTexts(), ['4', '-2']);
      const widths = await page.locator('#bars .bar').evaluateAll((bars) => bars.map((bar) => bar.clientWidth));
      assert.ok(Math.abs(widths[0] / widths[1] - 2) < 0.1, String(widths));
      await page.getByRole('button', { name: 'Show table' }).click();
      await page.locator('#result').waitFor();
      assert.match(page.url(), /as=table/);
    });
    await at('SELECT figure', async (page) => assert.equal(await page.locator('#figures dd').innerText(), '1,234,567'));
    await at('SELECT text', async (page) => assert.equal(await page.locator('#result td').first().innerText(), '<b>bold</b>'));
  });

  it('underlines an error where it is, with its hint, for as long as the text is the same', async () => {
    const world = liveWorld();
    const error = { code: 'unknown_column', message: 'no column `phh`', position: 11, hint: 'did you mean `ph`?' };
    world.query = () => ({ status: 400, error });
    await look(
      world,
      async (page, server) => {
        const failure = page.locator('#query-error');
        await failure.waitFor();
        for (const part of [error.message, error.code, error.hint])
          assert.ok((await failure.innerText()).includes(part));
        const fault = page.locator('.cm-fault');
        await fault.waitFor();
        assert.equal(await fault.innerText(), 'phh');
        assert.equal(await fault.getAttribute('title'), error.hint);
        const asked = server.queries.length;
        const editor = await editorOf(page);
        await editor.box.press('End');
        await page.keyboard.type(' ');
        await until('no underline', async () => (await fault.count()) === 0);
        assert.equal(server.queries.length, asked, 'a wrong query was sent again by itself');
      },
      { hash: explore('SELECT avg(phh) FROM readings') },
    );
  });

  it('completes tables, columns, functions, variables and tag values', async () => {
    await look(
      liveWorld(),
      async (page) => {
        const editor = await editorOf(page);
        const accept = async (text, key) => {
          await page.getByRole('listbox').getByRole('option').filter({ hasText: text }).first().waitFor();
          // A list that has just opened takes no key for 75 ms: that key was meant for the text.
          await page.waitForTimeout(150);
          await page.keyboard.press(key);
        };
        await editor.write('SELECT avg(');
        await page.keyboard.type('te');
        await accept('temperature', 'Tab');
        await page.keyboard.type(') FROM rea');
        await accept('readings', 'Enter');
        await page.keyboard.type(` WHERE site = 'o`);
        await accept("o'hare", 'Enter');
        await page.keyboard.type(`' AND time > $f`);
        await accept('$from', 'Enter');
        assert.equal(
          await editor.text(),
          `SELECT avg(temperature) FROM readings WHERE site = 'o''hare' AND time > $from`,
        );
      },
      { hash: explore('SELECT 1', '&refresh=off') },
    );
  });

  it('runs what was written by Ctrl+Enter, remembers it, saves it under a name, and finds both again', async () => {
    const world = liveWorld();
    world.query = () => table(['string'], [['x']]);
    await look(
      world,
      async (page, server) => {
        const editor = await editorOf(page);
        await editor.write('SHOW TABLES');
        await page.keyboard.press('Control+Enter');
        await until('the query', () => server.queries.at(-1).sql === 'SHOW TABLES');
        await page.getByText('1 row, 0.4 ms, 1,440 rows scanned').waitFor();
        await page.getByRole('button', { name: 'Saved and history' }).click();
        await page.getByLabel('Save the current query as').fill('my tables');
        await page.keyboard.press('Enter');
        await page.locator('#saved').getByText('my tables').waitFor();
        await page.keyboard.press('Escape');
        await page.reload();
        await editorOf(page);
        await editor.write('SELECT 2');
        await page.keyboard.press('Control+Enter');
        await until('the other query', () => server.queries.at(-1).sql === 'SELECT 2');
        await page.getByRole('button', { name: 'Saved and history' }).click();
        assert.deepEqual(await page.locator('#history code').allInnerTexts(), ['SELECT 2', 'SHOW TABLES']);
        await page.locator('#saved .pick').click();
        await until('the saved query', () => server.queries.at(-1).sql === 'SHOW TABLES');
        assert.equal(await editor.text(), 'SHOW TABLES');
      },
      { hash: explore('SELECT 1', '&refresh=off') },
    );
  });

  it('gives the whole answer as CSV', async () => {
    await look(liveWorld(), async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByRole('button', { name: 'CSV' }).click(),
      ]);
      const lines = (await readFile(await download.path(), 'utf8')).trim().split('\n');
      assert.equal(lines[0], 't,v');
      assert.equal(lines.length, 121);
      assert.ok(server.queries.some(({ format, params }) => format === 'csv' && params.interval === '5s'));
    });
  });

  it('shows the plan as a tree with what was pruned, and an error of it at its place', async () => {
    const world = liveWorld();
    const lines = ['order by t', '  scan varve.readings', '    fields: ph', 'engine: native', 'segments: 3 read, 12 pruned'];
    world.query = (sql) =>
      sql.startsWith('EXPLAIN ANALYZE ') ? table(['string'], lines.map((line) => [line])) : table(['int64'], [[1]]);
    await look(
      world,
      async (page) => {
        await page.locator('#figures').waitFor();
        await page.getByRole('button', { name: 'Explain' }).click();
        const plan = page.locator('#plan');
        await plan.waitFor();
        assert.equal(await plan.locator('.tree > li > ul > li > .operator').innerText(), 'scan varve.readings');
        assert.match(await plan.innerText(), /12 pruned/);
        await page.getByRole('button', { name: 'Back to the result' }).click();
        await page.locator('#figures').waitFor();
        await page.getByRole('button', { name: 'Explain' }).click();
        await plan.waitFor();
        await page.goto(page.url().replace('ph+FROM', 'ph++FROM'));
        await page.locator('#figures').waitFor(); // another query is not hidden behind the plan of the last
        await page.goBack();
        await page.locator('#figures').waitFor();
        const error = { code: 'unknown_column', message: 'no', position: 23 };
        world.query = () => ({ status: 400, error });
        await page.getByRole('button', { name: 'Explain' }).click();
        assert.equal(await page.locator('.cm-fault').innerText(), 'ph');
      },
      { hash: '#/explore?q=SELECT+ph+FROM+readings&refresh=off' },
    );
  });

  it('asks in InfluxQL, with typed durations, and places its errors', async () => {
    const world = liveWorld();
    const series = (site) => ({
      name: 'readings',
      tags: { site },
      columns: ['time', 'mean'],
      values: [0, 1, 2].map((i) => [new Date(now() - 60_000 * (3 - i)).toISOString(), 7 + i]),
    });
    world.influx = () => ({ results: [{ statement_id: 0, series: [series('north'), series('south')] }] });
    await look(world, async (page, server) => {
      await page.locator('#legend li').waitFor();
      await page.getByRole('radio', { name: 'InfluxQL' }).check();
      await until('two lines', async () => (await page.locator('#legend li').count()) === 2);
      const { q, db, params } = server.queries.findLast((query) => query.q);
      assert.match(q, /GROUP BY time\(\$interval\)/);
      assert.equal(db, 'varve');
      assert.deepEqual(JSON.parse(params).interval, { duration: '5s' });
      world.influx = () => ({ status: 400, error: 'error parsing query: found SELEC at line 1, char 1' });
      const editor = await editorOf(page);
      await editor.write('SELEC x');
      await page.keyboard.press('Control+Enter');
      assert.equal(await page.locator('.cm-fault').innerText(), 'SELEC');
    });
  });

  it('gives up an InfluxQL answer that is more than a page can show, and says so', async () => {
    const world = liveWorld();
    const values = [[new Date(now()).toISOString(), 'x'.repeat(33 << 20)]];
    world.influx = () => ({ results: [{ statement_id: 0, series: [{ name: 'readings', columns: ['time', 'note'], values }] }] });
    await look(world, async (page) => {
      await page.locator('#legend li').waitFor();
      await page.getByRole('radio', { name: 'InfluxQL' }).check();
      await page.getByText('the answer is larger than 32 MiB').waitFor();
    });
  });

  it('sends what changes data by hand only: once, and by no link, refresh or reconnection', async () => {
    const world = liveWorld();
    world.query = (sql) => (sql.startsWith('DELETE') ? table(['int64'], [[3]], ['deleted']) : table(['int64'], [[1]]));
    const deletes = (server) => server.queries.filter(({ sql }) => sql.startsWith('DELETE')).length;
    await look(
      world,
      async (page, server) => {
        await page.getByText('This statement changes data.').waitFor();
        await editorOf(page);
        assert.equal(deletes(server), 0);
        await page.getByRole('button', { name: 'Run' }).click();
        await until('the answer', async () => (await page.locator('#figures dd').innerText()) === '3');
        await server.stop();
        await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
        await server.start();
        await until('connected', async () => (await page.locator('#connection').innerText()) === 'Connected');
        const { length } = server.queries;
        await page.getByRole('navigation').getByRole('link', { name: 'Tables' }).click();
        await until('other queries', () => server.queries.length > length);
        assert.equal(deletes(server), 1);
      },
      { hash: explore(`DELETE FROM readings WHERE time < '2020-01-01'`, '&refresh=1s') },
    );
  });

  it('is reproduced by its address', async () => {
    const world = liveWorld();
    world.query = (sql) => (sql.includes('bars') ? table(['string', 'double'], [['a', 1], ['b', 2]]) : table(['int64'], [[1]]));
    const hash = explore('SELECT bars WHERE time > $from', '&range=6h&refresh=30s&as=table');
    await look(
      world,
      async (page, server) => {
        await page.locator('#result').waitFor();
        assert.equal(server.queries.at(-1).sql, 'SELECT bars WHERE time > $from');
        assert.ok(await page.getByLabel('6 h', { exact: true }).isChecked());
        assert.equal(await page.getByLabel('Refresh').inputValue(), '30');
        assert.equal(await (await editorOf(page)).text(), 'SELECT bars WHERE time > $from');
      },
      { hash },
    );
  });

  it('goes on by itself when the server is back, with all that was chosen', async () => {
    const world = liveWorld();
    await look(world, async (page, server) => {
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      await page.getByLabel('Field').selectOption('ph');
      await until('its chart', async () => server.queries.at(-1).sql.includes('avg(ph)'));
      await page.locator('#legend li').waitFor();
      await server.stop();
      await page.getByRole('alert').filter({ hasText: 'The server does not answer' }).waitFor();
      assert.equal(await page.locator('#connection').innerText(), 'Server away');
      assert.ok((await paintedPixels(page)) > 200, 'the picture went away with the server');
      await server.start();
      await until('connected', async () => (await page.locator('#connection').innerText()) === 'Connected');
      await until('the alert to go', async () => (await page.getByRole('alert').count()) === 0);
      assert.equal(await page.getByLabel('Field').inputValue(), 'ph');
      const asked = server.queries.length;
      await until('the chart to refresh', () => server.queries.length > asked);
    });
  });

  it('says what to do while there is no table, and shows the first one by itself', async () => {
    const world = emptyWorld();
    await look(world, async (page) => {
      await page.getByRole('heading', { name: 'No tables yet' }).waitFor();
      assert.match(await page.locator('.empty').innerText(), /Produce readings to readings/);
      Object.assign(world, liveWorld());
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
    });
  });

  it('says why a busy server did not answer, and asks again', async () => {
    const world = liveWorld();
    const whole = world.query;
    world.query = () => ({ status: 503, error: { code: 'busy', message: 'too many queries are running' } });
    await look(world, async (page) => {
      await page.getByText('too many queries are running').waitFor();
      world.query = whole;
      await until('a drawn line', async () => (await paintedPixels(page)) > 200);
      assert.equal(await page.locator('#query-error').count(), 0);
    });
  });

  it('draws a thousand lines, finds one by its name, and shares the points among them', async () => {
    const world = liveWorld();
    const names = Array.from({ length: 1_000 }, (_, i) => `s-${String(i).padStart(4, '0')}`);
    world.query = waves(names, recently, now, 60);
    await look(world, async (page, server) => {
      await page.getByLabel('Split by').selectOption('site');
      await until('a thousand', async () => (await page.locator('#legend').getAttribute('data-lines')) === '1000');
      await page.getByLabel('Filter lines by name').fill('s-0777');
      assert.equal(await page.locator('#legend .name').innerText(), 's-0777');
      await until('wider buckets', () => server.queries.at(-1).params.interval === '10s');
    });
  });
});

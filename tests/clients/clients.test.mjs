// InfluxDB's own client libraries and command line write to a real varve, unchanged, and see its errors.
import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { HttpError, InfluxDB as InfluxDB2, Point as Point2 } from '@influxdata/influxdb-client';
import { InfluxDBClient, Point as Point3 } from '@influxdata/influxdb3-client';
import influx1 from 'influx';
import { run, startVarve } from './support.mjs';

const SECOND = 1735689600; // 2025-01-01
const AT = new Date(SECOND * 1000);

describe('clients of InfluxDB', () => {
  let varve;
  before(async () => {
    varve = await startVarve();
  });
  after(() => varve?.stop());

  describe('@influxdata/influxdb-client', () => {
    // Without retries an error is the test's at once.
    const writer = (precision, options = {}) =>
      new InfluxDB2({ url: varve.url, token: 'any' }).getWriteApi('org', 'plant', precision, {
        maxRetries: 0,
        ...options,
      });

    it('writes points at every precision', async () => {
      const times = { ns: '000000000', us: '000000', ms: '000', s: '' };
      for (const [precision, zeros] of Object.entries(times)) {
        const api = writer(precision);
        api.useDefaultTags({ site: 'pier 1, north' });
        api.writePoint(
          new Point2('v2_precision')
            .tag('precision', precision)
            .floatField('temp', 20.5)
            .intField('count', -3)
            .uintField('total', 4)
            .booleanField('on', true)
            .stringField('note', 'a "quoted"\nnote \\ end')
            .timestamp(`${SECOND}${zeros}`),
        );
        await api.close();
      }
      const rows = await varve.sql(
        'SELECT time, precision, site, temp, count, total, "on", note FROM plant.v2_precision ORDER BY precision',
      );
      assert.deepEqual(
        rows,
        ['ms', 'ns', 's', 'us'].map((precision) => [
          '2025-01-01T00:00:00Z', precision, 'pier 1, north', 20.5, -3, 4, true, 'a "quoted"\nnote \\ end',
        ]),
      );
    });

    it('writes gzipped batches', async () => {
      const api = writer('s', { gzipThreshold: 100, batchSize: 1000 });
      for (let i = 0; i < 5000; ++i) api.writeRecord(`v2_batch,host=h${i % 7} v=${i} ${SECOND + i}`);
      await api.close(); // does not wait for full batches on their way
      await varve.until('SELECT count(*), sum(v) FROM plant.v2_batch', [[5000, 12497500]]);
    });

    it('is told the bad line; the good ones stay', async () => {
      const failures = [];
      const api = writer('s', { writeFailed: (error) => void failures.push(error) });
      api.writeRecords([`v2_bad v=1 ${SECOND}`, 'v2_bad v= 2', `v2_bad v=3 ${SECOND + 1}`]);
      await assert.rejects(api.flush());
      assert.ok(failures[0] instanceof HttpError);
      assert.equal(failures[0].statusCode, 400);
      assert.equal(failures[0].code, 'invalid');
      assert.match(failures[0].message, /unable to parse 'v2_bad v= 2'/);
      assert.deepEqual(await varve.sql('SELECT count(*) FROM plant.v2_bad'), [[2]]);
      await api.close().catch(() => {});
    });

    it('is told a type conflict as 422', async () => {
      const good = writer('s');
      good.writeRecord(`v2_types v=1 ${SECOND}`);
      await good.close();
      const api = writer('s');
      api.writeRecord(`v2_types v="text" ${SECOND}`);
      await assert.rejects(api.flush(), (error) => error.statusCode === 422 && /type conflict/.test(error.message));
      await api.close().catch(() => {});
    });
  });

  describe('@influxdata/influxdb3-client', () => {
    const client = (writeOptions) =>
      new InfluxDBClient({ host: varve.url, token: 'any', database: 'plant', writeOptions });

    // Unless noSync is asked for, it writes by the path of version 2.
    for (const [version, noSync] of [
      ['2', false],
      ['3', true],
    ]) {
      it(`writes by the path of version ${version}, gzipped or not`, async () => {
        const table = `v3_by_${version}`;
        const db = client({ noSync, gzipThreshold: 200 });
        for (const count of [1, 500]) {
          const points = Array.from({ length: count }, (_, i) =>
            Point3.measurement(table)
              .setTag('host', `h${count}`)
              .setFloatField('v', i + 0.5)
              .setIntegerField('n', i)
              .setStringField('note', 'x=1, "y"')
              .setTimestamp(new Date(AT.getTime() + i * 1000)),
          );
          await db.write(points);
        }
        await db.close();
        assert.deepEqual(
          await varve.sql(`SELECT host, count(*), sum(n), min(note) FROM plant.${table} GROUP BY host ORDER BY host`),
          [
            ['h1', 1, 0, 'x=1, "y"'],
            ['h500', 500, 124750, 'x=1, "y"'],
          ],
        );
      });
    }

    it('is told each bad line of a partial write', async () => {
      const lines = `v3_bad v=1 ${SECOND}000000000\nv3_bad v= 2\nv3_bad v=3 ${SECOND + 1}000000000\nnonsense`;
      const db = client({ noSync: true });
      await assert.rejects(db.write(lines), (error) => {
        assert.match(error.message, /partial write of line protocol occurred/);
        const named = error.json.data.map((line) => [line.line_number, line.original_line]);
        assert.deepEqual(named, [
          [2, 'v3_bad v= 2'],
          [4, 'nonsense'],
        ]);
        return true;
      });
      await db.close();
      assert.deepEqual(await varve.sql('SELECT count(*) FROM plant.v3_bad'), [[2]]);
    });

    it('is told a bad line by the path of version 2, too', async () => {
      const db = client({});
      await assert.rejects(db.write('v3_bad_two v='), /unable to parse 'v3_bad_two v='/);
      await db.close();
    });
  });

  describe('influx', () => {
    const client = () =>
      new influx1.InfluxDB({ host: '127.0.0.1', port: varve.port, database: 'plant', username: 'u', password: 'p' });

    it('pings, creates a database and writes at every precision', async () => {
      const db = client();
      const [host] = await db.ping(5000);
      assert.ok(host.online);
      assert.equal(host.version, '1.8.10');
      await db.createDatabase('plant');
      assert.ok((await db.getDatabaseNames()).includes('plant'));
      for (const precision of ['n', 'u', 'ms', 's', 'm', 'h']) {
        await db.writePoints(
          [{ measurement: 'v1_precision', tags: { p: precision }, fields: { v: 1.5, note: 'a "b"' }, timestamp: AT }],
          { precision },
        );
      }
      const rows = await varve.sql('SELECT time, p, v, note FROM plant.v1_precision ORDER BY p');
      assert.deepEqual(
        rows,
        ['h', 'm', 'ms', 'n', 's', 'u'].map((p) => ['2025-01-01T00:00:00Z', p, 1.5, 'a "b"']),
      );
      const read = await db.query('SELECT * FROM v1_precision');
      assert.equal(read.length, 6);
      assert.equal(read[0].time.getTime(), AT.getTime());
    });

    it('is told what was wrong', async () => {
      const db = client();
      await db.writeMeasurement('v1_types', [{ fields: { v: 1 }, timestamp: AT }]);
      await assert.rejects(
        db.writeMeasurement('v1_types', [{ fields: { v: 'text' }, timestamp: AT }]),
        (error) => error.res.statusCode === 400 && /partial write: field type conflict/.test(error.message),
      );
    });
  });

  describe("InfluxDB's command line", () => {
    const CLI = process.env.VARVE_INFLUX_CLI ?? 'influx';

    it('imports a file and reads it back', async () => {
      const file = join(varve.folder, 'import.txt');
      await writeFile(
        file,
        `# DDL\nCREATE DATABASE imported\n# DML\n# CONTEXT-DATABASE: imported\n` +
          Array.from({ length: 100 }, (_, i) => `cli,host=a v=${i} ${SECOND + i}\n`).join(''),
      );
      const at = ['-host', '127.0.0.1', '-port', String(varve.port)];
      const imported = await run(CLI, [...at, '-import', `-path=${file}`, '-precision=s']);
      assert.equal(imported.code, 0, imported.output);
      assert.match(imported.output, /Processed 100 inserts/);
      assert.match(imported.output, /Failed 0 inserts/);
      assert.deepEqual(await varve.sql('SELECT count(*), sum(v) FROM imported.cli'), [[100, 4950]]);
      const read = await run(CLI, [...at, '-database', 'imported', '-execute', 'SELECT count(v) FROM cli']);
      assert.match(read.output, /100/);
    });

    it('inserts one point, and says why it cannot', async () => {
      const at = ['-host', '127.0.0.1', '-port', String(varve.port), '-database', 'imported'];
      const good = await run(CLI, [...at, '-execute', `INSERT one,host=a v=1 ${SECOND}000000000`]);
      assert.equal(good.code, 0, good.output);
      assert.deepEqual(await varve.sql('SELECT v FROM imported.one'), [[1]]);
      const bad = await run(CLI, [...at, '-execute', 'INSERT one,host=a v=']);
      assert.match(bad.output, /unable to parse/);
    });
  });
});

import { describe, expect, it } from 'vitest';
import { completionsAt } from '../src/explore/complete';
import { flatten, placed } from '../src/explore/influx';
import { parsePlan } from '../src/explore/plan';
import { EventCutter } from '../src/live/stream';
import { noticeOf, ROWS_KEPT, SERIES_KEPT, Tail, VALUES_KEPT } from '../src/live/tail';
import { pictureOf } from '../src/pipeline/flow';
import { ApiError } from '../src/shared/api';
import type { TableDetail } from '../src/shared/api';
import { csvOf } from '../src/shared/csv';
import { Rates } from '../src/shared/rate';

const tables: TableDetail[] = [
  {
    name: 'water',
    columns: [
      { name: 'time', kind: 'time', type: 'timestamp' },
      { name: 'site', kind: 'tag', type: 'string' },
      { name: 'ph', kind: 'field', type: 'double' },
    ],
  },
  { name: 'machines', columns: [{ name: 'rpm', kind: 'field', type: 'int64' }] },
];
// The cursor is where | stands.
function offered(text: string) {
  const at = text.indexOf('|');
  return completionsAt(text.replace('|', ''), at, 'sql', tables);
}
const labels = (text: string): string[] => offered(text).options.map((option) => option.label);

describe('completion', () => {
  it('offers tables behind FROM', () => {
    expect(labels('SELECT * FROM w|')).toEqual(['water', 'machines']);
    expect(labels('SELECT * FROM |')).toEqual(['water', 'machines']);
  });
  it('offers the columns of the named table, then functions, variables, words', () => {
    const found = labels('SELECT p| FROM water');
    expect(found.slice(0, 3)).toEqual(['time', 'site', 'ph']);
    expect(found).not.toContain('rpm');
    for (const word of ['percentile', '$from', 'WHERE']) expect(found).toContain(word);
  });
  it('offers every column while no table is named', () => expect(labels('SELECT r|')).toContain('rpm'));
  it('asks for values of the tag within its quotes', () => {
    expect(offered(`SELECT * FROM water WHERE site = 'no|`)).toMatchObject({ values: { table: 'water', tag: 'site' }, from: 34 });
    expect(offered(`SELECT * FROM water WHERE "site" IN ('a', '|`).values).toEqual({ table: 'water', tag: 'site' });
  });
  it('is silent in the quotes of anything else, and behind a finished word', () => {
    expect(offered(`SELECT * FROM water WHERE time > '2026|`)).toMatchObject({ options: [] });
    expect(labels('SELECT * FROM water |')).toEqual([]);
  });
  it('offers the variables behind $', () => expect(labels('WHERE time > $|')).toEqual(['$from', '$to', '$interval']));
});

describe('a plan', () => {
  const plan = parsePlan([
    'order by t',
    '  output t, avg(ph)',
    '    scan varve.water',
    '      time: 2026-01-01T00:00:00Z to the end',
    '      fields: ph',
    'engine: native',
    'segments: 3 read, 12 pruned',
    'blocks: 7 decoded, 5 from statistics, 2 left out by conditions on fields',
    'rows: 1440 scanned, 12 out',
    'scan and group: 0.124 ms, 10 rows',
  ]);
  it('is a tree with facts', () => {
    const scan = plan.roots[0]!.children[0]!.children[0]!;
    expect(scan.text).toBe('scan varve.water');
    expect(scan.facts).toEqual([['time', '2026-01-01T00:00:00Z to the end'], ['fields', 'ph']]);
  });
  it('has counts of what was read and pruned, and steps with their time', () => {
    expect(plan.counts.map((one) => one.name)).toEqual(['segments', 'blocks', 'rows']);
    expect(plan.counts[0]!.parts).toEqual([{ count: 3, what: 'read' }, { count: 12, what: 'pruned' }]);
    expect(plan.steps).toEqual([{ name: 'scan and group', ms: 0.124, rows: 10 }]);
    expect(plan.facts).toEqual([['engine', 'native']]);
  });
  it('bears any text', () => {
    expect(parsePlan(['', '  x', 'y', 'segments: many'])).toMatchObject({ counts: [], roots: [{ text: 'x' }, { text: 'y' }] });
  });
});

describe('InfluxQL', () => {
  it('series become one table with their tags', () => {
    const answer = flatten({
      results: [
        {
          series: [
            { name: 'water', tags: { site: 'a' }, columns: ['time', 'mean'], values: [['2026-01-01T00:00:00Z', 1]] },
            { name: 'water', tags: { site: 'b' }, columns: ['time', 'mean'], values: [['2026-01-01T00:00:00Z', null]] },
          ],
        },
      ],
    });
    expect(answer.columns.map((column) => [column.name, column.type])).toEqual([
      ['time', 'timestamp'],
      ['site', 'string'],
      ['mean', 'double'],
    ]);
    expect(answer.rows).toEqual([['2026-01-01T00:00:00Z', 'a', 1], ['2026-01-01T00:00:00Z', 'b', null]]);
  });
  it('errors have a position', () => {
    const error = new ApiError(400, 'x', 'error parsing query: found b at line 2, char 3');
    expect(placed(error, 'SELECT\na b c').position).toBe(9);
    expect(placed(new ApiError(400, 'x', 'no'), 'a').position).toBeUndefined();
  });
});

describe('server-sent events', () => {
  it('are the same in whatever pieces they come', () => {
    const text = ': hello\n\nid: 1\ndata: {"a":1}\n\nevent: gap\r\ndata: x\r\ndata: y\r\n\r\ndata:z\n\n';
    const whole = new EventCutter().push(text);
    expect(whole).toEqual([
      { name: 'message', data: '{"a":1}' },
      { name: 'gap', data: 'x\ny' },
      { name: 'message', data: 'z' },
    ]);
    for (const size of [1, 2, 3, 7]) {
      const cutter = new EventCutter();
      const events = [];
      for (let i = 0; i < text.length; i += size) events.push(...cutter.push(text.slice(i, i + size)));
      expect(events).toEqual(whole);
    }
  });
});

describe('the tail of a table', () => {
  it('is bounded in rows, series and values', () => {
    const tail = new Tail();
    for (let i = 0; i < 2_000; i++)
      tail.add({ columns: [{ name: 's' }, 'x'], rows: [[`s${i % 700}`, i], ['steady', i]] }, ['s'], 'x');
    expect(tail.rows).toHaveLength(ROWS_KEPT);
    expect(tail.series.size).toBeLessThanOrEqual(SERIES_KEPT);
    expect(tail.series.get('steady')!.values).toHaveLength(VALUES_KEPT);
    expect(tail.total).toBe(4_000);
  });
});

describe('what the server says besides rows', () => {
  it.each([
    ['gap', '{"rows":7}', 'The server could not keep up and left out 7 rows.'],
    ['end', '{"reason":"slow","message":"read faster"}', 'The server ended the stream: read faster.'],
    ['open', '{"table":"t"}', ''],
    ['end', 'no JSON', ''],
  ])('%s %s', (name, data, sentence) => expect(noticeOf(name, data)).toBe(sentence));
});

describe('rates', () => {
  it('are over the last seconds, and begin anew with the server', () => {
    const rates = new Rates();
    expect(rates.of('x', 0, 0)).toBeUndefined();
    expect(rates.of('x', 100, 1_000)).toBe(100);
    for (let second = 2; second <= 20; second++) rates.of('x', 100 + (second - 1) * 10, second * 1_000);
    expect(rates.of('x', 300, 21_000)).toBe(10);
    expect(rates.of('x', 5, 22_000)).toBeUndefined();
    expect(rates.of('x', 15, 23_000)).toBe(10);
  });
});

describe('the picture of the pipeline', () => {
  it('bears a status with every part missing', () => {
    const picture = pictureOf({}, new Rates(), 1);
    expect(picture.sources.map((flow) => flow.from.title)).toEqual(['HTTP writes']);
    expect(picture.sinks).toEqual([]);
  });
  it('says what is wrong', () => {
    const picture = pictureOf(
      {
        read_only_reason: 'disk full',
        ingest: {
          rows_total: 10,
          rejected_total: 2,
          sources: [
            {
              name: 'k',
              state: 'running',
              rows_total: 5,
              partitions: [{ topic: 't', partition: 1, lag: 70, lag_seconds: 30, halted: 'offset out of range' }],
            },
          ],
        },
        compaction: { problem: 'checksum', damaged_segments: 1 },
        mirrors: [{ name: 'm', state: 'held', last_error: 'refused' }],
      },
      new Rates(),
      1,
    );
    expect(picture.log).toMatchObject({ health: 'bad', problem: 'disk full' });
    expect(picture.sources[0]!.from).toMatchObject({ health: 'bad', problem: 't/1: offset out of range' });
    expect(picture.sources[0]!.from.facts).toContainEqual(['lag', '70', true]);
    expect(picture.sources[1]!.from.facts).toEqual([['rows', '3']]);
    expect(picture.segments.health).toBe('bad');
    expect(picture.sinks[0]!.to).toMatchObject({ health: 'bad', problem: 'refused' });
  });
});

describe('CSV', () => {
  it('quotes what must be quoted', () => {
    const answer = {
      columns: [{ name: 'a,b', type: 'string' }, { name: 'c', type: 'double' }],
      rows: [['say "hi"\n', 1.5], [null, 2]],
    };
    expect(csvOf(answer)).toBe('"a,b",c\r\n"say ""hi""\n",1.5\r\n,2\r\n');
  });
});

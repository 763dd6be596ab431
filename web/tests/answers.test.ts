import { describe, expect, it } from 'vitest';
import { chartText, choiceOf, FUNCTIONS } from '../src/explore/builder';
import { linesAtMost } from '../src/explore/run';
import { isScattered, linesOf } from '../src/explore/series';
import { inOrder, nextOrder } from '../src/explore/sort';
import type { Cell, TableDetail } from '../src/shared/api';

function answer(types: string[], rows: Cell[][]) {
  return { columns: types.map((type, i) => ({ name: `c${i}`, type })), rows };
}
const firsts = (rows: Cell[][]): Cell[] => rows.map((row) => row[0] ?? null);

describe('sorting an answer', () => {
  it('goes up, down and back to what the server gave', () => {
    const up = nextOrder(undefined, 2);
    expect(up).toEqual({ column: 2, descending: false });
    const down = nextOrder(up, 2);
    expect(down).toEqual({ column: 2, descending: true });
    expect(nextOrder(down, 2)).toBeUndefined();
    expect(nextOrder(down, 0)).toEqual({ column: 0, descending: false });
  });
  it.each([
    ['numbers as numbers', 'double', [10, 9, -1, 2.5], [-1, 2.5, 9, 10]],
    ['texts as people do', 'string', ['s10', 's9', 'S1', ''], ['', 'S1', 's9', 's10']],
    ['times, whatever their fraction', 'timestamp', ['2026-01-01T00:00:01.5Z', '2026-01-01T00:00:01Z', '2026-01-01T00:00:01.25Z'],
      ['2026-01-01T00:00:01Z', '2026-01-01T00:00:01.25Z', '2026-01-01T00:00:01.5Z']],
    ['no before yes', 'bool', [true, false], [false, true]],
  ] as [string, string, Cell[], Cell[]][])('%s', (_, type, given, wanted) => {
    const rows = given.map((cell) => [cell]);
    expect(firsts(inOrder(answer([type], rows), { column: 0, descending: false }))).toEqual(wanted);
    expect(firsts(inOrder(answer([type], rows), { column: 0, descending: true }))).toEqual([...wanted].reverse());
    expect(firsts(rows)).toEqual(given);
  });
  it('puts NULL last both ways and keeps equal ones in place', () => {
    const rows: Cell[][] = [[null, 1], [2, 2], [1, 3], [2, 4]];
    const given = answer(['int64', 'int64'], rows);
    expect(inOrder(given, { column: 0, descending: false }).map((row) => row[1])).toEqual([3, 2, 4, 1]);
    expect(inOrder(given, { column: 0, descending: true }).map((row) => row[1])).toEqual([2, 4, 3, 1]);
  });
  it('forgets a column that the next answer lacks', () => {
    expect(firsts(inOrder(answer(['int64'], [[2], [1]]), { column: 3, descending: false }))).toEqual([2, 1]);
  });
});

const readings: TableDetail = {
  name: 'readings',
  series: 1_000,
  columns: [
    { name: 'time', kind: 'time', type: 'timestamp' },
    { name: 'site', kind: 'tag', type: 'string' },
    { name: 'the sensor', kind: 'tag', type: 'string' },
    { name: 'ph', kind: 'field', type: 'double' },
    { name: 'site_count', kind: 'field', type: 'int64' },
    { name: 'label', kind: 'field', type: 'string' },
  ],
};

describe('how many lines an answer may have', () => {
  it.each([
    ['SELECT avg(ph) FROM readings GROUP BY time_bucket($interval, time)', 1],
    ['SELECT avg(ph), site FROM readings GROUP BY 1, site', 1_000],
    ['SELECT avg(ph) FROM readings GROUP BY "the sensor"', 1_000],
    ["SELECT avg(ph) FROM readings WHERE label = 'site'", 1],
    ['SELECT avg(site_count) FROM readings', 1],
    ['SELECT mean(ph) FROM "readings" GROUP BY time(1m), *', 1_000],
    ['SELECT site FROM elsewhere', 1],
  ])('%s', (text, lines) => {
    expect(linesAtMost(text, [readings])).toBe(lines);
  });
});

describe('the choice a query was written by', () => {
  it('is found again, in both languages', () => {
    for (const language of ['sql', 'influxql'] as const)
      for (const field of [undefined, 'ph', 'site_count'])
        for (const tag of [undefined, 'site', 'the sensor'])
          for (const call of field === undefined ? FUNCTIONS.slice(0, 1) : FUNCTIONS) {
            const choice = { table: readings, field, tag, call };
            expect(choiceOf(chartText(choice, language), language, [readings])).toEqual(choice);
          }
  });
  it('is none for what was written by hand', () => {
    expect(choiceOf('SELECT avg(ph) FROM readings', 'sql', [readings])).toBeUndefined();
    expect(choiceOf('', 'sql', [readings])).toBeUndefined();
  });
});

describe('rows that make no picture', () => {
  const at = (second: number): string => new Date(1_700_000_000_000 + second * 1000).toISOString();
  const rowsOf = (names: string[]): Cell[][] => names.map((name, i) => [at(i), name, i]);
  const scattered = (names: string[]): boolean =>
    isScattered(linesOf(answer(['timestamp', 'string', 'double'], rowsOf(names)), 0));
  it('are those of which most lines have one', () => {
    expect(scattered(['a'])).toBe(true);
    expect(scattered(['a', 'b', 'c', 'a'])).toBe(true);
    expect(scattered(['a', 'a'])).toBe(false);
    expect(scattered(['a', 'b', 'a', 'b', 'c'])).toBe(false);
  });
});

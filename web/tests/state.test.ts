import { describe, expect, it } from 'vitest';
import { chartText, defaultChoice, defaultRange, freshest } from '../src/explore/builder';
import { withRun, withSaved } from '../src/explore/library';
import type { Kept } from '../src/explore/library';
import { hashFrom, stateFrom } from '../src/explore/state';
import type { ExploreState } from '../src/explore/state';
import { changesData, codeOf, countsWhole, paramsFor, variablesIn } from '../src/explore/variables';
import { hashOf, parseHash } from '../src/shared/router';

const state: ExploreState = {
  text: `SELECT "a b" FROM t WHERE x = 'o''hare & ?#%' -- ü`,
  language: 'influxql',
  range: { kind: 'between', from: 0, to: 5_000 },
  refreshSeconds: 0,
  asTable: true,
};

describe('the address of a view', () => {
  it('brings back all of Explore', () => {
    expect(stateFrom(parseHash(hashFrom(state)).query)).toEqual(state);
  });
  it('is short where all is as usual', () => {
    expect(hashFrom({ text: '', language: 'sql', range: undefined, refreshSeconds: 2, asTable: false })).toBe('#/explore');
  });
  it.each(['', '#', '#/', '#/nonsense', '#/explore?', '#/explore?range=x&refresh=y&lang=z&as=q'])(
    '%j is the plain Explore',
    (hash) => {
      const route = parseHash(hash);
      expect(route.view).toBe('explore');
      expect(stateFrom(route.query)).toEqual({
        text: '',
        language: 'sql',
        range: undefined,
        refreshSeconds: 2,
        asTable: false,
      });
    },
  );
  it('bears any name of a table', () => {
    const name = `<img> "%/?#'ü`;
    expect(parseHash(hashOf('tables', name)).name).toBe(name);
    expect(parseHash('#/tables/%E0%A4%A').name).toBe('%E0%A4%A');
  });
});

describe('time variables', () => {
  const window = { from: 0, to: 60_000, interval: '5s', intervalMs: 5_000 };
  it('are found in code, not in quotes or comments', () => {
    const text = `SELECT '$from', "$to" -- $interval\n/* $from */ FROM t WHERE time < $to AND x = $other`;
    expect([...variablesIn(text)]).toEqual(['to']);
    expect(codeOf(text)).toHaveLength(text.length);
  });
  it('travel typed, and only those that are used', () => {
    expect(paramsFor('SELECT 1', 'sql', window)).toEqual({});
    expect(paramsFor('$from $to $interval', 'sql', window)).toEqual({
      from: '1970-01-01T00:00:00.000Z',
      to: '1970-01-01T00:01:00.000Z',
      interval: '5s',
    });
    expect(paramsFor('time($interval)', 'influxql', window)).toEqual({ interval: { duration: '5s' } });
  });
  it('ask for whole buckets where something is counted', () => {
    expect(countsWhole('SELECT time_bucket($interval, time), count(*)')).toBe(true);
    expect(countsWhole('SELECT time_bucket($interval, time), avg(x)')).toBe(false);
    expect(countsWhole('SELECT count(*)')).toBe(false);
  });
});

describe('a statement that may change data', () => {
  it.each(['DELETE FROM t', '-- x\ndelete from t', 'SELECT 1; DROP DATABASE x', 'CREATE DATABASE x', 'EXPLAIN ANALYZE DELETE FROM t'])(
    '%s',
    (text) => expect(changesData(text)).toBe(true),
  );
  it.each(['SELECT 1', ' (select 1)', 'SHOW TABLES;', 'EXPLAIN ANALYZE SELECT 1', `SELECT ';DROP' -- ;DELETE`, 'WITH a AS (SELECT 1) SELECT 1', ''])(
    'is not %j',
    (text) => expect(changesData(text)).toBe(false),
  );
});

describe('the query of a chart', () => {
  const table = { name: 'water', database: 'varve', columns: [], time_max: '2026-01-01T00:00:00Z' };
  it('is SQL as one would write it', () => {
    expect(chartText({ table, field: 'ph', tag: 'site', call: 'avg' }, 'sql')).toBe(
      'SELECT time_bucket($interval, time) AS t, avg(ph) AS ph, site\nFROM water\n' +
        'WHERE time >= $from AND time < $to\nGROUP BY t, site\nORDER BY t',
    );
  });
  it('quotes what must be quoted', () => {
    const odd = { ...table, name: 'Group', database: 'o"ther' };
    const text = chartText({ table: odd, field: 'a b', tag: 'select', call: 'max' }, 'sql');
    expect(text).toContain('max("a b") AS "a b", "select"\nFROM "o""ther"."Group"');
  });
  it('is InfluxQL, too', () => {
    expect(chartText({ table, field: 'ph', tag: undefined, call: 'avg' }, 'influxql')).toBe(
      'SELECT mean(ph) FROM water\nWHERE time >= $from AND time < $to\nGROUP BY time($interval)',
    );
  });
  it('begins with the first number of the freshest table of people', () => {
    const tables = [
      { name: 'old', time_max: '2025-01-01T00:00:00Z' },
      { name: 'varve_quarantine', time_max: '2027-01-01T00:00:00Z' },
      { name: 'new', time_max: '2026-01-01T00:00:00Z' },
    ];
    expect(freshest(tables)?.name).toBe('new');
    const columns = [
      { name: 'n', kind: 'field', type: 'int64' },
      { name: 'x', kind: 'field', type: 'double' },
    ] as const;
    expect(defaultChoice({ ...table, columns: [...columns] }).field).toBe('x');
    expect(defaultChoice(table).field).toBeUndefined();
  });
  it('looks at all of a table that ended long ago', () => {
    const end = Date.parse(table.time_max);
    expect(defaultRange(table, end + 1_000)).toEqual({ kind: 'last', seconds: 900 });
    expect(defaultRange(table, end + 86_400_000)).toEqual({ kind: 'all' });
    expect(defaultRange(undefined, end)).toEqual({ kind: 'last', seconds: 900 });
  });
});

describe('what the browser keeps', () => {
  const kept = (text: string, at: number): Kept => ({ text, language: 'sql', hash: `#/explore?q=${text}`, at });
  it('is the newest run first, each query once, and bounded', () => {
    let history: Kept[] = [];
    for (let i = 0; i < 150; i++) history = withRun(history, kept(`q${i % 120}`, i));
    expect(history).toHaveLength(100);
    expect(history[0]!.text).toBe('q29');
    expect(new Set(history.map((one) => one.text)).size).toBe(100);
  });
  it('is one query per name', () => {
    const first = withSaved([], { ...kept('a', 1), name: 'x' });
    expect(withSaved(first, { ...kept('b', 2), name: 'x' }).map((one) => one.text)).toEqual(['b']);
  });
});

import { describe, expect, it } from 'vitest';
import type { Cell } from '../src/shared/api';
import { linesOf } from '../src/explore/series';
import { shapeOf } from '../src/explore/shape';

function answer(types: string, rows: Cell[][]) {
  const names: Record<string, string> = { t: 'timestamp', d: 'double', i: 'int64', s: 'string', b: 'bool' };
  return { columns: [...types].map((c, i) => ({ name: `${c}${i}`, type: names[c]! })), rows };
}
const at = (second: number): string => new Date(1_700_000_000_000 + second * 1000).toISOString();

describe('the picture an answer asks for', () => {
  it.each([
    ['time and number', 'td', [[at(0), 1]], 'lines'],
    ['number before time', 'it', [[1, at(0)]], 'lines'],
    ['time, tag and number', 'tsd', [[at(0), 'a', 1]], 'lines'],
    ['tag and number', 'sd', [['a', 1], ['b', 2]], 'bars'],
    ['two tags and two numbers', 'ssdi', [['a', 'x', 1, 2], ['b', 'y', 2, 3]], 'bars'],
    ['one number', 'i', [[1]], 'figures'],
    ['one row of numbers with a name', 'sd', [['a', 1]], 'figures'],
    ['many rows of bare numbers', 'd', [[1], [2]], 'table'],
    ['text only', 's', [['a']], 'table'],
    ['time only', 't', [[at(0)]], 'table'],
    ['no rows', 'td', [], 'table'],
    ['too many bars', 'si', Array.from({ length: 501 }, (_, i) => [`n${i}`, i]), 'table'],
  ] as [string, string, Cell[][], string][])('%s', (_, types, rows, shape) => {
    expect(shapeOf(answer(types, rows))).toBe(shape);
  });
});

describe('lines', () => {
  it('are one per tag value, in the order of people, over one time axis', () => {
    const lines = linesOf(answer('tds', [[at(0), 1, 's10'], [at(0), 2, 's9'], [at(1), 3, 's10']]), 1000);
    expect(lines.names).toEqual(['s9', 's10']);
    expect(lines.times).toEqual([Date.parse(at(0)), Date.parse(at(1))]);
    expect(lines.values).toEqual([[2, undefined], [1, 3]]);
  });
  it('are one per number, too', () => {
    const lines = linesOf(answer('tsdd', [[at(0), 'a', 1, 2]]), 0);
    expect(lines.names).toEqual(['a · d2', 'a · d3']);
  });
  it('are named by their column where there is no tag', () => {
    expect(linesOf(answer('td', [[at(0), 1]]), 0).names).toEqual(['d1']);
  });
  it('lift the pen in a long silence of all, but not in a short one', () => {
    const rows = [0, 1, 2, 3, 4, 7, 20, 21, 22].map((second) => [at(second), second]);
    const { times, values } = linesOf(answer('td', rows), 1000);
    expect(values[0]!.filter((value) => value === null || value === undefined)).toHaveLength(1);
    expect(times[6]).toBe((Date.parse(at(7)) + Date.parse(at(20))) / 2);
  });
  it('lift the pen where one is silent while others go on', () => {
    const rows: Cell[][] = [];
    for (let second = 0; second < 30; second++) {
      rows.push([at(second), second, 'always']);
      if (second < 10 || second > 20) rows.push([at(second), second, 'away']);
    }
    const lines = linesOf(answer('tds', rows), 1000);
    expect(lines.values[lines.names.indexOf('always')]).not.toContain(null);
    const away = lines.values[lines.names.indexOf('away')]!;
    expect(away.map((value, i) => (value === null ? i : -1)).filter((i) => i >= 0)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20]);
  });
  it('join a line that comes seldom by its own step', () => {
    const rows: Cell[][] = [];
    for (let second = 0; second < 100; second++) {
      rows.push([at(second), 1, 'often']);
      if (second % 20 === 0) rows.push([at(second), 2, 'seldom']);
    }
    const lines = linesOf(answer('tds', rows), 1000);
    expect(lines.values[lines.names.indexOf('seldom')]).not.toContain(null);
  });
  it('leave out those past the greatest number, and say how many', () => {
    const rows = Array.from({ length: 1_010 }, (_, i): Cell[] => [at(0), i, `s${i}`]);
    const lines = linesOf(answer('tds', rows), 0);
    expect([lines.names.length, lines.left]).toEqual([1_000, 10]);
  });
  it('bear NULL values and times that are none', () => {
    const lines = linesOf(answer('td', [[at(0), null], [null, 1], [at(1), 2]]), 0);
    expect(lines.values).toEqual([[undefined, 2]]);
  });
});

// The query of a chart, as one would write it by hand.
import type { Column, TableDetail, TableInfo } from '../shared/api';
import { milliseconds } from '../shared/format';
import { isOwn, plainName, tableSql } from '../shared/sql';
import type { Language } from './state';
import type { Range } from './time';

export const FUNCTIONS: readonly string[] = ['avg', 'min', 'max', 'last', 'sum', 'count', 'stddev', 'median'];

export interface ChartChoice {
  table: TableInfo;
  field: string | undefined; // undefined: rows are counted
  tag: string | undefined; // one line per value of it
  call: string; // one of FUNCTIONS
}

export function isNumeric(column: Column): boolean {
  return column.kind === 'field' && (column.type === 'double' || column.type === 'int64');
}

export function chartText({ table, field, tag, call }: ChartChoice, language: Language): string {
  const by = tag === undefined ? '' : `, ${plainName(tag)}`;
  if (language === 'influxql') {
    const influxCall = call === 'avg' ? 'mean' : call;
    const what = field === undefined ? 'count(*)' : `${influxCall}(${plainName(field)})`;
    return `SELECT ${what} FROM ${plainName(table.name)}\nWHERE time >= $from AND time < $to\nGROUP BY time($interval)${by}`;
  }
  const what = field === undefined ? 'count(*) AS n' : `${call}(${plainName(field)}) AS ${plainName(field)}`;
  return (
    `SELECT time_bucket($interval, time) AS t, ${what}${by}\nFROM ${tableSql(table)}\n` +
    `WHERE time >= $from AND time < $to\nGROUP BY t${by}\nORDER BY t`
  );
}

// The choice that would have written this query.
export function choiceOf(text: string, language: Language, tables: TableDetail[]): ChartChoice | undefined {
  for (const table of tables) {
    if (!text.includes(plainName(table.name))) continue;
    const fields = [undefined, ...table.columns.filter(isNumeric).map((column) => column.name)];
    const tags = [undefined, ...table.columns.filter(({ kind }) => kind === 'tag').map((column) => column.name)];
    for (const field of fields) {
      for (const tag of tags) {
        const call = FUNCTIONS.find((one) => chartText({ table, field, tag, call: one }, language) === text);
        if (call !== undefined) return { table, field, tag, call };
      }
    }
  }
  return undefined;
}

// The table with the newest reading: on a live server the one that moves. Ours only where there is no other.
export function freshest<T extends TableInfo>(tables: T[]): T | undefined {
  const at = (table: TableInfo): number => milliseconds(table.time_max) ?? -Infinity;
  const people = tables.filter((table) => !isOwn(table));
  return [...(people.length > 0 ? people : tables)].sort((a, b) => at(b) - at(a))[0];
}

export function defaultChoice(table: TableDetail): ChartChoice {
  const field = table.columns.find((column) => isNumeric(column) && column.type === 'double') ?? table.columns.find(isNumeric);
  return { table, field: field?.name, tag: undefined, call: 'avg' };
}

const LIVE_SECONDS = 900;

// A table whose last reading is old shows all it has instead of an empty window.
export function defaultRange(table: TableInfo | undefined, now: number): Range {
  const last = milliseconds(table?.time_max);
  return last !== undefined && last < now - LIVE_SECONDS * 1000
    ? { kind: 'all' }
    : { kind: 'last', seconds: LIVE_SECONDS };
}

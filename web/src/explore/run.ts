// What Explore asks the server: the query with its variables filled in, or its plan.
import type { QueryAnswer, TableDetail } from '../shared/api';
import { ApiError, runQuery, serverNow } from '../shared/api';
import { milliseconds } from '../shared/format';
import { identifier, isOwn } from '../shared/sql';
import { tablesIn } from './complete';
import { runInfluxQl } from './influx';
import { isScattered, linesIn, linesOf } from './series';
import type { Lines } from './series';
import { shapeOf } from './shape';
import type { Shape } from './shape';
import type { Language } from './state';
import { pointsFor, ROWS_MAX, windowOf } from './time';
import type { Range, Window } from './time';
import { changesData, countsWhole, paramsFor, variablesIn } from './variables';

export interface Asked {
  text: string;
  language: Language;
  range: Range;
  tables: TableDetail[];
  lines: number | undefined; // that the last answer had: they share the budget of points; undefined = not known yet
}

export interface Outcome {
  answer: QueryAnswer;
  shape: Shape;
  lines: Lines | undefined;
  window: Window;
  took: number; // ms until the whole answer was here
}

// So many lines at most will an answer have: one per series, if the query speaks of tags at all.
export function linesAtMost(text: string, tables: TableDetail[]): number {
  const code = text.replace(/'(?:[^']|'')*(?:'|$)/g, "''");
  const every = /\bgroup\s+by\b[^;]*\*/i.test(code);
  const words = new Set(code.match(/[A-Za-z_]\w*|"(?:[^"]|"")+"/g) ?? []);
  const series = tablesIn(text, tables).map((table) => {
    const named = table.columns.some(
      ({ kind, name }) => kind === 'tag' && (words.has(name) || words.has(identifier(name))),
    );
    return named || every ? (table.series ?? 1) : 1;
  });
  return Math.max(1, ...series);
}

export function windowFor({ text, range, tables, lines }: Asked): Window {
  const mentioned = tablesIn(text, tables);
  const spans = (mentioned.length > 0 ? mentioned : tables).flatMap((table) => {
    const from = milliseconds(table.time_min);
    const to = milliseconds(table.time_max);
    return from === undefined || to === undefined ? [] : [{ from, to }];
  });
  const known =
    spans.length === 0
      ? undefined
      : { from: Math.min(...spans.map((s) => s.from)), to: Math.max(...spans.map((s) => s.to)) };
  return windowOf(range, serverNow(), known, pointsFor(window.innerWidth, lines ?? linesAtMost(text, tables)), countsWhole(text));
}

export function ask(asked: Asked, span: Window, signal?: AbortSignal): Promise<QueryAnswer> {
  const { text, language } = asked;
  const params = paramsFor(text, language, span);
  if (language === 'influxql') return runInfluxQl(text, databaseOf(asked), params, signal);
  return runQuery(text, params, signal, ROWS_MAX);
}

export async function run(asked: Asked, signal?: AbortSignal): Promise<Outcome> {
  const span = windowFor(asked);
  const started = performance.now();
  const answer = await ask(asked, span, signal);
  const took = performance.now() - started;
  const buckets = variablesIn(asked.text).has('interval');
  const lines = shapeOf(answer) === 'lines' ? linesOf(answer, buckets ? span.intervalMs : 0) : undefined;
  if (lines === undefined) return { answer, shape: shapeOf(answer), lines, window: span, took };
  // The first answer was coarse, lest it be huge. Where there are fewer lines than there might have been: again, finer.
  // What changes data is sent once.
  const known = { ...asked, lines: linesIn(lines) };
  const finer = buckets && asked.lines === undefined && windowFor(known).intervalMs < span.intervalMs;
  if (finer && !changesData(asked.text)) return run(known, signal);
  if (!buckets && isScattered(lines)) return { answer, shape: 'table', lines: undefined, window: span, took };
  return { answer, shape: 'lines', lines, window: span, took };
}

const EXPLAIN = 'EXPLAIN ANALYZE ';

export async function explain(asked: Asked, signal?: AbortSignal): Promise<string[]> {
  const bare = asked.text.replace(/^\s*explain\s+(analyze\s+)?/i, (prefix) => ' '.repeat(prefix.length));
  try {
    const answer = await ask({ ...asked, text: EXPLAIN + bare }, windowFor(asked), signal);
    return answer.rows.map((row) => String(row[0]));
  } catch (error) {
    if (!(error instanceof ApiError) || error.position === undefined) throw error;
    const position = Math.max(0, error.position - EXPLAIN.length);
    throw new ApiError(error.status, error.code, error.message, position, error.hint);
  }
}

// InfluxQL asks within one database: that of the table it names.
function databaseOf({ text, tables }: Asked): string {
  return tablesIn(text, tables)[0]?.database ?? tables.find((table) => !isOwn(table))?.database ?? 'varve';
}

// What Explore asks the server: the query with its variables filled in, or its plan.
import type { QueryAnswer, TableDetail } from '../shared/api';
import { ApiError, runQuery, serverNow } from '../shared/api';
import { milliseconds } from '../shared/format';
import { isOwn } from '../shared/sql';
import { tablesIn } from './complete';
import { runInfluxQl } from './influx';
import { linesOf } from './series';
import type { Lines } from './series';
import { shapeOf } from './shape';
import type { Shape } from './shape';
import type { Language } from './state';
import { pointsFor, windowOf } from './time';
import type { Range, Window } from './time';
import { countsWhole, paramsFor, variablesIn } from './variables';

export interface Asked {
  text: string;
  language: Language;
  range: Range;
  tables: TableDetail[];
  lines: number; // that the last answer had: they share the budget of points
}

export interface Outcome {
  answer: QueryAnswer;
  shape: Shape;
  lines: Lines | undefined;
  window: Window;
  took: number; // ms until the whole answer was here
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
  return windowOf(range, serverNow(), known, pointsFor(window.innerWidth, lines), countsWhole(text));
}

export function ask(asked: Asked, span: Window, signal?: AbortSignal): Promise<QueryAnswer> {
  const { text, language } = asked;
  const params = paramsFor(text, language, span);
  if (language === 'influxql') return runInfluxQl(text, databaseOf(asked), params, signal);
  return runQuery(text, params, signal);
}

export async function run(asked: Asked, signal?: AbortSignal): Promise<Outcome> {
  const span = windowFor(asked);
  const started = performance.now();
  const answer = await ask(asked, span, signal);
  const took = performance.now() - started;
  const shape = shapeOf(answer);
  const step = variablesIn(asked.text).has('interval') ? span.intervalMs : 0;
  return { answer, shape, lines: shape === 'lines' ? linesOf(answer, step) : undefined, window: span, took };
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

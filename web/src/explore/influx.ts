// InfluxQL over /query: its answers and errors in the words of the rest of the page.
import type { Cell, Params, QueryAnswer } from '../shared/api';
import { ApiError, fetchText, QUERY_TIMEOUT_MS, refusal } from '../shared/api';

// InfluxQL has no parameter for the most rows an answer may have; some 200,000 rows.
const ANSWER_BYTES_MAX = 32 << 20;

interface InfluxSeries {
  name?: string;
  tags?: Record<string, string>;
  columns?: string[];
  values?: Cell[][];
}

export interface InfluxAnswer {
  results?: { series?: InfluxSeries[]; error?: string; partial?: boolean }[];
}

export async function runInfluxQl(
  text: string,
  database: string,
  params: Params,
  signal?: AbortSignal,
): Promise<QueryAnswer> {
  const started = performance.now();
  const [response, body] = await fetchText({
    path: 'query',
    timeoutMs: QUERY_TIMEOUT_MS,
    signal,
    form: { q: text, db: database, params: JSON.stringify(params) },
    bytesMax: ANSWER_BYTES_MAX,
  });
  if (!response.ok) throw placed(refusal(response.status, body), text);
  const answer = JSON.parse(body) as InfluxAnswer;
  const error = answer.results?.find((result) => result.error !== undefined)?.error;
  if (error !== undefined) throw placed(new ApiError(400, 'influxql', error), text);
  return { ...flatten(answer), stats: { elapsed_ms: performance.now() - started } };
}

// "... at line 1, char 8" as a position to underline.
export function placed(error: ApiError, text: string): ApiError {
  const found = /at line (\d+), char (\d+)/.exec(error.message);
  if (found === null) return error;
  const lines = text.split('\n').slice(0, Number(found[1]) - 1);
  const start = lines.reduce((sum, line) => sum + line.length + 1, 0);
  const position = Math.min(text.length, Math.max(0, start + Number(found[2]) - 1));
  return new ApiError(error.status, error.code, error.message, position, error.hint);
}

// One table of all series: time, the tags that tell them apart, the columns.
export function flatten(answer: InfluxAnswer): QueryAnswer {
  const series = (answer.results ?? []).flatMap((result) => result.series ?? []);
  const several = new Set(series.map((one) => one.name)).size > 1;
  const tags = [...new Set(series.flatMap((one) => Object.keys(one.tags ?? {})))];
  const columns = [...new Set(series.flatMap((one) => one.columns ?? []))];
  const names = [...(several ? ['measurement'] : []), ...tags, ...columns.filter((name) => name !== 'time')];
  const hasTime = columns.includes('time');
  const rows: Cell[][] = [];
  for (const one of series) {
    const at = new Map((one.columns ?? []).map((name, i) => [name, i]));
    for (const values of one.values ?? []) {
      const cell = (name: string): Cell => {
        const index = at.get(name);
        return (index === undefined ? undefined : values[index]) ?? null;
      };
      const row: Cell[] = hasTime ? [cell('time')] : [];
      if (several) row.push(one.name ?? null);
      for (const tag of tags) row.push(one.tags?.[tag] ?? cell(tag));
      for (const name of columns) if (name !== 'time' && !tags.includes(name)) row.push(cell(name));
      rows.push(row);
    }
  }
  const unique = names.filter((name, i) => names.indexOf(name) === i);
  const typed = [...(hasTime ? ['time'] : []), ...unique].map((name, i) => ({
    name,
    type: name === 'time' && hasTime ? 'timestamp' : typeOf(rows, i, tags.includes(name)),
  }));
  return { columns: typed, rows, row_count: rows.length };
}

function typeOf(rows: Cell[][], column: number, tag: boolean): string {
  if (tag) return 'string';
  const sample = rows.find((row) => row[column] !== null && row[column] !== undefined)?.[column];
  return typeof sample === 'number' ? 'double' : typeof sample === 'boolean' ? 'bool' : 'string';
}

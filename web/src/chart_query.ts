// What to ask for a chart, and how the answer becomes lines.
import type { Cell, QueryAnswer } from './api';

export interface Range {
  id: string;
  label: string;
  seconds: number | undefined; // undefined: all data
  refreshMs: number;
}

export const RANGES: readonly Range[] = [
  { id: '5m', label: '5 min', seconds: 300, refreshMs: 1_000 },
  { id: '15m', label: '15 min', seconds: 900, refreshMs: 2_000 },
  { id: '1h', label: '1 h', seconds: 3_600, refreshMs: 2_000 },
  { id: '6h', label: '6 h', seconds: 21_600, refreshMs: 5_000 },
  { id: '24h', label: '24 h', seconds: 86_400, refreshMs: 10_000 },
  { id: 'all', label: 'All data', seconds: undefined, refreshMs: 5_000 },
];

// More lines than this cannot be told apart by colour.
export const SERIES_MAX = 6;
// Points per line: about one per 3 px of a wide chart.
const POINTS_TARGET = 300;
// A silence this many times the usual step is drawn as a gap.
const GAP_STEPS = 5;

// Bucket widths in seconds that divide a minute, an hour or a day; then weeks.
const BUCKETS: readonly [number, string][] = [
  [1, '1s'],
  [2, '2s'],
  [5, '5s'],
  [10, '10s'],
  [15, '15s'],
  [30, '30s'],
  [60, '1m'],
  [120, '2m'],
  [300, '5m'],
  [600, '10m'],
  [900, '15m'],
  [1_800, '30m'],
  [3_600, '1h'],
  [7_200, '2h'],
  [10_800, '3h'],
  [21_600, '6h'],
  [43_200, '12h'],
  [86_400, '1d'],
  [172_800, '2d'],
  [604_800, '7d'],
  [2_419_200, '28d'],
];

export interface Bucket {
  seconds: number;
  sql: string;
}

export function bucketFor(rangeSeconds: number): Bucket {
  const wanted = rangeSeconds / POINTS_TARGET;
  const found = BUCKETS.find(([seconds]) => seconds >= wanted);
  if (found) return { seconds: found[0], sql: found[1] };
  const days = Math.ceil(wanted / 86_400); // centuries of data
  return { seconds: days * 86_400, sql: `${days}d` };
}

export interface ChartRequest {
  table: string;
  field: string | undefined; // undefined: count rows
  tag: string | undefined;
  range: Range;
  bucket: Bucket;
}

export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function inRange(range: Range): string[] {
  if (range.seconds === undefined) return [];
  return [`time > now() - INTERVAL '${range.seconds / 60} minutes'`];
}

function where(conditions: string[]): string {
  return conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`;
}

// The tag values with the most rows in the range: the lines to draw, and one more to know if there are more.
export function topSql({ table, tag, range }: ChartRequest & { tag: string }): string {
  const by = identifier(tag);
  return (
    `SELECT ${by}, count(*) AS n FROM ${identifier(table)}${where(inRange(range))}` +
    ` GROUP BY ${by} ORDER BY n DESC LIMIT ${SERIES_MAX + 1}`
  );
}

export function chartSql({ table, field, tag, range, bucket }: ChartRequest, tagValues: string[]): string {
  const value = field === undefined ? 'count(*)' : `avg(${identifier(field)})`;
  const by = tag === undefined ? '' : `, ${identifier(tag)}`;
  const conditions = inRange(range);
  if (tag !== undefined) conditions.push(`${identifier(tag)} IN (${tagValues.map(literal).join(', ')})`);
  return (
    `SELECT time_bucket('${bucket.sql}', time) AS t, ${value} AS v${by} FROM ${identifier(table)}` +
    `${where(conditions)} GROUP BY t${by} ORDER BY t`
  );
}

type Values = (number | null | undefined)[];

// Lines over one time axis (ms). null is a gap; undefined is another line's time, where the pen goes on.
export interface Lines {
  names: string[];
  times: number[];
  values: Values[];
}

function milliseconds(cell: Cell | undefined): number {
  return typeof cell === 'number' ? cell : Date.parse(String(cell));
}

// Where a line is silent for long: the times at which to lift the pen.
function gapsIn(times: number[], bucketMs: number): number[] {
  const steps = times.slice(1).map((time, i) => time - times[i]!);
  const usual = [...steps].sort((a, b) => a - b)[Math.floor(steps.length / 2)] ?? bucketMs;
  const allowed = Math.max(usual, bucketMs) * GAP_STEPS;
  return steps.flatMap((step, i) => (step > allowed ? [times[i]! + step / 2] : []));
}

export function linesOf(answer: QueryAnswer, request: ChartRequest, tagValues: string[], now: number): Lines {
  const names = request.tag === undefined ? [request.field ?? 'rows'] : tagValues;
  const bucketMs = request.bucket.seconds * 1000;
  const start = request.range.seconds === undefined ? undefined : now - request.range.seconds * 1000;
  const points = names.map(() => new Map<number, number | null>());
  const lineOf = new Map(names.map((name, i) => [name, i]));
  for (const row of answer.rows) {
    const time = milliseconds(row[0]);
    const line = points[request.tag === undefined ? 0 : (lineOf.get(String(row[2])) ?? -1)];
    if (line === undefined || Number.isNaN(time)) continue;
    // A count of half a bucket is no count: leave out the two at the edges of a moving window.
    const cut = start !== undefined && request.field === undefined && (time < start || time + bucketMs > now);
    if (!cut && typeof row[1] === 'number') line.set(time, row[1]);
  }
  for (const line of points) {
    for (const gap of gapsIn(
      [...line.keys()].sort((a, b) => a - b),
      bucketMs,
    ))
      line.set(gap, null);
  }
  const times = [...new Set(points.flatMap((line) => [...line.keys()]))].sort((a, b) => a - b);
  return { names, times, values: points.map((line) => times.map((time) => line.get(time))) };
}

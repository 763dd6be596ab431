// Ranges of time, what they are now, and the bucket that fits them. Times are ms since the epoch, UTC.

export type Range =
  | { kind: 'last'; seconds: number }
  | { kind: 'between'; from: number; to: number }
  | { kind: 'all' };

export interface Window {
  from: number;
  to: number;
  interval: string; // as SQL writes it: 5s, 1m, 12h
  intervalMs: number;
}

export const PRESETS: readonly { id: string; label: string; seconds: number }[] = [
  { id: '5m', label: '5 min', seconds: 300 },
  { id: '15m', label: '15 min', seconds: 900 },
  { id: '1h', label: '1 h', seconds: 3_600 },
  { id: '6h', label: '6 h', seconds: 21_600 },
  { id: '24h', label: '24 h', seconds: 86_400 },
  { id: '7d', label: '7 d', seconds: 604_800 },
];

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

// All lines of a chart together: a wide screen's pixels many times over, and a browser still redraws it at once
// (measured: 1,000 lines of 100 points in 60 ms).
export const POINTS_MAX = 100_000;
const POINTS_PER_LINE_MIN = 10;
// Rows of an answer at most, whatever the query: 15 MB of JSON, which a browser reads in a second or two (guessed).
export const ROWS_MAX = 200_000;
// The picture of data that has just begun is at least this wide.
const SPAN_MIN_MS = 60_000;
// "All" of a table with a stray reading from the year 1700 is still a chart; times past this are no dates in JS.
const DATE_MS_MAX = 8.64e15;

// The width of the bucket that cuts `seconds` into at most `points`.
export function bucketFor(seconds: number, points: number): { seconds: number; sql: string } {
  const wanted = seconds / points;
  const found = BUCKETS.find(([width]) => width >= wanted);
  if (found) return { seconds: found[0], sql: found[1] };
  const days = Math.ceil(wanted / 86_400); // centuries of data
  return { seconds: days * 86_400, sql: `${days}d` };
}

// Points per line for a screen this wide, where so many lines share the budget.
export function pointsFor(screenPx: number, lines: number): number {
  const wanted = screenPx < 600 ? 150 : screenPx < 1600 ? 300 : 600;
  return Math.max(POINTS_PER_LINE_MIN, Math.min(wanted, Math.floor(POINTS_MAX / Math.max(1, lines))));
}

// What `range` is at `now`. `known` is what the data spans. Whole buckets: a count of half a bucket is no count.
export function windowOf(
  range: Range,
  now: number,
  known: { from: number; to: number } | undefined,
  points: number,
  wholeBuckets = false,
): Window {
  let from: number;
  let to: number;
  if (range.kind === 'last') {
    to = now;
    from = now - range.seconds * 1000;
  } else if (range.kind === 'between') {
    ({ from, to } = range);
  } else {
    from = known?.from ?? now - 86_400_000;
    to = (known?.to ?? now) + 1; // the end is not part of the window
  }
  if (to - from < 1) to = from + 1;
  const bucket = bucketFor((to - from) / 1000, points);
  const intervalMs = bucket.seconds * 1000;
  from = Math.floor(from / intervalMs) * intervalMs;
  if (wholeBuckets && range.kind === 'last') to = Math.floor(to / intervalMs) * intervalMs;
  if (range.kind === 'all') to = Math.max(to, from + SPAN_MIN_MS);
  return { from, to, interval: bucket.sql, intervalMs };
}

export function zoomed(window: { from: number; to: number }, factor: number): Range {
  const middle = (window.from + window.to) / 2;
  const half = Math.max(500, ((window.to - window.from) * factor) / 2);
  return between(middle - half, middle + half);
}

export function moved(window: { from: number; to: number }, share: number): Range {
  const by = (window.to - window.from) * share;
  return between(window.from + by, window.to + by);
}

export function between(from: number, to: number): Range {
  const clamp = (ms: number): number => Math.max(-DATE_MS_MAX, Math.min(DATE_MS_MAX, Math.round(ms)));
  const [a, b] = from <= to ? [from, to] : [to, from];
  return { kind: 'between', from: clamp(a), to: clamp(Math.max(b, a + 1)) };
}

const UNITS: Record<string, number> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800 };

// "90s", "6h", "all", or "FROM..TO" with RFC 3339 times; undefined when it is none of them.
export function parseRange(text: string): Range | undefined {
  if (text === 'all') return { kind: 'all' };
  const last = /^(\d{1,9})([smhdw])$/.exec(text);
  if (last) {
    const seconds = Number(last[1]) * UNITS[last[2]!]!;
    return seconds > 0 ? { kind: 'last', seconds } : undefined;
  }
  const [from, to] = text.split('..').map((part) => Date.parse(part));
  if (from === undefined || to === undefined || Number.isNaN(from) || Number.isNaN(to)) return undefined;
  return from < to ? { kind: 'between', from, to } : undefined;
}

export function rangeText(range: Range): string {
  if (range.kind === 'all') return 'all';
  if (range.kind === 'between')
    return `${new Date(range.from).toISOString()}..${new Date(range.to).toISOString()}`;
  const preset = PRESETS.find((one) => one.seconds === range.seconds);
  return preset?.id ?? durationText(range.seconds);
}

export function durationText(seconds: number): string {
  const unit = ['w', 'd', 'h', 'm', 's'].find((name) => seconds % UNITS[name]! === 0 && seconds >= UNITS[name]!);
  return unit === undefined ? '0s' : `${seconds / UNITS[unit]!}${unit}`;
}

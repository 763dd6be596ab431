// The part of varve's HTTP contract that this page uses.
// Times in query answers are asked for in ms since the epoch where the page computes with them.
// Errors: every call throws ApiError (the server answered no) or UnreachableError (nobody answered).

export interface Partition {
  topic: string;
  partition: number;
  next_offset?: number;
  high_watermark?: number;
  lag?: number; // absent or negative: not known yet
  last_event_time?: string | null;
}

export interface Source {
  name: string;
  kind?: string;
  state?: string; // running | connecting | paused | halted
  detail?: string;
  partitions?: Partition[];
}

export interface Mirror {
  name: string;
  url?: string;
  state?: string; // ok | retrying | held
  backlog_rows?: number;
  backlog_bytes?: number;
  last_error?: string;
}

// An older or newer server may leave any part out.
export interface Status {
  version?: string;
  uptime_seconds?: number;
  ready?: boolean;
  ingest?: { rows_total?: number; bytes_total?: number; rejected_total?: number; sources?: Source[] };
  wal?: { bytes?: number; files?: number; last_lsn?: number; durable_lsn?: number };
  segments?: { count?: number; bytes?: number };
  memtable?: { rows?: number; bytes?: number };
  mirrors?: Mirror[];
  quarantine?: { rows_total?: number };
}

export interface TableInfo {
  name: string;
  database?: string;
  rows?: number;
  bytes?: number;
  series?: number;
  time_min?: string | number | null;
  time_max?: string | number | null;
}

export interface Column {
  name: string;
  kind: 'time' | 'tag' | 'field';
  type: string; // timestamp | double | int64 | bool | string
}

export type Cell = string | number | boolean | null;

export interface QueryAnswer {
  columns: { name: string; type: string }[];
  rows: Cell[][];
  row_count?: number;
  stats?: { elapsed_ms?: number; engine?: string; rows_scanned?: number };
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly position?: number, // 0-based offset into the SQL text
    readonly hint?: string,
  ) {
    super(message);
  }
}

export class UnreachableError extends Error {}

// A status answer is small: past this the server is as good as away.
const STATUS_TIMEOUT_MS = 10_000;
// The server's own default deadline is 30 s; it should be the one to say so.
const QUERY_TIMEOUT_MS = 60_000;

// How far the server's clock is ahead of ours, from its Date header; corrects the chart's right edge.
let clockOffsetMs = 0;
export function serverNow(): number {
  return Date.now() + clockOffsetMs;
}

async function call<T>(path: string, timeoutMs: number, signal?: AbortSignal, body?: unknown): Promise<T> {
  const limit = AbortSignal.timeout(timeoutMs);
  const init: RequestInit = { cache: 'no-store', signal: signal ? anyOf(signal, limit) : limit };
  if (body !== undefined) {
    init.method = 'POST';
    init.headers = { 'Content-Type': 'application/json' };
    init.body = JSON.stringify(body);
  }
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, document.baseURI), init);
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new UnreachableError(limit.aborted ? `no answer within ${timeoutMs / 1000} s` : 'no connection');
  }
  const date = Date.parse(response.headers.get('Date') ?? '');
  // The header has whole seconds: correct only for a clock that is visibly off.
  if (!Number.isNaN(date)) clockOffsetMs = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    throw new ApiError(
      response.status,
      'not_json',
      `the server answered ${response.status} with something that is not JSON`,
    );
  }
  if (!response.ok) {
    const error = (answer as { error?: Record<string, unknown> } | null)?.error ?? {};
    throw new ApiError(
      response.status,
      String(error.code ?? response.status),
      String(error.message ?? `the server answered ${response.status}`),
      typeof error.position === 'number' ? error.position : undefined,
      typeof error.hint === 'string' && error.hint !== '' ? error.hint : undefined,
    );
  }
  return answer as T;
}

// AbortSignal.any is younger than the browsers we want to serve.
function anyOf(a: AbortSignal, b: AbortSignal): AbortSignal {
  const both = new AbortController();
  for (const signal of [a, b]) {
    if (signal.aborted) both.abort(signal.reason);
    signal.addEventListener('abort', () => both.abort(signal.reason), { once: true });
  }
  return both.signal;
}

export function fetchStatus(signal?: AbortSignal): Promise<Status> {
  return call<Status>('api/v1/status', STATUS_TIMEOUT_MS, signal);
}

export async function fetchTables(signal?: AbortSignal): Promise<TableInfo[]> {
  return (await call<{ tables?: TableInfo[] }>('api/v1/tables', STATUS_TIMEOUT_MS, signal)).tables ?? [];
}

export async function fetchColumns(table: string, signal?: AbortSignal): Promise<Column[]> {
  const path = `api/v1/tables/${encodeURIComponent(table)}`;
  return (await call<{ columns?: Column[] }>(path, STATUS_TIMEOUT_MS, signal)).columns ?? [];
}

export function runQuery(
  sql: string,
  timeFormat: 'rfc3339' | 'ms',
  signal?: AbortSignal,
): Promise<QueryAnswer> {
  const body = { sql, format: 'json', time_format: timeFormat };
  return call<QueryAnswer>('api/v1/query', QUERY_TIMEOUT_MS, signal, body);
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

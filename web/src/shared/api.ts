// The part of varve's HTTP contract that this page uses.
// Errors: every call throws ApiError (the server answered no) or UnreachableError (nobody answered).
import { bearer } from './token';

export interface Partition {
  topic: string;
  partition: number;
  next_offset?: number;
  high_watermark?: number | null;
  lag?: number | null; // null or negative: not known yet
  lag_seconds?: number | null;
  last_event_time?: string | null;
  halted?: string;
}

export interface Source {
  name: string;
  kind?: string;
  state?: string; // running | connecting | paused | halted
  detail?: string;
  messages_total?: number;
  rows_total?: number;
  rejected_total?: number;
  rejected_by_reason?: Record<string, number>;
  partitions?: Partition[];
}

export interface Mirror {
  name: string;
  url?: string;
  state?: string; // ok | retrying | held
  backlog_rows?: number;
  backlog_bytes?: number;
  backlog_seconds?: number;
  rows_sent_total?: number;
  rows_refused_total?: number;
  lost_records_total?: number;
  last_error?: string;
}

// An older or newer server may leave any part out.
export interface Status {
  version?: string;
  uptime_seconds?: number;
  ready?: boolean;
  failed?: boolean;
  read_only_reason?: string;
  disk_free_bytes?: number;
  ingest?: { rows_total?: number; bytes_total?: number; rejected_total?: number; sources?: Source[] };
  wal?: { bytes?: number; files?: number; last_lsn?: number; durable_lsn?: number };
  segments?: { count?: number; bytes?: number };
  compaction?: {
    running_table?: string;
    running_bytes?: number;
    segments_due?: number;
    damaged_segments?: number;
    problem?: string;
    merges_total?: number;
    bytes_read_total?: number;
    bytes_written_total?: number;
  };
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
  retention?: string;
  time_min?: string | number | null;
  time_max?: string | number | null;
}

export interface Column {
  name: string;
  kind: 'time' | 'tag' | 'field';
  type: string; // timestamp | double | int64 | bool | string
}

export type TableDetail = TableInfo & { columns: Column[] };

export type Cell = string | number | boolean | null;
export type Params = Record<string, string | number | boolean>;

export interface QueryAnswer {
  columns: { name: string; type: string }[];
  rows: Cell[][];
  row_count?: number;
  stats?: {
    elapsed_ms?: number;
    engine?: string;
    rows_scanned?: number;
    blocks_decoded?: number;
    blocks_from_statistics?: number;
  };
}

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly position?: number, // 0-based offset into the query's text
    readonly hint?: string,
  ) {
    super(message);
  }
}

export class UnreachableError extends Error {}

// A status answer is small: past this the server is as good as away.
const STATUS_TIMEOUT_MS = 10_000;
// The server's own default deadline is 30 s; it should be the one to say so.
export const QUERY_TIMEOUT_MS = 60_000;

// How far the server's clock is ahead of ours, from its Date header; corrects what "now" is.
let clockOffsetMs = 0;
export function serverNow(): number {
  return Date.now() + clockOffsetMs;
}

function noteClock(response: Response): void {
  const date = Date.parse(response.headers.get('Date') ?? '');
  // The header has whole seconds: correct only for a clock that is visibly off.
  if (!Number.isNaN(date)) clockOffsetMs = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
}

export interface Call {
  path: string;
  timeoutMs: number;
  signal?: AbortSignal | undefined;
  body?: unknown; // JSON, makes it a POST
  form?: Record<string, string>; // form fields, makes it a POST
  bytesMax?: number; // of the answer: past it, ApiError 413
}

async function textOf(response: Response, bytesMax: number | undefined): Promise<string> {
  const reader = bytesMax === undefined ? undefined : response.body?.getReader();
  if (bytesMax === undefined || reader === undefined) return response.text();
  const decoder = new TextDecoder();
  let text = '';
  for (let bytes = 0; ; ) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    bytes += value.length;
    if (bytes > bytesMax) {
      await reader.cancel();
      const size = `${Math.round(bytesMax / 1_048_576)} MiB`;
      throw new ApiError(413, 'too_large', `the answer is larger than ${size}, more than a page shows: narrow it`);
    }
    text += decoder.decode(value, { stream: true });
  }
}

// The bare answer as text. Listeners end with the call: a signal may outlive thousands of calls.
export async function fetchText({ path, timeoutMs, signal, body, form, bytesMax }: Call): Promise<[Response, string]> {
  const stop = new AbortController();
  const stopped = (): void => stop.abort();
  signal?.addEventListener('abort', stopped);
  if (signal?.aborted) stop.abort();
  let late = false;
  const timer = window.setTimeout(() => {
    late = true;
    stop.abort();
  }, timeoutMs);
  const headers: Record<string, string> = { ...bearer() };
  const init: RequestInit = { cache: 'no-store', signal: stop.signal, headers };
  if (body !== undefined || form !== undefined) {
    init.method = 'POST';
    headers['Content-Type'] = form ? 'application/x-www-form-urlencoded' : 'application/json';
    init.body = form ? new URLSearchParams(form).toString() : JSON.stringify(body);
  }
  try {
    const response = await fetch(new URL(path, document.baseURI), init);
    const text = await textOf(response, bytesMax);
    noteClock(response);
    return [response, text];
  } catch (error) {
    if (signal?.aborted || error instanceof ApiError) throw error;
    throw new UnreachableError(late ? `no answer within ${timeoutMs / 1000} s` : 'no connection');
  } finally {
    window.clearTimeout(timer);
    signal?.removeEventListener('abort', stopped);
  }
}

// What a server's "no" says, whatever it is written in.
export function refusal(status: number, text: string): ApiError {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return new ApiError(status, String(status), `the server answered ${status}: ${text.slice(0, 200)}`);
  }
  const error = (answer as { error?: Record<string, unknown> | string } | null)?.error ?? {};
  if (typeof error === 'string') return new ApiError(status, String(status), error);
  return new ApiError(
    status,
    String(error.code ?? status),
    String(error.message ?? `the server answered ${status}`),
    typeof error.position === 'number' ? error.position : undefined,
    typeof error.hint === 'string' && error.hint !== '' ? error.hint : undefined,
  );
}

export async function call<T>(request: Call): Promise<T> {
  const [response, text] = await fetchText(request);
  if (!response.ok) throw refusal(response.status, text);
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new ApiError(
      response.status,
      'not_json',
      `the server answered ${response.status} with something that is not JSON`,
    );
  }
}

export function fetchStatus(signal?: AbortSignal): Promise<Status> {
  return call<Status>({ path: 'api/v1/status', timeoutMs: STATUS_TIMEOUT_MS, signal });
}

export async function fetchTables(signal?: AbortSignal): Promise<TableInfo[]> {
  const answer = await call<{ tables?: TableInfo[] }>({
    path: 'api/v1/tables',
    timeoutMs: STATUS_TIMEOUT_MS,
    signal,
  });
  return answer.tables ?? [];
}

export async function fetchTable(name: string, signal?: AbortSignal): Promise<TableDetail> {
  const path = `api/v1/tables/${encodeURIComponent(name)}`;
  const answer = await call<Partial<TableDetail>>({ path, timeoutMs: STATUS_TIMEOUT_MS, signal });
  return { ...answer, name: answer.name ?? name, columns: answer.columns ?? [] };
}

// `limit`: so many rows are enough, whatever the statement says.
export function runQuery(
  sql: string,
  params: Params = {},
  signal?: AbortSignal,
  limit?: number,
): Promise<QueryAnswer> {
  return call<QueryAnswer>({
    path: 'api/v1/query',
    timeoutMs: QUERY_TIMEOUT_MS,
    signal,
    body: { sql, params, format: 'json', time_format: 'rfc3339', limit },
  });
}

// The whole answer as the server writes CSV.
export async function queryCsv(sql: string, params: Params): Promise<string> {
  const [response, text] = await fetchText({
    path: 'api/v1/query',
    timeoutMs: QUERY_TIMEOUT_MS,
    body: { sql, params, format: 'csv', time_format: 'rfc3339' },
  });
  if (!response.ok) throw refusal(response.status, text);
  return text;
}

export interface RetryAnswer {
  selected?: number;
  retried?: number;
  rows?: number;
  refused?: Record<string, { count?: number; first?: string }>;
  truncated?: number;
  not_retriable?: number;
}

export function retryQuarantine(where: string): Promise<RetryAnswer> {
  return call<RetryAnswer>({
    path: 'api/v1/quarantine/retry',
    timeoutMs: QUERY_TIMEOUT_MS,
    body: where === '' ? {} : { where },
  });
}

export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

// Worth asking again by itself: the server is away, starting or busy. A wrong query stays wrong.
export function passes(error: unknown): boolean {
  return !(error instanceof ApiError) || error.status >= 500 || error.status === 429;
}

// What was refused and kept: by reason, the newest with their payloads, and another try at decoding them.
import { useState } from 'preact/hooks';
import { ApiError, messageOf, retryQuarantine, runQuery } from '../shared/api';
import type { Cell, QueryAnswer, RetryAnswer } from '../shared/api';
import { Failure } from '../shared/failure';
import { count, timeOf, milliseconds } from '../shared/format';
import { usePoll } from '../shared/poll';
import { literal } from '../shared/sql';

const POLL_MS = 5_000;
const ROWS_SHOWN = 50;
const TABLE = 'varve_quarantine';

interface Loaded {
  reasons: { reason: string; rows: number }[];
  rows: Map<string, Cell>[];
}

async function load(signal: AbortSignal): Promise<Loaded> {
  const where = 'WHERE retried = false';
  const reasons = await runQuery(
    `SELECT reason, count(*) AS n FROM ${TABLE} ${where} GROUP BY reason ORDER BY n DESC`,
    {},
    signal,
  );
  const rows = await runQuery(`SELECT * FROM ${TABLE} ${where} ORDER BY time DESC LIMIT ${ROWS_SHOWN}`, {}, signal);
  return {
    reasons: reasons.rows.map((row) => ({ reason: String(row[0]), rows: Number(row[1]) })),
    rows: rows.rows.map((row) => asMap(rows, row)),
  };
}

function asMap(answer: QueryAnswer, row: Cell[]): Map<string, Cell> {
  return new Map(answer.columns.map((column, i) => [column.name, row[i] ?? null]));
}

export function Quarantine({ rows, connected }: { rows: number; connected: boolean }) {
  const [tries, setTries] = useState(0);
  const [said, setSaid] = useState<string>();
  const [busy, setBusy] = useState(false);
  const polled = usePoll(rows > 0 && connected ? `quarantine ${tries}` : undefined, POLL_MS, load);
  const retry = async (where: string): Promise<void> => {
    setBusy(true);
    try {
      setSaid(wordsOf(await retryQuarantine(where)));
      setTries((n) => n + 1);
    } catch (error) {
      const forbidden = error instanceof ApiError && error.status === 403;
      setSaid(forbidden ? `Not with this token: ${messageOf(error)}.` : `The retry failed: ${messageOf(error)}`);
    } finally {
      setBusy(false);
    }
  };
  const { data, error } = polled;
  return (
    <section class="panel" aria-labelledby="quarantine-title">
      <h2 id="quarantine-title">Quarantine</h2>
      {rows === 0 && <p class="quiet">Nothing was refused: every message could be decoded and stored.</p>}
      <p role="status" id="retry-said">
        {said}
      </p>
      {error !== undefined && <Failure error={error} />}
      {data !== undefined && data.rows.length === 0 && <p class="quiet">All that was refused has been retried.</p>}
      {data !== undefined && data.rows.length > 0 && (
        <>
          <ul class="reasons" id="reasons">
            {data.reasons.map(({ reason, rows: n }) => (
              <li key={reason}>
                <strong>{count(n)}</strong> {reason.replaceAll('_', ' ')}{' '}
                <button
                  type="button"
                  class="small"
                  disabled={busy}
                  onClick={() => void retry(`reason = ${literal(reason)}`)}
                >
                  Retry <span class="visually-hidden">all of {reason.replaceAll('_', ' ')}</span>
                </button>
              </li>
            ))}
            <li>
              <button type="button" class="small" disabled={busy} onClick={() => void retry('')}>
                Retry all
              </button>
            </li>
          </ul>
          <ul class="refused" id="refused">
            {data.rows.map((row) => (
              <Refused key={String(row.get('time'))} row={row} busy={busy} onRetry={(where) => void retry(where)} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}

interface RefusedProps {
  row: Map<string, Cell>;
  busy: boolean;
  onRetry: (where: string) => void;
}

function Refused({ row, busy, onRetry }: RefusedProps) {
  const text = (name: string): string => String(row.get(name) ?? '');
  const payload = text('payload') || text('payload_base64');
  const place = text('topic') === '' ? text('source') : `${text('topic')}/${text('partition')} at ${text('offset')}`;
  return (
    <li>
      <details>
        <summary>
          <span class="time">{timeOf(milliseconds(text('time')))}</span> <strong>{text('reason').replaceAll('_', ' ')}</strong>{' '}
          <span class="quiet">{place}</span>
        </summary>
        <p>{text('detail')}</p>
        <pre tabIndex={0} aria-label="Payload">
          {payload === '' ? '(empty)' : payload}
        </pre>
        {row.get('truncated') === true ? (
          <p class="quiet">Its payload was too long to keep whole: it cannot be retried.</p>
        ) : (
          <button type="button" class="small" disabled={busy} onClick={() => onRetry(`time = ${literal(text('time'))}`)}>
            Retry this one
          </button>
        )}
      </details>
    </li>
  );
}

function wordsOf(answer: RetryAnswer): string {
  const parts = [`${count(answer.retried ?? 0)} of ${count(answer.selected ?? 0)} decoded, ${count(answer.rows ?? 0)} rows stored`];
  for (const [reason, { count: n, first }] of Object.entries(answer.refused ?? {}))
    parts.push(`${count(n)} refused again (${reason.replaceAll('_', ' ')}${first ? `: ${first}` : ''})`);
  if (answer.truncated) parts.push(`${count(answer.truncated)} were kept only in part`);
  if (answer.not_retriable) parts.push(`${count(answer.not_retriable)} cannot be retried`);
  return `${parts.join('; ')}.`;
}

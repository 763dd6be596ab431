// The SQL box: a query in, a table or a clear error out.
import { useEffect, useRef, useState } from 'preact/hooks';
import { ApiError, messageOf, runQuery } from './api';
import type { Cell, QueryAnswer } from './api';
import { count } from './format';

// Rows put on the page; a browser gets slow with more, and nobody reads them.
const ROWS_SHOWN = 500;

interface Props {
  sql: string;
  onSql: (sql: string) => void;
}

type Outcome =
  | { kind: 'none' }
  | { kind: 'running' }
  | { kind: 'answer'; answer: QueryAnswer }
  | { kind: 'error'; error: unknown; sql: string };

export function QueryPanel({ sql, onSql }: Props) {
  const [outcome, setOutcome] = useState<Outcome>({ kind: 'none' });
  const running = useRef<AbortController>();
  useEffect(() => () => running.current?.abort(), []);

  const run = async (): Promise<void> => {
    running.current?.abort();
    if (sql.trim() === '') return;
    const mine = new AbortController();
    running.current = mine;
    setOutcome({ kind: 'running' });
    try {
      const answer = await runQuery(sql, 'rfc3339', mine.signal);
      if (running.current === mine) setOutcome({ kind: 'answer', answer });
    } catch (error) {
      if (running.current === mine)
        setOutcome(mine.signal.aborted ? { kind: 'none' } : { kind: 'error', error, sql });
    }
  };

  return (
    <section class="panel" aria-labelledby="query-title">
      <h2 id="query-title">SQL</h2>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <textarea
          id="sql"
          aria-label="SQL query"
          rows={3}
          spellcheck={false}
          autocapitalize="off"
          autocomplete="off"
          value={sql}
          onInput={(event) => onSql(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) {
              event.preventDefault();
              void run();
            }
          }}
        />
        <div class="actions">
          {outcome.kind === 'running' ? (
            <button type="button" class="main" onClick={() => running.current?.abort()}>
              Stop
            </button>
          ) : (
            <button type="submit" class="main">
              Run
            </button>
          )}
          <span class="quiet keys">Ctrl + Enter</span>
          <span class="quiet" role="status">
            {outcome.kind === 'running' && 'Running…'}
            {outcome.kind === 'answer' && summary(outcome.answer)}
          </span>
        </div>
      </form>
      {outcome.kind === 'error' && <QueryError error={outcome.error} sql={outcome.sql} />}
      {outcome.kind === 'answer' && <ResultTable answer={outcome.answer} />}
    </section>
  );
}

function summary(answer: QueryAnswer): string {
  const rows = answer.row_count ?? answer.rows.length;
  const parts = [rows === 1 ? '1 row' : `${count(rows)} rows`];
  if (answer.rows.length > ROWS_SHOWN) parts.push(`the first ${ROWS_SHOWN} shown`);
  if (answer.stats?.elapsed_ms !== undefined)
    parts.push(`${Number(answer.stats.elapsed_ms.toPrecision(3))} ms`);
  if (answer.stats?.rows_scanned !== undefined)
    parts.push(`${count(answer.stats.rows_scanned)} rows scanned`);
  return parts.join(', ');
}

function QueryError({ error, sql }: { error: unknown; sql: string }) {
  const position = error instanceof ApiError ? error.position : undefined;
  return (
    <div class="failure" role="alert" id="query-error">
      <p>
        <strong>{messageOf(error)}</strong> {error instanceof ApiError && <code>{error.code}</code>}
      </p>
      {position !== undefined && position >= 0 && position <= sql.length && (
        <pre>
          {sql.slice(0, position)}
          <mark>{sql.slice(position, position + 1).trim() === '' ? '▲' : sql[position]}</mark>
          {sql.slice(position + 1)}
        </pre>
      )}
      {error instanceof ApiError && error.hint !== undefined && <p>{error.hint}</p>}
    </div>
  );
}

function text(cell: Cell | undefined): string {
  return typeof cell === 'string' ? cell : String(cell);
}

function ResultTable({ answer }: { answer: QueryAnswer }) {
  if (answer.columns.length === 0) return null;
  const numeric = answer.columns.map((column) => column.type === 'double' || column.type === 'int64');
  return (
    <div class="scroll result" tabIndex={0} role="region" aria-label="Result, scrollable">
      <table id="result">
        <thead>
          <tr>
            {answer.columns.map((column, i) => (
              <th scope="col" class={numeric[i] ? 'num' : ''} title={column.type} key={i}>
                {column.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.rows.slice(0, ROWS_SHOWN).map((row, i) => (
            <tr key={i}>
              {row.map((cell, j) => (
                <td class={cell === null ? 'null' : numeric[j] ? 'num' : ''} key={j}>
                  {text(cell)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
      {answer.rows.length === 0 && <p class="quiet">No rows.</p>}
    </div>
  );
}

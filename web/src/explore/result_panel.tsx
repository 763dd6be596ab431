// The answer: its picture by shape, or its table, plan or error.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { messageOf } from '../shared/api';
import { count } from '../shared/format';
import { ROWS_MAX } from './time';
import { Failure } from '../shared/failure';
import { Bars, Figures } from './bars';
import { LineChart } from './line_chart';
import { PlanView } from './plan_view';
import { ResultTable } from './result_table';
import type { Outcome } from './run';
import type { ExploreState } from './state';

interface Props {
  asked: ExploreState;
  text: string;
  outcome: Outcome | undefined;
  error: unknown;
  errorText: string;
  plan: string[] | undefined;
  busy: boolean;
  waits: boolean; // for a person to send it
  follows: boolean; // the query uses the range
  onAsTable: (asTable: boolean) => void;
  onZoom: (from: number, to: number) => void;
  onAll: () => void;
  onCsv: () => Promise<void>;
  onClosePlan: () => void;
  children: ComponentChildren; // the range picker
}

function summary({ answer, took }: Outcome): string {
  const rows = answer.row_count ?? answer.rows.length;
  const parts = [rows === 1 ? '1 row' : `${count(rows)} rows`];
  const ms = answer.stats?.elapsed_ms ?? took;
  parts.push(`${Number(ms.toPrecision(3))} ms`);
  if (answer.stats?.rows_scanned !== undefined) parts.push(`${count(answer.stats.rows_scanned)} rows scanned`);
  return parts.join(', ');
}

export function ResultPanel(props: Props) {
  const { asked, outcome, error, plan, busy, children } = props;
  const [problem, setProblem] = useState<string>();
  const csv = (): void => {
    setProblem(undefined);
    props.onCsv().catch((failure: unknown) => setProblem(messageOf(failure)));
  };
  const pictured = outcome !== undefined && outcome.shape !== 'table';
  return (
    <section class="panel answer" aria-labelledby="answer-title" aria-busy={busy}>
      <h2 id="answer-title" class="visually-hidden">
        Result
      </h2>
      {children}
      {error !== undefined && <Failure error={error} text={props.errorText} id="query-error" />}
      {plan !== undefined ? (
        <>
          <p class="under">
            <span>The plan of the query, run once to measure it</span>
            <button type="button" class="link" onClick={props.onClosePlan}>
              Back to the result
            </button>
          </p>
          <PlanView lines={plan} />
        </>
      ) : (
        <Body {...props} />
      )}
      {outcome !== undefined && outcome.answer.rows.length === ROWS_MAX && plan === undefined && (
        <p class="quiet" id="cut">
          These are the first {count(ROWS_MAX)} rows. Narrow the query, or let the server make fewer of them:{' '}
          <code>SELECT time_bucket($interval, time) AS t, avg(…) … GROUP BY t</code>
        </p>
      )}
      <div class="under">
        <span role="status" id="summary">
          {outcome === undefined ? (error === undefined && !props.waits ? 'Running…' : '') : summary(outcome)}
          {outcome?.lines !== undefined && props.follows && `, one point per ${outcome.window.interval}`}
        </span>
        <span class="tools">
          {pictured && plan === undefined && (
            <button
              type="button"
              class="small"
              aria-pressed={asked.asTable}
              onClick={() => props.onAsTable(!asked.asTable)}
            >
              {asked.asTable ? 'Show chart' : 'Show table'}
            </button>
          )}
          {outcome !== undefined && (
            <button type="button" class="small" onClick={csv}>
              CSV
            </button>
          )}
          {problem !== undefined && (
            <span class="error" role="alert">
              {problem}
            </span>
          )}
        </span>
      </div>
    </section>
  );
}

function Body({ asked, outcome, error, follows, text, waits, onZoom, onAll }: Props) {
  if (waits) return <p class="plot message">This statement changes data. It is sent when you press Run, and only then.</p>;
  if (outcome === undefined) {
    return error === undefined ? <p class="plot message">Loading…</p> : null;
  }
  const { answer, shape, lines, window } = outcome;
  if (answer.rows.length === 0 && follows) {
    return (
      <div class="plot message" id="chart-empty">
        <p>Nothing in this range.</p>
        {asked.range?.kind !== 'all' && (
          <button type="button" class="small" onClick={onAll}>
            Show all data
          </button>
        )}
      </div>
    );
  }
  if (asked.asTable || shape === 'table') return <ResultTable answer={answer} />;
  if (shape === 'bars') return <Bars answer={answer} />;
  if (shape === 'figures') return <Figures answer={answer} />;
  const label = `Chart of ${lines!.names.length} ${lines!.names.length === 1 ? 'line' : 'lines'}: ${text}`;
  return <LineChart lines={lines!} window={window} fixed={follows} label={label} onZoom={onZoom} />;
}

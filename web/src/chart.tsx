// The chart panel: which table, field, tag and range; the lines; and their names with values.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { fetchColumns, messageOf, runQuery, serverNow } from './api';
import type { Column, TableInfo } from './api';
import { bucketFor, chartSql, linesOf, RANGES, SERIES_MAX, topSql } from './chart_query';
import type { ChartRequest, Lines, Range } from './chart_query';
import { count, milliseconds, reading, timeOf } from './format';
import { Plot } from './plot';
import { usePoll } from './poll';

// New columns appear with the rows that bring them: look again this often.
const COLUMNS_MS = 10_000;
// Choices of the field and tag selects that are no column; a column cannot have an empty name.
const ROW_COUNT = '';
const NO_SPLIT = '';
const DEFAULT_RANGE = RANGES[1]!;
const ALL_DATA = RANGES.at(-1)!;
// The picture of a table that has just begun is at least this wide.
const SPAN_MIN_MS = 60_000;

interface Props {
  tables: TableInfo[];
  table: TableInfo;
  connected: boolean;
  onTable: (name: string) => void;
  onSql: (sql: string) => void;
}

interface Answer {
  lines: Lines;
  from: number;
  to: number;
  sql: string;
  more: boolean; // there are more tag values than lines
}

function isNumeric(column: Column): boolean {
  return column.kind === 'field' && (column.type === 'double' || column.type === 'int64');
}

// A table whose last reading is old shows all it has instead of an empty window.
function firstRange(table: TableInfo): Range {
  const last = milliseconds(table.time_max);
  return last !== undefined && last < serverNow() - DEFAULT_RANGE.seconds! * 1000 ? ALL_DATA : DEFAULT_RANGE;
}

async function load(request: ChartRequest, signal: AbortSignal): Promise<Answer> {
  const { tag, range } = request;
  let tagValues: string[] = [];
  if (tag !== undefined) {
    const top = await runQuery(topSql({ ...request, tag }), 'ms', signal);
    tagValues = top.rows.flatMap((row) => (row[0] === null || row[0] === undefined ? [] : [String(row[0])]));
  }
  const shown = tagValues.slice(0, SERIES_MAX).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const grouped = shown.length > 0 ? request : { ...request, tag: undefined };
  const sql = chartSql(grouped, shown);
  const answer = await runQuery(sql, 'ms', signal);
  const now = serverNow();
  const lines = linesOf(answer, grouped, shown, now);
  const first = lines.times[0] ?? now;
  const last = lines.times.at(-1) ?? now;
  const live = range.seconds !== undefined;
  const to = live ? now : Math.max(last, first + SPAN_MIN_MS);
  const from = live ? Math.min(Math.max(now - range.seconds! * 1000, first), now - SPAN_MIN_MS) : first;
  return { lines, from, to, sql, more: tagValues.length > shown.length };
}

export function ChartPanel({ tables, table, connected, onTable, onSql }: Props) {
  const [field, setField] = useState<string>();
  const [tag, setTag] = useState(NO_SPLIT);
  const [range, setRange] = useState<Range>(() => firstRange(table));
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [cursor, setCursor] = useState<number>();

  useEffect(() => {
    setField(undefined);
    setTag(NO_SPLIT);
    setRange(firstRange(table));
  }, [table.name]);
  useEffect(() => setHidden(new Set()), [table.name, tag]);

  const columns = usePoll(connected ? `columns of ${table.name}` : undefined, COLUMNS_MS, (signal) =>
    fetchColumns(table.name, signal),
  );
  // While the server is away the last known columns stay in the selects.
  const [known, setKnown] = useState<{ table: string; columns: Column[] }>();
  useEffect(() => {
    if (columns.data !== undefined) setKnown({ table: table.name, columns: columns.data });
  }, [columns.data]);
  const current = known?.table === table.name ? known.columns : undefined;
  const fields = (current ?? []).filter(isNumeric).map((column) => column.name);
  const tags = (current ?? []).filter((column) => column.kind === 'tag').map((column) => column.name);
  const chosenField = field ?? fields[0] ?? ROW_COUNT;

  const first = milliseconds(table.time_min);
  const last = milliseconds(table.time_max);
  const spanSeconds =
    range.seconds ?? (first === undefined || last === undefined ? 86_400 : (last - first) / 1000);
  const bucket = bucketFor(spanSeconds);
  const request: ChartRequest = {
    table: table.name,
    field: chosenField === ROW_COUNT ? undefined : chosenField,
    tag: tag === NO_SPLIT ? undefined : tag,
    range,
    bucket,
  };
  const choice = JSON.stringify([table.name, chosenField, tag, range.id]);
  const key = current === undefined ? undefined : `${choice} ${bucket.sql}`;
  const polled = usePoll(connected ? key : undefined, range.refreshMs, (signal) => load(request, signal));
  // The picture stays while the server is away and while a wider bucket is asked for.
  const [kept, setKept] = useState<{ choice: string; answer: Answer }>();
  useEffect(() => {
    if (polled.data !== undefined) setKept({ choice, answer: polled.data });
  }, [polled.data]);
  const answer = kept?.choice === choice ? kept.answer : undefined;

  const toggle = (name: string): void => {
    const next = new Set(hidden);
    if (!next.delete(name)) next.add(name);
    setHidden(next);
  };

  const what = chosenField === ROW_COUNT ? 'rows' : `average ${chosenField}`;
  return (
    <section class="panel chart" aria-labelledby="chart-title">
      <h2 id="chart-title">Chart</h2>
      <div class="controls">
        <Select
          label="Table"
          value={table.name}
          onChange={onTable}
          choices={tables.map((t) => [t.name, t.name])}
        />
        <Select
          label="Field"
          value={chosenField}
          onChange={setField}
          choices={[...fields.map((name): Choice => [name, name]), [ROW_COUNT, '(number of rows)']]}
        />
        <Select
          label="Split by"
          value={tag}
          onChange={setTag}
          choices={[[NO_SPLIT, '(nothing)'], ...tags.map((name): Choice => [name, name])]}
        />
        <fieldset class="ranges">
          <legend>Range</legend>
          {RANGES.map((choice) => (
            <label key={choice.id}>
              <input
                type="radio"
                name="range"
                value={choice.id}
                checked={range.id === choice.id}
                onChange={() => setRange(choice)}
              />
              <span>{choice.label}</span>
            </label>
          ))}
        </fieldset>
      </div>
      <ChartBody
        answer={answer}
        error={polled.error ?? columns.error}
        hidden={hidden}
        label={`${what} of ${table.name}, ${range.label}`}
        lastReading={last}
        onCursor={setCursor}
        onAll={() => setRange(ALL_DATA)}
      />
      {answer !== undefined && answer.lines.times.length > 0 && (
        <Legend lines={answer.lines} cursor={cursor} hidden={hidden} onToggle={toggle} />
      )}
      <p class="under">
        <span>
          {what} per {bucket.sql}
          {answer?.more && `; the ${SERIES_MAX} values of ${tag} with the most rows`}
        </span>
        {answer !== undefined && (
          <button type="button" class="link" onClick={() => onSql(answer.sql)}>
            Use this query below
          </button>
        )}
      </p>
    </section>
  );
}

interface BodyProps {
  answer: Answer | undefined;
  error: unknown;
  hidden: ReadonlySet<string>;
  label: string;
  lastReading: number | undefined;
  onCursor: (index: number | undefined) => void;
  onAll: () => void;
}

function ChartBody({ answer, error, hidden, label, lastReading, onCursor, onAll }: BodyProps) {
  if (answer === undefined) {
    if (error !== undefined)
      return (
        <p class="plot message error" role="alert">
          {messageOf(error)}
        </p>
      );
    return <p class="plot message">Loading…</p>;
  }
  if (answer.lines.times.length === 0) {
    return (
      <div class="plot message" id="chart-empty">
        <p>Nothing in this range. The last reading is of {timeOf(lastReading)}.</p>
        <button type="button" onClick={onAll}>
          Show all data
        </button>
      </div>
    );
  }
  return (
    <>
      {error !== undefined && (
        <p class="error" role="alert">
          {messageOf(error)}
        </p>
      )}
      <Plot
        lines={answer.lines}
        from={answer.from}
        to={answer.to}
        hidden={hidden}
        label={label}
        onCursor={onCursor}
      />
    </>
  );
}

interface LegendProps {
  lines: Lines;
  cursor: number | undefined;
  hidden: ReadonlySet<string>;
  onToggle: (name: string) => void;
}

// Values under the cursor, else the newest.
function Legend({ lines, cursor, hidden, onToggle }: LegendProps) {
  const newest = useMemo(
    () => lines.values.map((values) => values.findLast((value) => typeof value === 'number')),
    [lines],
  );
  const at = cursor === undefined ? undefined : lines.times[cursor];
  return (
    <div class="legend">
      <span class="at">{at === undefined ? 'newest' : timeOf(at)}</span>
      <ul id="legend" data-points={count(lines.times.length)}>
        {lines.names.map((name, i) => (
          <li key={name}>
            <button
              type="button"
              aria-pressed={!hidden.has(name)}
              title="Show or hide"
              onClick={() => onToggle(name)}
            >
              <span class={`swatch line-${i + 1}`} />
              <span class="name">{name}</span>
              <span class="value">{reading(at === undefined ? newest[i] : lines.values[i]?.[cursor!])}</span>
            </button>
          </li>
        ))}
      </ul>
    </div>
  );
}

type Choice = [value: string, label: string];

interface SelectProps {
  label: string;
  value: string;
  choices: Choice[];
  onChange: (value: string) => void;
}

function Select({ label, value, choices, onChange }: SelectProps) {
  return (
    <label class="select">
      <span>{label}</span>
      <select value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        {choices.map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

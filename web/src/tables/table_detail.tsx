// One table: what it has, how well it is packed, how many series by tag, its newest rows, a chart of any field.
import { chartText, isNumeric } from '../explore/builder';
import { ResultTable } from '../explore/result_table';
import { hashFrom } from '../explore/state';
import { fetchTable, messageOf, runQuery, serverNow } from '../shared/api';
import type { Column, QueryAnswer, TableDetail as Detail } from '../shared/api';
import { defaultRange } from '../explore/builder';
import { Failure } from '../shared/failure';
import { bytes, count, milliseconds, timeOf } from '../shared/format';
import { usePoll } from '../shared/poll';
import { hashOf } from '../shared/router';
import { identifier, tableName, tableSql } from '../shared/sql';
import { retention } from './table_list';

const DETAIL_MS = 3_000;
// Counting values and series reads the table: seldom.
const COUNTS_MS = 30_000;
const NEWEST_MS = 2_000;
const NEWEST_ROWS = 20;
// A tag may be wide; so many columns in one query are answered in one pass over the table.
const COUNTED_MAX = 64;

interface Counts {
  values: Map<string, number>; // of a field
  series: Map<string, number>; // different values of a tag
}

async function countAll(table: Detail, signal: AbortSignal): Promise<Counts> {
  const counts: Counts = { values: new Map(), series: new Map() };
  const columns = table.columns.filter((column) => column.kind !== 'time').slice(0, COUNTED_MAX);
  const ask = async (kind: Column['kind'], call: (name: string) => string, into: Map<string, number>): Promise<void> => {
    const wanted = columns.filter((column) => column.kind === kind);
    if (wanted.length === 0) return;
    const list = wanted.map((column) => call(identifier(column.name))).join(', ');
    const answer = await runQuery(`SELECT ${list} FROM ${tableSql(table)}`, {}, signal);
    wanted.forEach((column, i) => into.set(column.name, Number(answer.rows[0]?.[i] ?? 0)));
  };
  await ask('field', (name) => `count(${name})`, counts.values);
  await ask('tag', (name) => `count(distinct ${name})`, counts.series);
  return counts;
}

interface Props {
  name: string;
  inMemory: number; // rows of all tables that are in no segment yet
  connected: boolean;
}

export function TableDetail({ name, inMemory, connected }: Props) {
  const polled = usePoll(connected ? `table ${name}` : undefined, DETAIL_MS, (signal) => fetchTable(name, signal));
  const table = polled.data;
  const counted = usePoll(table === undefined ? undefined : `counts ${name}`, COUNTS_MS, (signal) => countAll(table!, signal));
  const newest = usePoll<QueryAnswer>(table === undefined ? undefined : `newest ${name}`, NEWEST_MS, (signal) =>
    runQuery(`SELECT * FROM ${tableSql(table!)} ORDER BY time DESC LIMIT ${NEWEST_ROWS}`, {}, signal),
  );
  if (table === undefined) {
    if (polled.error !== undefined) return <Failure error={polled.error} />;
    return <p class="panel quiet">Loading…</p>;
  }
  const values = counted.data && [...counted.data.values.values()].reduce((sum, one) => sum + one, 0);
  return (
    <>
      <section class="panel" aria-labelledby="detail-title">
        <h2 id="detail-title">{tableName(table)}</h2>
        <dl class="stats">
          <Stat name="Rows" value={count(table.rows)} />
          <Stat name="Series" value={count(table.series)} />
          <Stat name="On disk" value={table.bytes === 0 ? 'all in memory' : bytes(table.bytes)} />
          <Stat name="Bits per value" value={bitsPerValue(table, values, inMemory)} id="bits" />
          <Stat name="First" value={timeOf(milliseconds(table.time_min))} />
          <Stat name="Last" value={timeOf(milliseconds(table.time_max))} />
          <Stat name="Kept for" value={retention(table)} />
        </dl>
        {counted.error !== undefined && <p class="error">{messageOf(counted.error)}</p>}
        <p class="quiet">
          Bytes and bits are of what is in segments: rows still in memory are written within a minute or so.{' '}
          <a href={hashOf('live', tableName(table))}>Follow its rows live</a>
        </p>
      </section>
      <Columns table={table} counts={counted.data} />
      <section class="panel" aria-labelledby="newest-title">
        <h2 id="newest-title">Newest rows</h2>
        {newest.error !== undefined && <Failure error={newest.error} />}
        {newest.data === undefined ? (
          newest.error === undefined && <p class="quiet">Loading…</p>
        ) : (
          <ResultTable answer={newest.data} id="newest" />
        )}
      </section>
    </>
  );
}

// The bytes are those of segments, the values of all rows: while many are in memory the two do not belong together.
const IN_MEMORY_SHARE_MAX = 0.05;

function bitsPerValue(table: Detail, values: number | undefined, inMemory: number): string {
  if (values === undefined || values === 0 || !table.bytes) return '–';
  if (inMemory > (table.rows ?? 0) * IN_MEMORY_SHARE_MAX) return 'after the flush';
  return ((table.bytes * 8) / values).toFixed(1);
}

function Stat({ name, value, id }: { name: string; value: string; id?: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd id={id}>{value}</dd>
    </div>
  );
}

function Columns({ table, counts }: { table: Detail; counts: Counts | undefined }) {
  return (
    <section class="panel" aria-labelledby="columns-title">
      <h2 id="columns-title">Columns</h2>
      <div class="scroll" tabIndex={0} role="region" aria-label="Columns, scrollable">
        <table id="columns">
          <thead>
            <tr>
              <th scope="col">Column</th>
              <th scope="col">Kind</th>
              <th scope="col">Type</th>
              <th scope="col" class="num">
                Values
              </th>
              <th scope="col">Chart</th>
            </tr>
          </thead>
          <tbody>
            {table.columns.map((column) => (
              <tr key={column.name}>
                <th scope="row">{column.name}</th>
                <td>{column.kind}</td>
                <td>{column.type}</td>
                <td class="num">
                  {column.kind === 'tag' && counts !== undefined && `${count(counts.series.get(column.name))} different`}
                  {column.kind === 'field' && count(counts?.values.get(column.name))}
                </td>
                <td>
                  {isNumeric(column) && <ChartLink table={table} column={column} tag={undefined} />}
                  {column.kind === 'tag' && <ChartLink table={table} column={undefined} tag={column.name} />}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

interface LinkProps {
  table: Detail;
  column: Column | undefined;
  tag: string | undefined;
}

function ChartLink({ table, column, tag }: LinkProps) {
  const text = chartText({ table, field: column?.name, tag, call: 'avg' }, 'sql');
  const range = defaultRange(table, serverNow());
  const href = hashFrom({ text, language: 'sql', range, refreshSeconds: 2, asTable: false });
  const what = column === undefined ? `rows by ${tag}` : `${column.name}`;
  return <a href={href}>Chart of {what}</a>;
}

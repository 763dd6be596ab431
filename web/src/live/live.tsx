// Live: the rows of a table as they are acknowledged, with a filter; pause to read; the last values of each series.
import { useEffect, useRef, useState } from 'preact/hooks';
import { fetchTable, messageOf } from '../shared/api';
import type { TableDetail, TableInfo } from '../shared/api';
import { freshest, isNumeric } from '../explore/builder';
import { Failure } from '../shared/failure';
import { count } from '../shared/format';
import { usePoll } from '../shared/poll';
import { go, hashOf } from '../shared/router';
import { Select } from '../shared/select';
import { useShortcuts } from '../shared/shortcuts';
import { tableName } from '../shared/sql';
import { useTokenGeneration } from '../shared/token';
import { RowsTable, SeriesGrid } from './live_tables';
import { follow } from './stream';
import { noticeOf, Tail } from './tail';
import type { LiveBatch } from './tail';

// What is drawn is looked at by a person: more often than this is a blur.
const DRAW_MS = 200;
const COLUMNS_MS = 15_000;
const ALL_TAGS = '';

interface Props {
  name: string;
  query: URLSearchParams;
  tables: TableInfo[];
}

export function Live({ name, query, tables }: Props) {
  const [start] = useState(() => freshest(tables));
  const chosen = tables.find((table) => tableName(table) === name) ?? (name === '' ? start : undefined);
  const path = name === '' ? chosen && tableName(chosen) : name;
  const detail = usePoll(path, COLUMNS_MS, (signal) => fetchTable(path!, signal));
  const [known, setKnown] = useState<TableDetail>();
  useEffect(() => {
    if (detail.data !== undefined) setKnown(detail.data);
  }, [detail.data]);
  if (path === undefined) return <p class="panel quiet">No table yet: with the first row there is something to follow.</p>;
  if (known === undefined || tableName(known) !== path) {
    if (detail.error !== undefined) return <Failure error={detail.error} />;
    return <p class="panel quiet">Loading…</p>;
  }
  return <Following key={path} path={path} table={known} query={query} tables={tables} />;
}

type State = 'connecting' | 'following' | 'away' | 'refused';

interface FollowingProps {
  path: string;
  table: TableDetail;
  query: URLSearchParams;
  tables: TableInfo[];
}

function Following({ path, table, query, tables }: FollowingProps) {
  const where = query.get('where') ?? '';
  const tags = table.columns.filter((column) => column.kind === 'tag').map((column) => column.name);
  const fields = table.columns.filter(isNumeric).map((column) => column.name);
  const field = fields.find((one) => one === query.get('field')) ?? fields[0];
  const by = tags.find((one) => one === query.get('by')) ?? ALL_TAGS;
  const splits = by === ALL_TAGS ? tags : [by];
  const [draft, setDraft] = useState(where);
  const [paused, setPaused] = useState(false);
  const [state, setState] = useState<State>('connecting');
  const [error, setError] = useState<unknown>();
  const [notice, setNotice] = useState('');
  const [, setDrawn] = useState(0);
  const tail = useRef(new Tail());
  const shown = useRef({ rows: tail.current.rows, total: 0, rate: 0 });
  const token = useTokenGeneration();
  const views = useRef({ splits, field });
  views.current = { splits, field };
  const choice = JSON.stringify([where, splits, field]);

  useEffect(() => {
    const stop = new AbortController();
    tail.current = new Tail();
    shown.current = { rows: [], total: 0, rate: 0 };
    setState('connecting');
    setError(undefined);
    setNotice('');
    const parameters = new URLSearchParams({ table: path });
    if (where.trim() !== '') parameters.set('where', where);
    void follow(
      `api/v1/live?${parameters}`,
      {
        onOpen: () => {
          setState('following');
          setError(undefined);
        },
        onEvent: ({ name, data }) => {
          if (name === 'message') {
            const { splits: tagsNow, field: fieldNow } = views.current;
            tail.current.add(JSON.parse(data) as LiveBatch, tagsNow, fieldNow);
          } else {
            const said = noticeOf(name, data);
            if (said !== '') setNotice(said);
          }
        },
        onError: (failure, final) => {
          setState(final ? 'refused' : 'away');
          setError(failure);
        },
      },
      stop.signal,
    );
    return () => stop.abort();
  }, [path, choice, token]);

  // Drawn at a steady pace, however many events come.
  useEffect(() => {
    let before = { total: tail.current.total, at: performance.now() };
    const timer = window.setInterval(() => {
      const { total } = tail.current;
      const at = performance.now();
      if (at - before.at >= 1_000) {
        shown.current.rate = Math.max(0, ((total - before.total) * 1000) / (at - before.at));
        before = { total, at };
      }
      if (!paused) shown.current = { ...shown.current, rows: tail.current.rows.slice(), total };
      if (!document.hidden) setDrawn((n) => n + 1);
    }, DRAW_MS);
    return () => window.clearInterval(timer);
  }, [paused, choice]);

  const show = (change: Record<string, string>): void => {
    const all = { where, field: field ?? '', by, ...change };
    go(hashOf('live', path, Object.fromEntries(Object.entries(all).filter(([, value]) => value !== ''))));
  };
  useShortcuts([{ key: 'p', what: paused ? 'Resume' : 'Pause', run: () => setPaused(!paused) }]);

  const waiting = tail.current.total - shown.current.total;
  return (
    <>
      <section class="panel" aria-labelledby="live-title">
        <h2 id="live-title">Live rows of {path}</h2>
        <form
          class="controls"
          onSubmit={(event) => {
            event.preventDefault();
            show({ where: draft });
          }}
        >
          <Select
            label="Table"
            value={path}
            choices={tables.map((one) => [tableName(one), tableName(one)])}
            onChange={(next) => go(hashOf('live', next))}
          />
          <label class="select grow">
            <span>Filter (an SQL condition)</span>
            <input
              type="text"
              class="code"
              spellcheck={false}
              autocapitalize="off"
              placeholder={tags[0] === undefined ? 'x > 1' : `${tags[0]} = '…'`}
              value={draft}
              onInput={(event) => setDraft(event.currentTarget.value)}
            />
          </label>
          <button type="submit" class="small">
            Filter
          </button>
          <button type="button" class="main" aria-pressed={paused} onClick={() => setPaused(!paused)}>
            {paused ? 'Resume' : 'Pause'}
          </button>
        </form>
        <p class="under">
          <span role="status" id="live-state" data-state={paused ? 'paused' : state}>
            {state === 'connecting' && 'Connecting…'}
            {state === 'away' && `The stream broke (${messageOf(error)}). Trying again by itself.`}
            {state === 'following' && paused && `Paused, ${count(waiting)} new rows are waiting.`}
            {state === 'following' && !paused && (tail.current.total === 0 ? 'Following; no row has come yet.' : 'Following.')}
          </span>
          <span>
            <data id="live-total" value={tail.current.total}>
              {count(tail.current.total)}
            </data>{' '}
            rows, {count(shown.current.rate)} a second
          </span>
        </p>
        {notice !== '' && <p class="quiet">{notice}</p>}
        {state === 'refused' && <Failure error={error} text={where} id="live-error" />}
      </section>
      {field !== undefined && (
        <SeriesGrid
          series={[...tail.current.series.values()]}
          controls={
            <div class="controls">
              <Select
                label="Field"
                value={field}
                choices={fields.map((one) => [one, one])}
                onChange={(next) => show({ field: next })}
              />
              <Select
                label="One line per"
                value={by}
                choices={[[ALL_TAGS, 'series (all tags)'], ...tags.map((one): [string, string] => [one, one])]}
                onChange={(next) => show({ by: next })}
              />
            </div>
          }
        />
      )}
      <RowsTable rows={shown.current.rows} columns={tail.current.columns} numeric={fields} />
    </>
  );
}

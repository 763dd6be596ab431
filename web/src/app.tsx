// The page: what is coming in, what is stored, how it looks, and a place to ask.
import { useEffect, useState } from 'preact/hooks';
import { fetchStatus, fetchTables, messageOf, UnreachableError } from './api';
import type { Status, TableInfo } from './api';
import { ChartPanel } from './chart';
import { duration, milliseconds } from './format';
import { usePoll } from './poll';
import { QueryPanel } from './query';
import { SourcesPanel } from './sources';
import { EmptyPanel, isOwn, TablesPanel } from './tables';
import { Tiles } from './tiles';

const LIVE_MS = 1_000;

// One poll for both, so that the page shows one moment.
async function fetchOverview(signal: AbortSignal): Promise<{ status: Status; tables: TableInfo[] }> {
  const [status, tables] = await Promise.all([fetchStatus(signal), fetchTables(signal)]);
  return { status, tables: tables.sort(byName) };
}

// Our own tables (quarantine) come last: they are not what one came to see.
function byName(a: TableInfo, b: TableInfo): number {
  return Number(isOwn(a)) - Number(isOwn(b)) || a.name.localeCompare(b.name);
}

// The table with the newest reading: on a live server the one that moves.
function freshest(tables: TableInfo[]): TableInfo | undefined {
  const age = (table: TableInfo): number => milliseconds(table.time_max) ?? -Infinity;
  const people = tables.filter((table) => !isOwn(table));
  return [...(people.length > 0 ? people : tables)].sort((a, b) => age(b) - age(a))[0];
}

type Connection = 'connecting' | 'live' | 'starting' | 'away' | 'refused';

const CONNECTION_WORDS: Record<Connection, string> = {
  connecting: 'Connecting',
  live: 'Live',
  starting: 'Recovering',
  away: 'Server away',
  refused: 'Error',
};

export function App() {
  const overview = usePoll('overview', LIVE_MS, fetchOverview);
  const [chosenTable, setChosenTable] = useState<string>();
  const [sql, setSql] = useState('SHOW TABLES');
  const now = useNow(overview.error !== undefined);

  const { data, error } = overview;
  const tables = data?.tables ?? [];
  const table = tables.find((t) => t.name === chosenTable) ?? freshest(tables);
  // Stay with the first choice as others grow, unless it is only our own table.
  useEffect(() => {
    if (chosenTable === undefined && table !== undefined && !isOwn(table)) setChosenTable(table.name);
  }, [chosenTable, table]);

  let connection: Connection = 'connecting';
  if (error !== undefined) connection = error instanceof UnreachableError ? 'away' : 'refused';
  else if (data !== undefined) connection = data.status.ready === false ? 'starting' : 'live';

  return (
    <>
      <header class="bar">
        <h1>
          <Strata /> varve
        </h1>
        <span class={`pill ${connection}`} role="status" id="connection" data-state={connection}>
          {CONNECTION_WORDS[connection]}
        </span>
        <span class="facts">
          {data?.status.version !== undefined && <span>v{data.status.version}</span>}
          {data?.status.uptime_seconds !== undefined && (
            <span>up {duration(data.status.uptime_seconds)}</span>
          )}
        </span>
      </header>
      {error !== undefined && (
        <p class="banner" role="alert">
          {connection === 'away' ? 'The server does not answer' : 'The server answers with an error'} (
          {messageOf(error)}).{' '}
          {data !== undefined && `You see what it said ${duration((now - overview.at) / 1000)} ago. `}
          Trying again by itself.
        </p>
      )}
      <main class={error !== undefined ? 'stale' : ''} aria-busy={data === undefined}>
        {data === undefined ? (
          error === undefined && <p class="panel quiet">Loading…</p>
        ) : (
          <>
            <Tiles status={data.status} tables={tables} at={overview.at} />
            {table === undefined ? (
              <EmptyPanel status={data.status} />
            ) : (
              <>
                <ChartPanel
                  tables={tables}
                  table={table}
                  connected={error === undefined}
                  onTable={setChosenTable}
                  onSql={setSql}
                />
                <TablesPanel tables={tables} chosen={table.name} onChoose={setChosenTable} />
              </>
            )}
            <QueryPanel sql={sql} onSql={setSql} />
            <SourcesPanel status={data.status} />
          </>
        )}
      </main>
      <footer>
        Times are UTC. The same data: <a href="api/v1/status">status</a>, <a href="api/v1/tables">tables</a>,{' '}
        <a href="metrics">metrics</a>.
      </footer>
    </>
  );
}

// The time, once a second while someone needs it.
function useNow(running: boolean): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!running) return;
    setNow(Date.now());
    const timer = window.setInterval(() => setNow(Date.now()), 1_000);
    return () => window.clearInterval(timer);
  }, [running]);
  return now;
}

function Strata() {
  return (
    <svg class="strata" viewBox="0 0 32 32" aria-hidden="true">
      <path class="water" d="M0 8q8-4 16 0t16 0v7q-8 4-16 0T0 15z" />
      <path class="sand" d="M0 16q8 4 16 0t16 0v5q-8-4-16 0T0 21z" />
      <path class="silt" d="M0 22q8-4 16 0t16 0v6q-8 4-16 0T0 28z" />
    </svg>
  );
}

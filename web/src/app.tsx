// The page: four views of one server, and what is the same in all of them.
import { useEffect, useRef, useState } from 'preact/hooks';
import { Explore } from './explore/explore';
import { Live } from './live/live';
import { Pipeline } from './pipeline/pipeline';
import { ApiError, fetchStatus, fetchTables, messageOf, UnreachableError } from './shared/api';
import type { Status, TableInfo } from './shared/api';
import { count, duration } from './shared/format';
import { HelpDialog } from './shared/help_dialog';
import { usePoll } from './shared/poll';
import { Rates } from './shared/rate';
import { go, hashOf, useRoute, VIEWS } from './shared/router';
import type { View } from './shared/router';
import { useShortcuts } from './shared/shortcuts';
import { isOwn } from './shared/sql';
import { setTheme, THEMES, useTheme } from './shared/theme';
import { setToken, token } from './shared/token';
import { TokenForm } from './shared/token_form';
import { EmptyPanel } from './tables/table_list';
import { Tables } from './tables/tables';

const OVERVIEW_MS = 1_000;

interface Overview {
  status: Status;
  hidden: boolean; // the token is for some tables only: the server's state is not for it
  tables: TableInfo[];
}

// One poll for both, so that the page shows one moment.
async function fetchOverview(signal: AbortSignal): Promise<Overview> {
  const visible = fetchStatus(signal).catch((error: unknown) => {
    if (error instanceof ApiError && error.status === 403) return undefined;
    throw error;
  });
  const [status, tables] = await Promise.all([visible, fetchTables(signal)]);
  return { status: status ?? {}, hidden: status === undefined, tables: tables.sort(byName) };
}

// Our own tables (quarantine) come last: they are not what one came to see.
function byName(a: TableInfo, b: TableInfo): number {
  return Number(isOwn(a)) - Number(isOwn(b)) || a.name.localeCompare(b.name);
}

type Connection = 'connecting' | 'live' | 'starting' | 'away' | 'locked' | 'refused';

const CONNECTION_WORDS: Record<Connection, string> = {
  connecting: 'Connecting',
  live: 'Connected',
  starting: 'Recovering',
  away: 'Server away',
  locked: 'Token needed',
  refused: 'Error',
};

const TITLES: Record<View, string> = { explore: 'Explore', tables: 'Tables', live: 'Live', pipeline: 'Pipeline' };

function connectionOf(data: Overview | undefined, error: unknown): Connection {
  if (error instanceof UnreachableError) return 'away';
  if (error instanceof ApiError && (error.status === 401 || error.status === 403)) return 'locked';
  if (error !== undefined) return 'refused';
  if (data === undefined) return 'connecting';
  return data.status.ready === false ? 'starting' : 'live';
}

export function App() {
  const route = useRoute();
  const overview = usePoll('overview', OVERVIEW_MS, fetchOverview);
  const [rates] = useState(() => new Rates());
  const [help, setHelp] = useState(false);
  const theme = useTheme();
  const main = useRef<HTMLElement>(null);
  const now = useNow(overview.error !== undefined);

  const { data, error } = overview;
  const connection = connectionOf(data, error);
  useEffect(() => {
    document.title = `${TITLES[route.view]} – varve`;
  }, [route.view]);
  const nextTheme = (): void => setTheme(THEMES[(THEMES.indexOf(theme.wanted) + 1) % THEMES.length]!);
  useShortcuts([
    ...VIEWS.map((view, i) => ({ key: String(i + 1), what: TITLES[view], run: () => go(hashOf(view)) })),
    { key: 'd', what: 'Dark, light or as the system', run: nextTheme },
    { key: '?', what: 'This list', run: () => setHelp(true) },
  ]);

  const locked = connection === 'locked';
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault(); // the address is the view's
          main.current?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <h1>
          <Strata /> varve
        </h1>
        <nav aria-label="Views">
          {VIEWS.map((view) => (
            <a key={view} href={hashOf(view)} aria-current={route.view === view ? 'page' : undefined}>
              {TITLES[view]}
            </a>
          ))}
        </nav>
        <span class={`pill ${connection}`} role="status" id="connection" data-state={connection}>
          {CONNECTION_WORDS[connection]}
        </span>
        <Facts data={data} rates={rates} at={overview.at} />
        <span class="tools">
          <button type="button" class="small" onClick={nextTheme} title="Dark, light or as the system (d)">
            <span class="label">Theme: </span>
            {theme.wanted}
          </button>
          <button type="button" class="small" onClick={() => setHelp(true)} aria-label="Keys" title="Keys (?)">
            ?
          </button>
          {token() !== '' && (
            <button type="button" class="small" onClick={() => setToken('')}>
              Sign out
            </button>
          )}
        </span>
      </header>
      {error !== undefined && !locked && (
        <p class="banner" role="alert">
          {connection === 'away' ? 'The server does not answer' : 'The server answers with an error'} (
          {messageOf(error)}).{' '}
          {data !== undefined && `You see what it said ${duration((now - overview.at) / 1000)} ago. `}
          Trying again by itself.
        </p>
      )}
      <main
        id="main"
        ref={main}
        tabIndex={-1}
        class={error !== undefined && !locked ? 'stale' : ''}
        aria-busy={data === undefined}
      >
        {locked ? (
          <TokenForm refused={error as ApiError} />
        ) : data === undefined ? (
          error === undefined && <p class="panel quiet">Loading…</p>
        ) : (
          <Views data={data} rates={rates} at={overview.at} connected={error === undefined} />
        )}
      </main>
      <footer>
        Times are UTC.{' '}
        {!locked && token() === '' && (
          // A browser follows a link without the token.
          <>
            The same data: <a href="api/v1/status">status</a>, <a href="api/v1/tables">tables</a>,{' '}
            <a href="metrics">metrics</a>.{' '}
          </>
        )}
        Press <kbd>?</kbd> for keys.
      </footer>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </>
  );
}

interface ViewsProps {
  data: Overview;
  rates: Rates;
  at: number;
  connected: boolean;
}

function Views({ data, rates, at, connected }: ViewsProps) {
  const { view, name, query } = useRoute();
  const { status, hidden, tables } = data;
  if (view === 'tables') return <Tables name={name} tables={tables} status={status} connected={connected} />;
  if (view === 'pipeline' && hidden)
    return (
      <section class="panel empty">
        <h2>Not for this token</h2>
        <p>
          It is for some tables only. The pipeline is of the whole server: it needs a token with the role read for all
          tables, made without <code>--table</code>.
        </p>
      </section>
    );
  if (view === 'pipeline')
    return <Pipeline status={status} tables={tables} rates={rates} at={at} connected={connected} />;
  if (tables.length === 0 && query.get('q') === null) return <EmptyPanel status={status} />;
  if (view === 'live') return <Live name={name} query={query} tables={tables} />;
  return <Explore query={query} tables={tables} connected={connected} />;
}

function Facts({ data, rates, at }: { data: Overview | undefined; rates: Rates; at: number }) {
  if (data === undefined) return <span class="facts" />;
  const { status } = data;
  const rate = rates.of('rows', status.ingest?.rows_total, at);
  return (
    <span class="facts">
      {rate !== undefined && <span id="head-rate">{count(rate)} rows/s</span>}
      {status.version !== undefined && <span class="version">v{status.version}</span>}
      {status.uptime_seconds !== undefined && <span class="version">up {duration(status.uptime_seconds)}</span>}
    </span>
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

// Explore: ask in SQL or InfluxQL, see lines, bars, figures or a table. What is shown stands in the address.
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { ApiError, fetchTable, messageOf, queryCsv, serverNow } from '../shared/api';
import type { TableDetail, TableInfo } from '../shared/api';
import { csvOf, download } from '../shared/csv';
import { usePoll } from '../shared/poll';
import { go } from '../shared/router';
import { useShortcuts } from '../shared/shortcuts';
import { tableName } from '../shared/sql';
import { chartText, choiceOf, defaultChoice, defaultRange, freshest } from './builder';
import type { ChartChoice } from './builder';
import { ChartBuilder } from './chart_builder';
import { Editor } from './editor';
import type { Fault } from './editor';
import { noteRun } from './library';
import type { Kept } from './library';
import { LibraryDialog } from './library_dialog';
import { RangePicker } from './range_picker';
import { ResultPanel } from './result_panel';
import { explain, run, windowFor } from './run';
import type { Asked, Outcome } from './run';
import { linesIn } from './series';
import { hashFrom, stateFrom } from './state';
import type { ExploreState, Language } from './state';
import { between, moved, zoomed } from './time';
import { changesData, paramsFor, variablesIn } from './variables';

// New columns appear with the rows that bring them: look again this often.
const COLUMNS_MS = 15_000;
// Completion knows the columns of so many tables; more would be a storm of requests.
const TABLES_DESCRIBED_MAX = 50;

interface Props {
  query: URLSearchParams;
  tables: TableInfo[];
  connected: boolean;
}

async function describeAll(tables: TableInfo[], signal: AbortSignal): Promise<TableDetail[]> {
  const wanted = tables.slice(0, TABLES_DESCRIBED_MAX);
  return Promise.all(wanted.map((table) => fetchTable(tableName(table), signal)));
}

export function Explore({ query, tables, connected }: Props) {
  const names = JSON.stringify(tables.map(tableName));
  const described = usePoll(connected ? `columns ${names}` : undefined, COLUMNS_MS, (signal) =>
    describeAll(tables, signal),
  );
  // While the server is away, or its tables change, what is known stays.
  const [details, setDetails] = useState<TableDetail[]>();
  useEffect(() => {
    if (described.data !== undefined) setDetails(described.data);
  }, [described.data]);
  if (details === undefined) {
    if (described.error !== undefined) return <p class="panel error">{messageOf(described.error)}</p>;
    return <p class="panel quiet">Loading…</p>;
  }
  return <Ready query={query} tables={details} connected={connected} />;
}

function Ready({ query, tables, connected }: { query: URLSearchParams; tables: TableDetail[]; connected: boolean }) {
  const asked = stateFrom(query);
  // The table the page began with stays, whichever is fresher later.
  const [start] = useState(() => freshest(tables));
  const [choice, setChoice] = useState<ChartChoice | undefined>(() => start && defaultChoice(start));
  // An address without a query is the beginning, also when one comes back to it.
  useEffect(() => {
    if (asked.text === '' && start !== undefined) setChoice(defaultChoice(start));
  }, [asked.text === '']);
  // A link brings a query: the choices above it are those that would have written it, if any would.
  useEffect(() => {
    const found = choiceOf(asked.text, asked.language, tables);
    if (found !== undefined) setChoice(found);
  }, [asked.text, asked.language]);
  const begin = start === undefined ? 'SHOW TABLES' : chartText(defaultChoice(start), asked.language);
  const [startRange] = useState(() => defaultRange(start, serverNow()));
  const text = asked.text === '' ? begin : asked.text;
  const range = asked.range ?? startRange;
  const [draft, setDraft] = useState(text);
  const [plan, setPlan] = useState<{ lines?: string[]; error?: unknown; text: string }>();
  useEffect(() => setDraft(text), [text]);
  useEffect(() => setPlan(undefined), [text, asked.language]); // "back" leaves the plan, too
  const [tries, setTries] = useState(0);
  const [dialog, setDialog] = useState(false);
  const focusEditor = useRef(() => {});
  const [drawn, setDrawn] = useState<{ text: string; lines: number | undefined }>({ text: '', lines: undefined });

  const request: Asked = { text, language: asked.language, range, tables, lines: drawn.text === text ? drawn.lines : undefined };
  const span = windowFor(request);
  const used = variablesIn(text);
  const refreshes = asked.refreshSeconds > 0 && range.kind !== 'between';
  const changes = changesData(text);
  const [done, setDone] = useState<{ outcome?: Outcome; error?: unknown; text: string }>();
  const key = JSON.stringify([text, asked.language, range, tries]);
  const polled = usePoll(
    connected && plan === undefined && !changes ? key : undefined,
    refreshes ? asked.refreshSeconds * 1000 : undefined,
    (signal) => run(request, signal),
  );
  // The picture stays while the next one is on its way, and while the server is away.
  const [kept, setKept] = useState<{ text: string; outcome: NonNullable<typeof polled.data> }>();
  useEffect(() => {
    if (polled.data === undefined) return;
    setKept({ text, outcome: polled.data });
    const { lines } = polled.data;
    if (lines !== undefined) setDrawn({ text, lines: linesIn(lines) });
  }, [polled.data]);
  const sent = changes && done?.text === text ? done : undefined;
  const outcome = changes ? sent?.outcome : kept?.text === text ? kept.outcome : undefined;

  const [revision, setRevision] = useState(0);
  const show = (change: Partial<ExploreState>): void => {
    setPlan(undefined);
    go(hashFrom({ ...asked, ...change }));
  };
  const runNow = (): void => {
    if (draft.trim() === '') return;
    setTries((n) => n + 1);
    noteRun({ text: draft, language: asked.language, hash: hashFrom({ ...asked, text: draft }), at: Date.now() });
    show({ text: draft });
    if (changesData(draft)) void runOnce({ ...request, text: draft });
  };
  const runOnce = async (once: Asked): Promise<void> => {
    setDone(undefined);
    try {
      setDone({ outcome: await run(once), text: once.text });
    } catch (error) {
      setDone({ error, text: once.text });
    }
  };
  const explainNow = async (): Promise<void> => {
    try {
      setPlan({ lines: await explain({ ...request, text: draft }), text: draft });
    } catch (error) {
      setPlan({ error, text: draft });
    }
  };
  const exportCsv = async (): Promise<void> => {
    if (outcome === undefined) return;
    const params = paramsFor(text, asked.language, outcome.window);
    const csv = asked.language === 'sql' ? await queryCsv(text, params) : csvOf(outcome.answer);
    download('varve.csv', 'text/csv', csv);
  };
  const replaceDraft = (next: string): void => {
    setDraft(next);
    setRevision((n) => n + 1);
  };
  const choose = (next: ChartChoice): void => {
    setChoice(next);
    replaceDraft(chartText(next, asked.language));
    show({ text: chartText(next, asked.language) });
  };
  const language = (next: Language): void => {
    show({ language: next, text: choice === undefined ? 'SHOW MEASUREMENTS' : chartText(choice, next) });
  };
  const zoom = (from: number, to: number): void => show({ range: between(from, to) });

  useShortcuts([
    { key: '/', what: 'Go to the query', run: () => focusEditor.current() },
    { key: 'r', what: 'Run the query again', run: runNow },
    { key: 'e', what: 'Explain the query', run: () => void explainNow() },
    { key: 's', what: 'Saved queries and history', run: () => setDialog(true) },
    { key: 't', what: 'Table or chart', run: () => show({ asTable: !asked.asTable }) },
    { key: '+', what: 'Zoom in', run: () => show({ range: zoomed(span, 0.5) }) },
    { key: '-', what: 'Zoom out', run: () => show({ range: zoomed(span, 2) }) },
    { key: '[', what: 'Earlier', run: () => show({ range: moved(span, -0.5) }) },
    { key: ']', what: 'Later', run: () => show({ range: moved(span, 0.5) }) },
  ]);

  const error = plan?.error ?? (plan !== undefined ? undefined : changes ? sent?.error : polled.error);
  const fault = useMemo<Fault | undefined>(() => {
    if (!(error instanceof ApiError) || error.position === undefined || draft !== (plan?.text ?? text)) return;
    return { position: error.position, hint: error.hint ?? error.message };
  }, [error, draft]);
  const current: Kept = { text: draft, language: asked.language, hash: hashFrom({ ...asked, text: draft }), at: 0 };

  return (
    <>
      <section class="panel ask" aria-labelledby="ask-title">
        <h2 id="ask-title" class="visually-hidden">
          Query
        </h2>
        {choice !== undefined && <ChartBuilder tables={tables} choice={choice} onChoice={choose} />}
        <Editor
          text={text}
          revision={revision}
          draft={draft}
          language={asked.language}
          tables={tables}
          fault={fault}
          focus={focusEditor}
          onText={setDraft}
          onRun={runNow}
        />
        <div class="actions">
          <button type="button" class="main" onClick={runNow}>
            Run
          </button>
          <span class="quiet keys">Ctrl + Enter</span>
          <button type="button" class="small" onClick={() => void explainNow()}>
            Explain
          </button>
          <button type="button" class="small" onClick={() => setDialog(true)}>
            Saved and history
          </button>
          <fieldset class="ranges language">
            <legend class="visually-hidden">Language</legend>
            {(['sql', 'influxql'] as const).map((name) => (
              <label key={name}>
                <input
                  type="radio"
                  name="language"
                  checked={asked.language === name}
                  onChange={() => language(name)}
                />
                <span>{name === 'sql' ? 'SQL' : 'InfluxQL'}</span>
              </label>
            ))}
          </fieldset>
        </div>
      </section>
      <ResultPanel
        asked={asked}
        text={text}
        outcome={outcome}
        error={error}
        errorText={plan?.text ?? text}
        plan={plan?.lines}
        busy={polled.busy}
        waits={changes && sent === undefined}
        follows={used.has('from') || used.has('to')}
        onAsTable={(asTable) => show({ asTable })}
        onZoom={zoom}
        onAll={() => show({ range: { kind: 'all' } })}
        onCsv={exportCsv}
        onClosePlan={() => setPlan(undefined)}
      >
        <RangePicker
          range={range}
          window={outcome?.window ?? span}
          refreshSeconds={asked.refreshSeconds}
          onRange={(next) => show({ range: next })}
          onRefresh={(refreshSeconds) => show({ refreshSeconds })}
        />
      </ResultPanel>
      {dialog && (
        <LibraryDialog
          current={current}
          onClose={() => setDialog(false)}
          onPick={(picked) => {
            setDialog(false);
            setPlan(undefined);
            setTries((n) => n + 1);
            replaceDraft(picked.text);
            go(picked.hash);
          }}
        />
      )}
    </>
  );
}

// The query's text: a plain text area at once, the full editor as soon as it has been loaded.
import { useEffect, useRef, useState } from 'preact/hooks';
import { identifier } from '../shared/sql';
import { runQuery } from '../shared/api';
import type { TableDetail } from '../shared/api';
import { completionsAt } from './complete';
import type { TagValues } from './complete';
import type { EditorHandle } from './code_mirror';
import type { Language } from './state';

const LABELS: Record<Language, string> = { sql: 'SQL query', influxql: 'InfluxQL query' };
// Completion of a tag with more values is by what one has typed; nobody reads on.
const VALUES_MAX = 1_000;
const VALUES_FRESH_MS = 60_000;

export interface Fault {
  position: number;
  hint: string;
}

interface Props {
  text: string; // that the address says
  revision: number; // when this changes the text is put in again, whatever was written meanwhile
  draft: string; // that is written
  language: Language;
  tables: TableDetail[];
  fault: Fault | undefined;
  focus: { current: () => void }; // set to what gives the text the focus: at once, or the keys typed next would be lost
  onText: (text: string) => void;
  onRun: () => void;
}

const known = new Map<string, { at: number; values: Promise<string[]> }>();

async function tagValues({ table, tag }: TagValues): Promise<string[]> {
  const sql = `SELECT DISTINCT ${identifier(tag)} FROM ${table} LIMIT ${VALUES_MAX}`;
  const cached = known.get(sql);
  if (cached !== undefined && Date.now() - cached.at < VALUES_FRESH_MS) return cached.values;
  const values = runQuery(sql).then((answer) =>
    answer.rows.flatMap((row) => (row[0] === null || row[0] === undefined ? [] : [String(row[0])])).sort(),
  );
  known.set(sql, { at: Date.now(), values });
  return values.catch(() => {
    known.delete(sql);
    return [];
  });
}

// The word at the fault; one character where there is none.
function faultRange(text: string, { position, hint }: Fault): { from: number; to: number; hint: string } {
  const word = /^(?:"[^"]*"?|'[^']*'?|[\w.]+)/.exec(text.slice(position))?.[0] ?? '';
  return { from: position, to: position + Math.max(1, word.length), hint };
}

export function Editor(props: Props) {
  const { text, revision, language, fault } = props;
  const latest = useRef(props);
  latest.current = props;
  const host = useRef<HTMLDivElement>(null);
  const plain = useRef<HTMLTextAreaElement>(null);
  const [editor, setEditor] = useState<EditorHandle>();

  useEffect(() => {
    let gone = false;
    let made: EditorHandle | undefined;
    const load = async (): Promise<void> => {
      const { mount } = await import('./code_mirror');
      if (gone || host.current === null) return;
      const focused = document.activeElement === plain.current;
      const root = host.current.shadowRoot ?? host.current.attachShadow({ mode: 'open', delegatesFocus: true });
      made = mount(root, {
        text: latest.current.draft,
        label: LABELS[language],
        onChange: (changed) => latest.current.onText(changed),
        onRun: () => runNow(),
        complete: (all, at) => completionsAt(all, at, latest.current.language, latest.current.tables),
        values: (place) => (place.values === undefined ? Promise.resolve([]) : tagValues(place.values)),
      });
      if (focused) made.focus();
      setEditor(made);
    };
    load().catch(() => {}); // the server went away meanwhile: the text area serves
    return () => {
      gone = true;
      made?.destroy();
      setEditor(undefined);
    };
  }, [language]);

  // The editor's text goes out, never straight back in: what is typed meanwhile would be lost.
  const ran = useRef<string>();
  const runNow = (): void => {
    ran.current = latest.current.draft;
    latest.current.onRun();
  };
  useEffect(() => {
    if (text !== ran.current) editor?.text(text);
    ran.current = undefined;
  }, [text]);
  useEffect(() => editor?.text(text), [revision]);
  useEffect(() => editor?.error(fault && faultRange(latest.current.draft, fault)), [editor, fault]);
  props.focus.current = () => (editor ?? plain.current)?.focus();

  return (
    <div class="editor" data-ready={editor !== undefined}>
      <div ref={host} key={language} />
      {editor === undefined && (
        <textarea
          ref={plain}
          aria-label={LABELS[language]}
          rows={5}
          spellcheck={false}
          autocapitalize="off"
          value={props.draft}
          onInput={(event) => props.onText(event.currentTarget.value)}
          onKeyDown={(event) => {
            if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) return;
            event.preventDefault();
            runNow();
          }}
        />
      )}
    </div>
  );
}

// The editor itself, loaded after the page (it is the largest part of it). It lives in a shadow root: there its
// styles are adopted sheets, which a Content-Security-Policy without 'unsafe-inline' allows.
import { acceptCompletion, autocompletion, closeCompletion, completionKeymap } from '@codemirror/autocomplete';
import type { Completion, CompletionContext, CompletionResult } from '@codemirror/autocomplete';
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands';
import { sql, SQLDialect } from '@codemirror/lang-sql';
import { bracketMatching, HighlightStyle, syntaxHighlighting } from '@codemirror/language';
import { EditorState, Prec, StateEffect, StateField } from '@codemirror/state';
import { Decoration, drawSelection, EditorView, keymap, placeholder } from '@codemirror/view';
import type { DecorationSet } from '@codemirror/view';
import { tags } from '@lezer/highlight';
import { INFLUXQL_KEYWORDS, SQL_FUNCTIONS, SQL_KEYWORDS } from './functions';
import type { Option, Place } from './complete';

export interface EditorOptions {
  text: string;
  label: string;
  onChange: (text: string) => void;
  onRun: () => void;
  complete: (text: string, at: number) => Place;
  values: (place: Place) => Promise<string[]>;
}

export interface EditorHandle {
  text: (text: string) => void;
  error: (range: { from: number; to: number; hint: string } | undefined) => void;
  focus: () => void;
  destroy: () => void;
}

const dialect = SQLDialect.define({
  keywords: [...new Set([...SQL_KEYWORDS, ...INFLUXQL_KEYWORDS])].join(' ').toLowerCase(),
  builtin: SQL_FUNCTIONS.map((word) => word.name).join(' '),
  specialVar: '$',
  doubleDollarQuotedStrings: false,
});

// Colours are the page's own properties: they cross into the shadow root and follow its theme.
const colours = HighlightStyle.define([
  { tag: tags.keyword, color: 'var(--water)', fontWeight: '600' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--silt-ink)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--line-3)' },
  { tag: [tags.standard(tags.name), tags.special(tags.name)], color: 'var(--line-6)' },
  { tag: tags.comment, color: 'var(--quiet)', fontStyle: 'italic' },
]);

const theme = EditorView.theme({
  '&': { color: 'var(--ink)', fontSize: 'var(--code-size)', maxHeight: '45vh' },
  '&.cm-focused': { outline: 'none' },
  '.cm-scroller': { fontFamily: 'var(--mono)', lineHeight: '1.5', minHeight: '6.2em', overflow: 'auto' },
  '.cm-content': { padding: '9px 0', caretColor: 'var(--ink)' },
  '.cm-line': { padding: '0 11px' },
  '.cm-cursor': { borderLeftColor: 'var(--ink)' },
  '.cm-placeholder': { color: 'var(--quiet)' },
  '&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground': {
    background: 'var(--select)',
  },
  '&.cm-focused .cm-matchingBracket': { background: 'var(--select)' },
  '.cm-fault': { textDecoration: 'underline wavy var(--bad) 1.5px', textUnderlineOffset: '3px', background: 'var(--bad-soft)' },
  '.cm-tooltip': { background: 'var(--panel)', border: '1px solid var(--edge)', borderRadius: '6px', overflow: 'hidden' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul': { fontFamily: 'var(--mono)', maxHeight: '15em' },
  '.cm-tooltip.cm-tooltip-autocomplete > ul > li': { padding: '2px 8px' },
  '.cm-tooltip-autocomplete ul li[aria-selected]': { background: 'var(--water)', color: 'var(--water-ink)' },
  '.cm-completionDetail': { fontStyle: 'normal', color: 'var(--quiet)', marginLeft: '1em' },
  'li[aria-selected] .cm-completionDetail': { color: 'inherit' },
});

const setFault = StateEffect.define<{ from: number; to: number; hint: string } | undefined>();
const fault = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, change) {
    for (const effect of change.effects) {
      if (!effect.is(setFault)) continue;
      const length = change.state.doc.length;
      const range = effect.value;
      if (range === undefined || length === 0) return Decoration.none;
      const from = Math.min(range.from, length - 1);
      const mark = Decoration.mark({ class: 'cm-fault', attributes: { title: range.hint } });
      return Decoration.set([mark.range(from, Math.max(from + 1, Math.min(range.to, length)))]);
    }
    return change.docChanged ? Decoration.none : marks; // another text has another fault, if any
  },
  provide: (field) => EditorView.decorations.from(field),
});

const TYPES: Record<Option['kind'], string> = {
  table: 'class',
  column: 'property',
  function: 'function',
  keyword: 'keyword',
  value: 'text',
  variable: 'variable',
};

function completionOf(option: Option): Completion {
  // Names first, words of the language last.
  const boost = { column: 3, table: 3, value: 3, variable: 2, function: 1, keyword: 0 }[option.kind];
  return { label: option.label, apply: option.insert, type: TYPES[option.kind], detail: option.detail, boost };
}

async function offer(options: EditorOptions, context: CompletionContext): Promise<CompletionResult | null> {
  const place = options.complete(context.state.doc.toString(), context.pos);
  let found = place.options.map(completionOf);
  if (place.values !== undefined) {
    const values = await options.values(place);
    const apply = (value: string): string => value.replaceAll("'", "''");
    found = values.map((value) => ({ label: value, apply: apply(value), type: 'text' }));
  }
  if (found.length === 0 || context.aborted) return null;
  if (!context.explicit && place.from === context.pos && place.values === undefined) return null;
  return { from: place.from, options: found, validFor: place.values === undefined ? /^\$?\w*$/ : /^[^']*$/ };
}

export function mount(root: ShadowRoot, options: EditorOptions): EditorHandle {
  const run = (view: EditorView): boolean => {
    closeCompletion(view);
    options.onRun();
    return true;
  };
  const view = new EditorView({
    root,
    parent: root,
    state: EditorState.create({
      doc: options.text,
      extensions: [
        Prec.highest(keymap.of([{ key: 'Mod-Enter', run }])),
        history(),
        drawSelection(),
        bracketMatching(),
        EditorView.lineWrapping,
        sql({ dialect }),
        syntaxHighlighting(colours),
        theme,
        fault,
        autocompletion({ override: [(context) => offer(options, context)], icons: false, maxRenderedOptions: 60 }),
        Prec.high(keymap.of([{ key: 'Tab', run: acceptCompletion }])), // else Tab moves on, as everywhere
        keymap.of([...completionKeymap, ...historyKeymap, ...defaultKeymap]),
        placeholder('SELECT …'),
        EditorView.contentAttributes.of({
          'aria-label': options.label,
          spellcheck: 'false',
          autocapitalize: 'off',
          autocorrect: 'off',
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) options.onChange(update.state.doc.toString());
        }),
      ],
    }),
  });
  return {
    text: (text) => {
      if (view.state.doc.toString() !== text)
        view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } });
    },
    error: (range) => view.dispatch({ effects: setFault.of(range) }),
    focus: () => view.focus(),
    destroy: () => view.destroy(),
  };
}

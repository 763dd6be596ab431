// What may stand at the cursor: tables behind FROM, values of a tag in quotes, else columns, functions, words.
import type { TableDetail } from '../shared/api';
import { isOwn, plainName, tableSql } from '../shared/sql';
import { INFLUXQL_FUNCTIONS, INFLUXQL_KEYWORDS, SQL_FUNCTIONS, SQL_KEYWORDS } from './functions';
import type { Language } from './state';
import { codeOf, VARIABLES } from './variables';

export interface Option {
  label: string;
  insert: string;
  kind: 'table' | 'column' | 'function' | 'keyword' | 'value' | 'variable';
  detail: string;
}

export interface TagValues {
  table: string; // as SQL names it
  tag: string;
}

export interface Place {
  from: number; // where the word under the cursor begins
  options: Option[];
  values?: TagValues; // asked of the server, besides `options`
}

export function completionsAt(text: string, at: number, language: Language, tables: TableDetail[]): Place {
  const before = text.slice(0, at);
  const mentioned = tablesIn(text, tables);
  const value = valueAt(before, mentioned.length > 0 ? mentioned : tables);
  if (value !== undefined) return value;
  if (inQuotes(before)) return { from: at, options: [] };

  const word = /\$?[A-Za-z_][A-Za-z0-9_]*$|\$$/.exec(before)?.[0] ?? '';
  const from = at - word.length;
  const ahead = codeOf(text.slice(0, from));
  if (/\b(from|join|describe)\s+$/i.test(ahead)) return { from, options: tables.map(tableOption) };
  if (word.startsWith('$'))
    return {
      from,
      options: VARIABLES.map(({ name, what }) => ({ label: name, insert: name, kind: 'variable', detail: what })),
    };
  if (word === '' && !/[,(=<>+\-*/]\s*$|\b(select|where|by|and|or|on)\s+$/i.test(ahead)) return { from, options: [] };
  const people = tables.filter((table) => !isOwn(table));
  return { from, options: wordsFor(language, mentioned.length > 0 ? mentioned : people) };
}

function tableOption(table: TableDetail): Option {
  return { label: table.name, insert: plainName(table.name), kind: 'table', detail: 'table' };
}

function wordsFor(language: Language, tables: TableDetail[]): Option[] {
  const options: Option[] = [];
  const seen = new Set<string>();
  for (const table of tables) {
    for (const { name, kind, type } of table.columns) {
      if (seen.has(name)) continue;
      seen.add(name);
      options.push({
        label: name,
        insert: plainName(name),
        kind: 'column',
        detail: kind === 'field' ? type : kind,
      });
    }
  }
  for (const { name, call, what } of language === 'sql' ? SQL_FUNCTIONS : INFLUXQL_FUNCTIONS)
    options.push({ label: name, insert: `${name}(`, kind: 'function', detail: `${call}  ${what}` });
  for (const { name, what } of VARIABLES)
    options.push({ label: name, insert: name, kind: 'variable', detail: what });
  for (const word of new Set(language === 'sql' ? SQL_KEYWORDS : INFLUXQL_KEYWORDS))
    options.push({ label: word, insert: word, kind: 'keyword', detail: '' });
  return options;
}

// The tables a query names, whatever stands around them.
export function tablesIn(text: string, tables: TableDetail[]): TableDetail[] {
  const names = [...text.matchAll(/\b(?:from|join)\s+(?:"?\w+"?\.)?("(?:[^"]|"")+"|[\w.]+)/gi)].map((match) =>
    match[1]!.startsWith('"') ? match[1]!.slice(1, -1).replaceAll('""', '"') : match[1]!,
  );
  return tables.filter((table) => names.includes(table.name));
}

function inQuotes(before: string): boolean {
  return (before.replaceAll("''", '').match(/'/g)?.length ?? 0) % 2 === 1;
}

// The cursor in  tag = 'val|  or  tag IN ('a', 'val|
function valueAt(before: string, tables: TableDetail[]): Place | undefined {
  if (!inQuotes(before)) return undefined;
  const found =
    /("(?:[^"]|"")+"|[A-Za-z_]\w*)\s*(?:=|!=|<>|\bin\s*\((?:\s*'(?:[^']|'')*'\s*,)*)\s*'((?:[^']|'')*)$/i.exec(before);
  if (found === null) return undefined;
  const name = found[1]!.startsWith('"') ? found[1]!.slice(1, -1).replaceAll('""', '"') : found[1]!;
  const table = tables.find((one) => one.columns.some((column) => column.kind === 'tag' && column.name === name));
  if (table === undefined) return undefined;
  return { from: before.length - found[2]!.length, options: [], values: { table: tableSql(table), tag: name } };
}

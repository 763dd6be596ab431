// The time variables of a query: $from, $to and $interval travel as typed parameters, never pasted into the text.
import type { Params } from '../shared/api';
import type { Language } from './state';
import type { Window } from './time';

export const VARIABLES: readonly { name: string; what: string }[] = [
  { name: '$from', what: 'start of the chosen range' },
  { name: '$to', what: 'end of the chosen range' },
  { name: '$interval', what: 'bucket width that suits the range' },
];

// What stands in quotes or comments is no code: it is blanked, so that positions stay.
export function codeOf(text: string): string {
  return text.replace(/'(?:[^']|'')*(?:'|$)|"(?:[^"]|"")*(?:"|$)|--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)/g, (quoted) =>
    ' '.repeat(quoted.length),
  );
}

export function variablesIn(text: string): Set<string> {
  const names = VARIABLES.map((variable) => variable.name.slice(1));
  const found = codeOf(text).matchAll(/\$([A-Za-z_][A-Za-z0-9_]*)/g);
  return new Set([...found].map((match) => match[1]!).filter((name) => names.includes(name)));
}

// Sums over a bucket that is not over yet fall at the right edge without any reason in the data.
export function countsWhole(text: string): boolean {
  return variablesIn(text).has('interval') && /\b(count|sum|increase)\s*\(/i.test(codeOf(text));
}

export function paramsFor(text: string, language: Language, window: Window): Params {
  const used = variablesIn(text);
  const params: Params = {};
  if (used.has('from')) params.from = new Date(window.from).toISOString();
  if (used.has('to')) params.to = new Date(window.to).toISOString();
  // InfluxQL tells a duration from a string.
  if (used.has('interval'))
    params.interval =
      language === 'sql' ? window.interval : ({ duration: window.interval } as unknown as string);
  return params;
}

// True of any statement that is not known to only read. Such a one is sent by a person's hand, once: never by a link,
// a refresh or a reconnection.
export function changesData(text: string): boolean {
  return codeOf(text)
    .split(';')
    .map((statement) => statement.replace(/^\s*explain\s+(analyze\s+)?/i, '').replace(/^[\s(]+/, ''))
    .some((statement) => statement !== '' && !/^(select|show|describe|desc|with|values)\b/i.test(statement));
}

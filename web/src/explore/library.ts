// Queries this browser remembers: the last ones run, and those that were given a name.
import { recall, remember } from '../shared/storage';
import type { Language } from './state';

export interface Kept {
  text: string;
  language: Language;
  hash: string; // the whole view
  at: number; // ms
}
export type Saved = Kept & { name: string };

const HISTORY_MAX = 100;
const SAVED_MAX = 500;

function isKept(value: unknown): value is Kept {
  const kept = value as Partial<Kept> | null;
  return typeof kept?.text === 'string' && typeof kept.hash === 'string' && typeof kept.at === 'number';
}
function isHistory(value: unknown): value is Kept[] {
  return Array.isArray(value) && value.every(isKept);
}
function isSavedList(value: unknown): value is Saved[] {
  return isHistory(value) && value.every((one) => typeof (one as Saved).name === 'string');
}

export function readHistory(): Kept[] {
  return recall('history', [], isHistory);
}
export function readSaved(): Saved[] {
  return recall('saved', [], isSavedList);
}

// The newest first; a query that is run again moves up instead of standing there twice.
export function withRun(history: readonly Kept[], run: Kept): Kept[] {
  const others = history.filter((one) => one.text !== run.text || one.language !== run.language);
  return [run, ...others].slice(0, HISTORY_MAX);
}

// By name; a name that is there already gets the new query.
export function withSaved(list: readonly Saved[], one: Saved): Saved[] {
  const others = list.filter((other) => other.name !== one.name);
  return [...others, one].sort((a, b) => a.name.localeCompare(b.name)).slice(0, SAVED_MAX);
}

export function noteRun(run: Kept): void {
  remember('history', withRun(readHistory(), run));
}
export function save(one: Saved): void {
  remember('saved', withSaved(readSaved(), one));
}
export function forget(name: string): void {
  remember(
    'saved',
    readSaved().filter((one) => one.name !== name),
  );
}
export function forgetHistory(): void {
  remember('history', []);
}

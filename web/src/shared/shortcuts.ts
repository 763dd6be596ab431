// Keys that do something wherever the focus is, and the list of them that "?" shows.
// Single keys can be switched off (WCAG 2.1.4): speech input types letters.
import { useEffect, useRef } from 'preact/hooks';
import { recall, remember } from './storage';

export interface Shortcut {
  key: string; // KeyboardEvent.key
  what: string;
  run: () => void;
}

let enabled = recall('shortcuts', true, (value): value is boolean => typeof value === 'boolean');
export function shortcutsEnabled(): boolean {
  return enabled;
}
export function enableShortcuts(on: boolean): void {
  enabled = on;
  remember('shortcuts', on);
}

const active = new Set<{ current: Shortcut[] }>();
export function activeShortcuts(): Shortcut[] {
  return [...active].flatMap((list) => list.current);
}

function types(target: EventTarget | null): boolean {
  const element = target instanceof Element ? target : null;
  return (
    element !== null && (element.closest('input:not([type=radio]):not([type=checkbox]), select, textarea') !== null ||
      (element instanceof HTMLElement && element.isContentEditable))
  );
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (!enabled && event.key !== 'Escape') return;
  // Within a shadow root (the editor) the event's own target is its host.
  if (types(event.composedPath()[0] ?? null) || document.querySelector('dialog[open]') !== null) return;
  const found = activeShortcuts().findLast((shortcut) => shortcut.key === event.key);
  if (found === undefined) return;
  event.preventDefault();
  found.run();
});

export function useShortcuts(shortcuts: Shortcut[]): void {
  const list = useRef(shortcuts);
  list.current = shortcuts;
  useEffect(() => {
    active.add(list);
    return () => void active.delete(list);
  }, []);
}

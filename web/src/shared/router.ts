// The address of a view: #/view/name?parameter=value. All of a view's state is in it, so that a link reproduces the view.
import { useEffect, useState } from 'preact/hooks';

export const VIEWS = ['explore', 'tables', 'live', 'pipeline'] as const;
export type View = (typeof VIEWS)[number];

export interface Route {
  view: View;
  name: string; // what follows the view: a table
  query: URLSearchParams;
}

export function parseHash(hash: string): Route {
  const [path = '', search = ''] = splitOnce(hash.replace(/^#\/?/, ''), '?');
  const [view = '', name = ''] = splitOnce(path, '/');
  return {
    view: VIEWS.find((known) => known === view) ?? 'explore',
    name: decode(name),
    query: new URLSearchParams(search),
  };
}

export function hashOf(view: View, name = '', query: Record<string, string | undefined> = {}): string {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query)) if (value !== undefined) search.set(key, value);
  const text = search.toString();
  return `#/${view}${name === '' ? '' : `/${encodeURIComponent(name)}`}${text === '' ? '' : `?${text}`}`;
}

export function useRoute(): Route {
  const [hash, setHash] = useState(location.hash);
  useEffect(() => {
    const changed = (): void => setHash(location.hash);
    window.addEventListener('hashchange', changed);
    return () => window.removeEventListener('hashchange', changed);
  }, []);
  return parseHash(hash);
}

// A step that "back" undoes, or (replace) a mere correction of the address.
export function go(hash: string, replace = false): void {
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, '', hash);
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    location.hash = hash;
  }
}

function splitOnce(text: string, at: string): [string, string] {
  const index = text.indexOf(at);
  return index < 0 ? [text, ''] : [text.slice(0, index), text.slice(index + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a broken link: as it is
  }
}

// Light or dark: as the system says, unless the person says otherwise. The answer stands in <html data-theme>.
import { useEffect, useState } from 'preact/hooks';
import { recall, remember } from './storage';

export const THEMES = ['auto', 'light', 'dark'] as const;
export type Theme = (typeof THEMES)[number];

const media = matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
let wanted: Theme = recall('theme', 'auto', (value): value is Theme => THEMES.includes(value as Theme));

function resolved(): 'light' | 'dark' {
  return wanted === 'auto' ? (media.matches ? 'dark' : 'light') : wanted;
}

function apply(): void {
  document.documentElement.dataset.theme = resolved();
  for (const listener of listeners) listener();
}
media.addEventListener('change', apply);
apply();

export function setTheme(theme: Theme): void {
  wanted = theme;
  remember('theme', theme);
  apply();
}

export function useTheme(): { wanted: Theme; shown: 'light' | 'dark' } {
  const [state, setState] = useState({ wanted, shown: resolved() });
  useEffect(() => {
    const changed = (): void => setState({ wanted, shown: resolved() });
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, []);
  return state;
}

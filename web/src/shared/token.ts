// The token of a server that asks for one: kept for this tab only, sent with every call.
import { useEffect, useState } from 'preact/hooks';

const KEY = 'varve.token';
const listeners = new Set<() => void>();
let generation = 0;

export function token(): string {
  try {
    return sessionStorage.getItem(KEY) ?? '';
  } catch {
    return ''; // storage is forbidden: no token then
  }
}

export function setToken(value: string): void {
  try {
    if (value === '') sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // forbidden: the field will be offered again
  }
  generation++;
  for (const listener of listeners) listener();
}

export function bearer(): Record<string, string> {
  const value = token();
  return value === '' ? {} : { Authorization: `Bearer ${value}` };
}

// Changes with the token: part of the key of whatever must then be asked anew.
export function useTokenGeneration(): number {
  const [seen, setSeen] = useState(generation);
  useEffect(() => {
    const changed = (): void => setSeen(generation);
    listeners.add(changed);
    return () => void listeners.delete(changed);
  }, []);
  return seen;
}

// Asking again and again, politely: one request at a time, none while the page is hidden,
// slower when answers are slow, and backing off while they fail.
import { useEffect, useRef, useState } from 'preact/hooks';
import { passes } from './api';
import { useTokenGeneration } from './token';

// An answer may take this share of the time at most: a slow query must not be most of the server's work.
const SLOW_ANSWER_FACTOR = 4;
const BACKOFF_MAX_MS = 5_000;

export interface Polled<T> {
  data: T | undefined; // the last good answer for this key
  error: unknown; // set while the last try failed
  failures: number; // tries failed in a row
  at: number; // Date.now() of the last good answer, 0 before it
  busy: boolean; // a first answer or an answer asked for by hand is on its way
}

const NOTHING = { data: undefined, error: undefined, failures: 0, at: 0, busy: false };

// `load` is called at once and whenever `key` changes, then every `intervalMs` (undefined: once, and again only
// after a failure that may pass). No key, no polling.
export function usePoll<T>(
  key: string | undefined,
  intervalMs: number | undefined,
  load: (signal: AbortSignal) => Promise<T>,
): Polled<T> {
  const [state, setState] = useState<Polled<T> & { key: string | undefined }>({ ...NOTHING, key });
  const latest = useRef(load);
  latest.current = load;
  const token = useTokenGeneration();

  useEffect(() => {
    if (key === undefined) return;
    const stop = new AbortController();
    let timer = 0;
    let failures = 0;
    let busy = false;
    let done = false;

    const tick = async (): Promise<void> => {
      window.clearTimeout(timer);
      if (busy || done || document.hidden) return;
      busy = true;
      const started = performance.now();
      let wait = intervalMs;
      try {
        const data = await latest.current(stop.signal);
        if (stop.signal.aborted) return;
        failures = 0;
        if (intervalMs !== undefined)
          wait = Math.max(intervalMs, (performance.now() - started) * SLOW_ANSWER_FACTOR);
        setState({ key, data, error: undefined, failures, at: Date.now(), busy: false });
      } catch (error) {
        if (stop.signal.aborted) return;
        failures++;
        wait = Math.max(intervalMs ?? 0, Math.min(BACKOFF_MAX_MS, 500 * 2 ** Math.min(failures, 10)));
        if (!passes(error)) wait = undefined;
        const tries = failures;
        setState((old) => ({ ...(old.key === key ? old : { ...NOTHING, key }), error, failures: tries, busy: false }));
      } finally {
        busy = false;
      }
      if (wait === undefined) done = true;
      else timer = window.setTimeout(tick, wait);
    };
    const wake = (): void => void tick();

    setState((old) => (old.key === key ? { ...old, busy: true } : { ...NOTHING, key, busy: true }));
    void tick();
    document.addEventListener('visibilitychange', wake);
    window.addEventListener('online', wake);
    return () => {
      stop.abort();
      window.clearTimeout(timer);
      document.removeEventListener('visibilitychange', wake);
      window.removeEventListener('online', wake);
    };
  }, [key, intervalMs, token]);

  return state.key === key ? state : { ...NOTHING, busy: key !== undefined };
}

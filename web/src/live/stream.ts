// Server-sent events over fetch: EventSource can send no token.
import { passes, refusal, UnreachableError } from '../shared/api';
import { bearer } from '../shared/token';

export interface ServerEvent {
  name: string; // 'message' where the server gives none
  data: string;
}

// Cuts a stream of text into events, whatever pieces it comes in (WHATWG HTML, 9.2.6).
export class EventCutter {
  private rest = '';
  private name = '';
  private data: string[] = [];

  push(piece: string): ServerEvent[] {
    const events: ServerEvent[] = [];
    this.rest += piece;
    for (;;) {
      const end = /\r\n|\n|\r(?!$)/.exec(this.rest);
      if (end === null) return events;
      this.line(this.rest.slice(0, end.index), events);
      this.rest = this.rest.slice(end.index + end[0].length);
    }
  }

  private line(line: string, events: ServerEvent[]): void {
    if (line === '') {
      if (this.data.length > 0) events.push({ name: this.name || 'message', data: this.data.join('\n') });
      this.name = '';
      this.data = [];
      return;
    }
    const colon = line.indexOf(':');
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'event') this.name = value;
    if (field === 'data') this.data.push(value);
  }
}

// The server sends a comment every 10 s: a stream that is silent for longer than this is dead.
const SILENCE_MS = 35_000;
const BACKOFF_MAX_MS = 5_000;

export interface Listener {
  onOpen: () => void;
  onEvent: (event: ServerEvent) => void;
  onError: (error: unknown, final: boolean) => void;
}

// Reads until `signal` stops it; begins again by itself when the server went away.
export async function follow(path: string, listener: Listener, signal: AbortSignal): Promise<void> {
  let failures = 0;
  while (!signal.aborted) {
    try {
      await once(path, {
        ...listener,
        onOpen: () => {
          failures = 0;
          listener.onOpen();
        },
      }, signal);
      throw new UnreachableError('the stream ended');
    } catch (error) {
      if (signal.aborted) return;
      const final = !passes(error);
      listener.onError(error, final);
      if (final) return;
    }
    failures++;
    await pause(Math.min(BACKOFF_MAX_MS, 250 * 2 ** Math.min(failures, 8)), signal);
  }
}

async function once(path: string, listener: Listener, signal: AbortSignal): Promise<void> {
  const stop = new AbortController();
  const stopped = (): void => stop.abort();
  signal.addEventListener('abort', stopped);
  let timer = window.setTimeout(stopped, SILENCE_MS);
  try {
    const headers = { Accept: 'text/event-stream', ...bearer() };
    const response = await fetch(new URL(path, document.baseURI), { headers, cache: 'no-store', signal: stop.signal }).catch(
      () => {
        throw new UnreachableError('no connection');
      },
    );
    if (!response.ok) throw refusal(response.status, await response.text());
    listener.onOpen();
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const cutter = new EventCutter();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      window.clearTimeout(timer);
      timer = window.setTimeout(stopped, SILENCE_MS);
      for (const event of cutter.push(value)) listener.onEvent(event);
    }
  } finally {
    window.clearTimeout(timer);
    signal.removeEventListener('abort', stopped);
    stop.abort();
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      window.clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = window.setTimeout(end, ms);
    signal.addEventListener('abort', end);
  });
}

// The last rows of a stream, and the last values of each series of it. All of it is bounded.
import type { Cell } from '../shared/api';

export interface TailRow {
  id: number; // grows with every row
  cells: Map<string, Cell>;
}

export interface TailSeries {
  name: string;
  values: number[];
  last: number;
  rows: number;
  seen: number; // id of its newest row
}

export interface LiveBatch {
  columns: ({ name: string; type?: string } | string)[];
  rows: Cell[][];
}

// What the server says besides rows, as a sentence; '' for what needs none.
export function noticeOf(name: string, data: string): string {
  let said: { rows?: number; message?: string };
  try {
    said = JSON.parse(data) as typeof said;
  } catch {
    return '';
  }
  if (name === 'gap') return `The server could not keep up and left out ${said.rows ?? 'some'} rows.`;
  if (name === 'end') return `The server ended the stream: ${said.message ?? 'it gave no reason'}.`;
  return '';
}

export const ROWS_KEPT = 300;
export const VALUES_KEPT = 60;
// Past this the series that was silent for longest makes room.
export const SERIES_KEPT = 500;

export class Tail {
  rows: TailRow[] = []; // oldest first
  series = new Map<string, TailSeries>();
  columns: string[] = [];
  total = 0;

  add(batch: LiveBatch, tags: readonly string[], field: string | undefined): void {
    const names = batch.columns.map((column) => (typeof column === 'string' ? column : column.name));
    for (const name of names) if (!this.columns.includes(name)) this.columns.push(name);
    for (const row of batch.rows) {
      this.total++;
      const cells = new Map(names.map((name, i) => [name, row[i] ?? null]));
      this.rows.push({ id: this.total, cells });
      this.note(cells, tags, field);
    }
    if (this.rows.length > ROWS_KEPT) this.rows.splice(0, this.rows.length - ROWS_KEPT);
  }

  private note(cells: Map<string, Cell>, tags: readonly string[], field: string | undefined): void {
    const value = field === undefined ? undefined : cells.get(field);
    if (typeof value !== 'number') return;
    const name = tags.map((tag) => String(cells.get(tag) ?? '–')).join(' · ') || 'all rows';
    let one = this.series.get(name);
    if (one === undefined) {
      if (this.series.size >= SERIES_KEPT) this.forgetOldest();
      one = { name, values: [], last: value, rows: 0, seen: 0 };
      this.series.set(name, one);
    }
    one.values.push(value);
    if (one.values.length > VALUES_KEPT) one.values.shift();
    one.last = value;
    one.rows++;
    one.seen = this.total;
  }

  private forgetOldest(): void {
    let oldest: TailSeries | undefined;
    for (const one of this.series.values()) if (oldest === undefined || one.seen < oldest.seen) oldest = one;
    if (oldest !== undefined) this.series.delete(oldest.name);
  }
}

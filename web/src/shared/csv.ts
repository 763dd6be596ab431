// Rows as CSV (RFC 4180), and a file out of text.
import type { QueryAnswer } from './api';

function cell(value: unknown): string {
  if (value === null || value === undefined) return '';
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function csvOf(answer: QueryAnswer): string {
  const lines = [answer.columns.map((column) => cell(column.name)).join(',')];
  for (const row of answer.rows) lines.push(row.map(cell).join(','));
  return lines.join('\r\n') + '\r\n';
}

export function download(name: string, type: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // The download has its own hold on the data by then (guessed; browsers do not say when).
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

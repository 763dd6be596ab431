// The rows of an answer in the order a reader chose: by one column, up or down. Nothing is asked again.
import type { Cell, QueryAnswer } from '../shared/api';

export interface Order {
  column: number;
  descending: boolean;
}

// What pressing a column's head makes of the order: up, down, as the server gave them.
export function nextOrder(order: Order | undefined, column: number): Order | undefined {
  if (order?.column !== column) return { column, descending: false };
  return order.descending ? undefined : { column, descending: true };
}

const compareText = new Intl.Collator('en', { numeric: true }).compare;

function comparison(type: string): (a: Cell, b: Cell) => number {
  if (type === 'double' || type === 'int64') return (a, b) => Number(a) - Number(b);
  // RFC 3339 in UTC sorts as text but for its Z, which would stand behind the digits of a longer fraction.
  if (type === 'timestamp')
    return (a, b) => {
      const [left, right] = [String(a).replace('Z', ''), String(b).replace('Z', '')];
      return left < right ? -1 : left > right ? 1 : 0;
    };
  return (a, b) => compareText(String(a), String(b));
}

// Equal ones stay as they were; NULL comes last either way.
export function inOrder({ columns, rows }: QueryAnswer, order: Order | undefined): Cell[][] {
  const type = order && columns[order.column]?.type;
  if (order === undefined || type === undefined) return rows;
  const compare = comparison(type);
  const sign = order.descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [a, b] = [one[order.column] ?? null, other[order.column] ?? null];
    if (a === null || b === null) return Number(a === null) - Number(b === null);
    return sign * compare(a, b);
  });
}

// Which picture an answer asks for, by the types of its columns alone:
// time + number = lines, text + number = bars, one row of numbers = big figures, else the table.
import type { QueryAnswer } from '../shared/api';

export type Shape = 'lines' | 'bars' | 'figures' | 'table';

export interface Roles {
  time: number; // index of the time column, -1: none
  numbers: number[];
  labels: number[]; // columns that name a line or a bar
}

// More bars than this are a table.
const BARS_MAX = 500;

export function rolesOf(columns: QueryAnswer['columns']): Roles {
  const roles: Roles = { time: -1, numbers: [], labels: [] };
  columns.forEach(({ type }, i) => {
    if (type === 'timestamp') {
      if (roles.time < 0) roles.time = i;
    } else if (type === 'double' || type === 'int64') roles.numbers.push(i);
    else roles.labels.push(i);
  });
  return roles;
}

export function shapeOf(answer: QueryAnswer): Shape {
  const { time, numbers, labels } = rolesOf(answer.columns);
  if (numbers.length === 0 || answer.rows.length === 0) return 'table';
  if (time >= 0) return 'lines';
  if (answer.rows.length === 1) return 'figures';
  if (labels.length > 0) return answer.rows.length <= BARS_MAX ? 'bars' : 'table';
  return 'table';
}
